"""What the parts of a fleet file are made of."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, Strict

Name: TypeAlias = Annotated[str, Field(pattern=r"^[\w][\w .+/:-]{0,79}$")]
Positive: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=2**31 - 1)]
Degree: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=4096)]
Number: TypeAlias = Annotated[float, Strict()]
Switch: TypeAlias = Annotated[bool, Strict()]


class Part(BaseModel):
    """Immutable, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
