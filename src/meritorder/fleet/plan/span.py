"""Figures known as a range, `{low: 0.5, best: 0.8, high: 1.0}`, or as one; months, and figures by month."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, GetJsonSchemaHandler, Tag, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from meritorder.fleet.part import Number

T = TypeVar("T")

# The first day of a month: "2026-07".
Month: TypeAlias = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]


def months_between(start: str, month: str) -> int:
    """Months from `start` to `month`, both written as 2026-07; below 0 where it is earlier."""
    return _index(month) - _index(start)


def later(month: str, by: int) -> str:
    """The month so many months later."""
    index = _index(month) + by
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def _index(month: str) -> int:
    """Months since the year 0."""
    return int(month[:4]) * 12 + int(month[5:7]) - 1


# One figure, or steps by month: what is wrong is told of the one that was written.
Stepped: TypeAlias = Annotated[
    Annotated[dict[Month, T], Tag("steps")] | Annotated[T, Tag("one")],
    Discriminator(lambda value: "steps" if isinstance(value, dict) else "one"),
]


class Span(BaseModel, Generic[T]):
    """Lowest, best and highest value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: T = Field(description="Lowest value that is thought possible.")
    best: T = Field(description="The value to plan with.")
    high: T = Field(description="Highest value that is thought possible.")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Editors may take one value too."""
        range_of = handler(core)
        one = {**handler.resolve_ref_schema(range_of)["properties"]["best"]}
        del one["description"]
        return {"anyOf": [range_of, one]}

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, value: Any) -> Any:
        return value if isinstance(value, dict | cls) else {"low": value, "best": value, "high": value}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.best <= self.high:  # type: ignore[operator]
            raise ValueError("has its values out of order; give low <= best <= high")
        return self


Factor: TypeAlias = Span[Annotated[Number, Field(gt=0, le=1000)]]
