"""The forms that an iteration's time may have, from affine to curves over tokens, prompts and sequences."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from meritorder.calibrate.rows import Floats, Rows
from meritorder.fleet.measured import Curve

_LEAST_S = 1e-6

# Up to so many sequences or tokens a curve may also fall.
_FREE = {"step_s": 16, "decode_s": 16, "kv_s": 16}

Prompt: TypeAlias = Literal["tokens", "line", "curve"]


@dataclass(frozen=True)
class Form:
    """Which terms of `MeasuredCoefficients` there are; the places of curves' points are chosen from the data."""

    name: str
    step: bool = False  # a curve over tokens, instead of a line
    decode: bool = False  # a curve over sequences, instead of so much for each
    prompt: Prompt = "tokens"  # nothing beside the tokens; so much for any prompt and for each token; a curve
    kv: bool = False  # a KV token's time depends on how many sequences decode


_SHAPES: tuple[tuple[str, bool, bool, Prompt], ...] = (
    ("affine", False, False, "tokens"),
    ("affine, prompts apart", False, False, "line"),
    ("curve over tokens", True, False, "line"),
    ("curves over tokens and prompt", True, False, "curve"),
    ("curve over sequences", False, True, "line"),
    ("curves over sequences and prompt", False, True, "curve"),
)
FORMS = tuple(
    Form(name + (", KV by batch" if kv else ""), step, decode, prompt, kv)
    for name, step, decode, prompt in _SHAPES
    for kv in (False, True)
)


@dataclass(frozen=True)
class Term:
    """A coefficient of the fit: a number, or the value of a curve at `at`."""

    name: str
    at: int = 0


@dataclass(frozen=True)
class Basis:
    """A form with its terms."""

    form: Form
    terms: tuple[Term, ...]

    @staticmethod
    def of(form: Form, rows: Rows) -> Basis:
        """Terms whose coefficients the rows can tell: curves have points where there is data."""
        prompts, decoding = rows.prompt_tokens, rows.decoding
        terms = [] if form.step else [Term("host_s")]
        terms += [] if form.step or form.decode else [Term("per_token_s"), Term("per_sequence_s")]
        if form.step:
            terms += [Term("step_s", at) for at in places(decoding + prompts, decoding.max(initial=1))]
        if form.decode and decoding.any():
            terms += [Term("decode_s", at) for at in places(decoding, decoding.max(initial=1))]
        if form.prompt != "tokens" and prompts.max(initial=0) > 1:
            ends = [1, int(prompts.max())]
            terms += [Term("prompt_s", at) for at in (places(prompts, 0) if form.prompt == "curve" else ends)]
        if form.kv and decoding.max(initial=0) > 1:
            terms += [Term("kv_s", at) for at in sorted({1, int(decoding.max())})]
        else:
            terms.append(Term("per_kv_token_s"))
        terms.append(Term("per_pair_s"))
        if rows.first_token.any():
            terms += [Term("request_s"), Term("prompt_token_s")]
        return Basis(form, tuple(terms))

    def matrix(self, rows: Rows) -> Floats:
        """What each coefficient (columns) is multiplied with in each row (n)."""
        return np.column_stack([self._column(term, rows) for term in self.terms])

    def rising(self) -> Floats:
        """From what the fit finds, none of it negative, to coefficients: where a curve only rises (everywhere but at
        small batches, whose kernels differ), each point adds to the one before it.
        """
        found = np.eye(len(self.terms))
        for i, (before, term) in enumerate(pairwise(self.terms), 1):
            if term.at and term.name == before.name and term.at > _FREE.get(term.name, 0):
                found[i] += found[i - 1]
        return found

    def _column(self, term: Term, rows: Rows) -> Floats:
        tokens = rows.decoding + rows.prompt_tokens
        if term.name == "request_s":
            return rows.first_token.astype(np.float64)
        if term.name == "prompt_token_s":
            return rows.summed(rows.prompt_tokens) * rows.first_token
        per_iteration = {
            "host_s": np.ones_like(tokens),
            "per_token_s": tokens,
            "per_sequence_s": rows.decoding,
            "per_kv_token_s": rows.kv_tokens,
            "per_pair_s": rows.pairs,
        }
        if term.name in per_iteration:
            return rows.summed(per_iteration[term.name])
        along = {"step_s": tokens, "decode_s": rows.decoding, "prompt_s": rows.prompt_tokens, "kv_s": rows.decoding}
        x = along[term.name]
        weight = _share(x, [other.at for other in self.terms if other.name == term.name], term.at) * (x > 0)
        return rows.summed(weight * rows.kv_tokens if term.name == "kv_s" else weight)

    def coefficients(self, values: Floats) -> tuple[dict[str, float | Curve], float, float]:
        """The keys of `MeasuredCoefficients`, and the front end's seconds per request and per prompt token."""
        found: dict[str, float | Curve] = {}
        points: dict[str, list[tuple[int, float]]] = {}
        front = {"request_s": 0.0, "prompt_token_s": 0.0}
        for term, value in zip(self.terms, values, strict=True):
            short = float(f"{value:.4g}")
            if term.name in front:
                front[term.name] = short
            elif term.at:
                points.setdefault(term.name, []).append((term.at, short))
            else:
                found[term.name] = short
        if "host_s" in found:  # time passes in every iteration
            found["host_s"] = max(found["host_s"], _LEAST_S)
        found |= {name: tuple(curve) for name, curve in points.items()}
        return found, front["request_s"], front["prompt_token_s"]


def places(x: Floats, each: float) -> list[int]:
    """Where a curve has points: every place with data up to `each`, about every doubling from there to the last."""
    there = np.unique(x[x > 0]).astype(np.int64)  # never empty where it is asked for
    found = [int(at) for at in there if at <= min(each, 16)]
    for at in there[there > (found[-1] if found else 0)]:
        if not found or at >= 1.7 * found[-1]:
            found.append(int(at))
    last = int(there[-1])
    if found[-1] != last:
        if len(found) > 1 and last < 1.3 * found[-1]:
            found.pop()
        found.append(last)
    return found


def _share(x: Floats, at: list[int], here: int) -> Floats:
    """How much the point `here` of a curve with points `at` counts at `x`: as `perf.measured.along` reads it."""
    unit = np.array([float(place == here) for place in at])
    share: Floats = np.interp(x, np.array(at, np.float64), unit)
    if len(at) > 1:
        slope = (unit[-1] - unit[-2]) / (at[-1] - at[-2])
        share = share + slope * np.maximum(x - at[-1], 0.0)
    return share
