"""What the parts of a fleet file are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

Name: TypeAlias = Annotated[str, Field(pattern=r"^[\w][\w .+/:-]{0,79}$")]
Positive: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=2**31 - 1)]
Degree: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=4096)]
Number: TypeAlias = Annotated[float, Strict()]
Switch: TypeAlias = Annotated[bool, Strict()]


def _moment(value: object) -> object:
    """A time with its offset from UTC: a bare number or a local time means different things to different readers."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("is no moment with its offset from UTC; write it as 2023-07-14T12:00Z")
    return moment


Moment: TypeAlias = Annotated[datetime, BeforeValidator(_moment)]


class Part(BaseModel):
    """Immutable, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
