"""Random sizes and times of a synthetic workload: which family, its parameters, its mean, its samples."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from meritorder.workload.trace import Floats

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lognormal(_Part):
    """exp of a normal: `median` in the quantity's unit, `sigma` of the logarithm."""

    median: Positive
    sigma: Annotated[float, Field(ge=0, le=20)]


class Pareto(_Part):
    """Power-law tail from `minimum` up: P(X > x) = (minimum / x) ** alpha; a finite mean needs alpha > 1."""

    minimum: Positive
    alpha: Annotated[float, Field(gt=1)]


class Quantiles(_Part):
    """An empirical table: share `at[k]` of the values lies at or below `values[k]`, straight lines between."""

    at: tuple[float, ...] = Field(min_length=2)
    values: tuple[float, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(self.at) != len(self.values):
            raise ValueError(f"has {len(self.at)} shares and {len(self.values)} values; give one value a share")
        if self.at[0] != 0 or self.at[-1] != 1 or any(b <= a for a, b in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("has shares that don't rise from 0 to 1; let `at` rise strictly from 0 to 1")
        if any(b < a for a, b in zip(self.values, self.values[1:], strict=False)) or self.values[0] < 0:
            raise ValueError("has values that fall or are negative; sort them")
        return self


class Distribution(_Part):
    """Exactly one family, or a mixture of several; results outside `minimum`..`maximum` are set to that limit.

    A `maximum` therefore makes a pile-up, as a context cap does in real traces.
    """

    constant: Annotated[float, Field(ge=0)] | None = None
    exponential: Positive | None = Field(None, description="the mean")
    lognormal: Lognormal | None = None
    pareto: Pareto | None = None
    quantiles: Quantiles | None = None
    mixture: tuple[Distribution, ...] | None = Field(None, min_length=2)
    weight: Positive = Field(1.0, description="relative weight inside a mixture")
    minimum: Annotated[float, Field(ge=0)] | None = None
    maximum: Positive | None = None

    @model_validator(mode="after")
    def _has_one_family(self) -> Self:
        families = ("constant", "exponential", "lognormal", "pareto", "quantiles", "mixture")
        given = [name for name in families if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"has {', '.join(given) or 'no family'}; give exactly one of {', '.join(families)}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"has minimum {self.minimum:g} above maximum {self.maximum:g}; swap them")
        return self

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """`n` independent values."""
        values = self._raw(rng, n)
        if self.minimum is not None or self.maximum is not None:
            np.clip(values, self.minimum, self.maximum, out=values)
        return values

    def mean(self) -> float:
        """Expected value; with limits, from 200,000 samples of a fixed stream."""
        if self.minimum is not None or self.maximum is not None:
            return float(self.sample(np.random.default_rng(0), 200_000).mean())
        if self.constant is not None:
            return self.constant
        if self.exponential is not None:
            return self.exponential
        if self.lognormal is not None:
            return self.lognormal.median * math.exp(self.lognormal.sigma**2 / 2)
        if self.pareto is not None:
            return self.pareto.minimum * self.pareto.alpha / (self.pareto.alpha - 1)
        if self.quantiles is not None:
            return float(np.trapezoid(self.quantiles.values, self.quantiles.at))
        assert self.mixture is not None
        return sum(p.weight * p.mean() for p in self.mixture) / sum(p.weight for p in self.mixture)

    def _raw(self, rng: np.random.Generator, n: int) -> Floats:
        if self.constant is not None:
            return np.full(n, self.constant)
        if self.exponential is not None:
            return rng.exponential(self.exponential, n)
        if self.lognormal is not None:
            return rng.lognormal(math.log(self.lognormal.median), self.lognormal.sigma, n)
        if self.pareto is not None:
            return self.pareto.minimum * (1 + rng.pareto(self.pareto.alpha, n))
        if self.quantiles is not None:
            return np.interp(rng.random(n), self.quantiles.at, self.quantiles.values)
        assert self.mixture is not None
        weights = np.array([part.weight for part in self.mixture])
        which = rng.choice(len(weights), n, p=weights / weights.sum())
        values = np.empty(n)
        for k, part in enumerate(self.mixture):
            chosen = which == k
            values[chosen] = part.sample(rng, int(chosen.sum()))
        return values


def link_ranks(first: Floats, second: Floats, spearman: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The same values in an order that gives them this rank correlation (Gaussian copula), both marginals kept.

    For normals, Pearson r = 2 sin(pi rho / 6) gives Spearman rho (Kruskal, JASA 53, 1958).
    """
    n = len(first)
    r = 2 * math.sin(math.pi * spearman / 6)
    a = rng.standard_normal(n)
    b = r * a + math.sqrt(1 - r * r) * rng.standard_normal(n)
    linked_first, linked_second = np.empty(n), np.empty(n)
    linked_first[np.argsort(a)] = np.sort(first)
    linked_second[np.argsort(b)] = np.sort(second)
    return linked_first, linked_second
