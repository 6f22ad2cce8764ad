"""What one says of a key to be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from meritorder.fleet.part import Name, Part
from meritorder.problems import InputError, Problem, did_you_mean, said
from meritorder.serve.doors.calendar import Period

Limit = Annotated[int, Field(strict=True, ge=1, le=2**53)]


class Wanted(Part):
    """A key to be made; what is absent is not limited."""

    name: Annotated[str, Field(min_length=1, max_length=200, description="Whose key it is, for people.")]
    tenant: Annotated[str, Field(max_length=200)] = Field(
        default="", description="Keys of one tenant wait in one line; absent: a tenant of its own."
    )
    weight: Annotated[float, Field(gt=0, le=1e6)] = Field(
        default=1.0, description="The tenant's part of the tokens when tenants have to wait for one another."
    )
    services: tuple[Name, ...] = Field(default=(), max_length=1000, description="Services it may use; none: all.")
    models: tuple[Name, ...] = Field(default=(), max_length=1000, description="Model names it may ask for; none: all.")
    rpm: Limit | None = Field(default=None, description="Most requests in a minute.")
    tpm: Limit | None = Field(default=None, description="Most tokens in a minute, prompt and output.")
    budget_tokens: Limit | None = Field(default=None, description="Most tokens in a period, prompt and output.")
    budget_usd: Annotated[float, Field(gt=0, le=1e12)] | None = Field(default=None, description="Most USD in a period.")
    budget_period: Period = Field(default="month", description="Of the budgets: day or month (UTC), or ever.")
    lifetime_s: Annotated[float, Field(gt=0, le=1e10)] | None = Field(
        default=None, description="Seconds after which it opens nothing any more."
    )

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Wanted:
        """From a mapping, as JSON gives it. Raises InputError with every field that is wrong."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InputError(_problem(one) for one in error.errors(include_url=False)) from None


def _problem(error: ErrorDetails) -> Problem:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return Problem("is no field of a key", "key", field, did_you_mean(field, Wanted.model_fields))
    if error["type"] == "missing":
        return Problem("is missing", "key", field)
    what, _, right = error["msg"].partition(" should ")
    return Problem(f"is {said(error['input'])}", "key", field, f"it should {right}" if right else what)
