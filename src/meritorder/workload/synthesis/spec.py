"""What a synthetic workload is made of: clients with rates, gaps, lengths and sessions (the YAML of `synthesize`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from meritorder.fleet.document import decode, read_document
from meritorder.fleet.wording import in_words
from meritorder.problems import InputError, Problem
from meritorder.units import FROM_FILE, Seconds
from meritorder.workload.synthesis.distribution import Distribution


def _at_least(least: float) -> AfterValidator:
    """Shorter times would cut an hour into more pieces than fit in memory."""

    def check(seconds: float) -> float:
        if seconds < least:
            raise ValueError(f"is {seconds:g} s; give at least {least:g} s")
        return seconds

    return AfterValidator(check)


PositiveSeconds = Annotated[Seconds, _at_least(0.001)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Windows(_Section):
    """A rate curve of equally long windows (1/s each); it starts again when it ends."""

    window: Annotated[Seconds, _at_least(0.01)]
    per_s: tuple[Rate, ...] = Field(min_length=1)


class Diurnal(_Section):
    """A daily wave: mean x (1 + amplitude x cos(2 pi (t - peak) / period))."""

    mean_per_s: Annotated[float, Field(gt=0)]
    amplitude: Annotated[float, Field(ge=0, le=1)]
    peak: Seconds = 14 * 3600.0
    period: Annotated[Seconds, _at_least(60)] = 24 * 3600.0


class Drift(_Section):
    """A random factor on the rate with mean 1: log-normal with this `cv`, remembering itself for `memory` seconds.

    The logarithm is an Ornstein-Uhlenbeck process. Several drifts multiply.
    """

    cv: Annotated[float, Field(gt=0)]
    memory: Annotated[Seconds, _at_least(1)]


class OnOff(_Section):
    """Bursts: phases in which the client sends, with silence between; the mean rate is kept.

    `intensity` (mean near 1) makes some bursts stronger than others.
    """

    on_s: Distribution
    off_s: Distribution
    intensity: Distribution = Distribution.model_validate({"constant": 1})

    @model_validator(mode="after")
    def _has_bursts(self) -> Self:
        if self.on_s.mean() < 0.01 or self.intensity.mean() <= 0:
            raise ValueError("has bursts of no length or strength; let on_s be 0.01 s or more, intensity above 0")
        return self


class Gaps(_Section):
    """Inter-arrival times at constant rate: a renewal process with this coefficient of variation."""

    process: Literal["gamma", "weibull", "poisson"] = "poisson"
    cv: Annotated[float, Field(ge=0.001, le=200)] = 1.0

    @model_validator(mode="after")
    def _poisson_has_cv_1(self) -> Self:
        if self.process == "poisson" and self.cv != 1:
            raise ValueError(f"is poisson with cv {self.cv:g}; a poisson process has 1, say gamma or weibull")
        if self.process == "weibull" and not 0.02 <= self.cv <= 30:
            raise ValueError(f"has cv {self.cv:g}, out of reach for weibull; give 0.02 to 30, or say gamma")
        return self


class SharedPrefix(_Section):
    """Text in front of prompts that many sessions share; the next layer stands behind and belongs to its variant.

    Layers of the same name mean the same texts for every client. Variants are popular by Zipf's law: the k-th has
    weight 1 / k ** zipf.
    """

    name: str = Field(min_length=1)
    tokens: Annotated[int, Field(gt=0, le=10_000_000)]
    variants: Annotated[int, Field(gt=0, le=1_000_000)] = 1
    zipf: Annotated[float, Field(ge=0, le=20)] = 1.0


class Rewrite(_Section):
    """Turns that keep only part of the history: an edited message, another branch, a fresh start."""

    probability: Annotated[float, Field(ge=0, le=1)]
    keep: Distribution  # share of the last prompt that stays in front
    new_tokens: Distribution | None = None  # what follows the kept part; None: as much as if nothing had changed


class Side(Rewrite):
    """A side branch (a sub-agent): some turns on a history of their own, then the main one goes on where it was."""

    new_tokens: Distribution
    turns: Distribution


class Context(_Section):
    """What happens to a session whose prompt would pass its limit: it is compacted."""

    limit_tokens: Distribution  # drawn once for each session
    keep: Distribution
    new_tokens: Distribution


class Opening(_Section):
    """The first turns of a session after its very first, which add more: agents read before they work."""

    turns: Annotated[int, Field(gt=0)]
    new_tokens: Distribution


class NominalService(_Section):
    """The service time that the recording is imagined to have had: `base` + per output token.

    Only for the `arrival_s` of closed-loop requests; a simulation replaces it by its own.
    """

    base: Seconds
    per_output_token: Seconds


class Sessions(_Section):
    """Conversations: the client's rate counts their starts; every turn carries the history of the last one."""

    turns: Distribution
    pause_s: Distribution  # open loop: from arrival to arrival; closed loop: from end to arrival (think time)
    new_tokens: Distribution  # added to the last turn's prompt (its output included)
    opening: Opening | None = None
    rewrite: Rewrite | None = None
    side: Side | None = None
    context: Context | None = None
    closed_loop: bool = False
    warmup: Seconds = 0.0  # open loop: sessions begin so long before the trace does
    nominal_service: NominalService | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.closed_loop and self.nominal_service is None:
            raise ValueError("has closed_loop but no nominal_service; give nominal_service")
        if self.closed_loop and self.warmup:
            raise ValueError(
                "has both closed_loop and warmup; leave out warmup, such sessions start with their first turn"
            )
        return self


class Client(_Section):
    """One source of requests, or `count` independent ones that are alike.

    Exactly one of `per_s` (constant), `windows`, `diurnal` gives the mean rate: of requests, or of session starts
    where there are `sessions`.
    """

    count: Annotated[int, Field(gt=0, le=1_000_000)] = 1
    service: str = "default"
    region: str = "default"
    per_s: Rate | None = None
    windows: Windows | None = None
    diurnal: Diurnal | None = None
    drift: tuple[Drift, ...] = ()
    on_off: OnOff | None = None
    gaps: Gaps = Gaps()
    prompt_tokens: Distribution
    output_tokens: Distribution
    spearman: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    shared_prefix: tuple[SharedPrefix, ...] = ()
    sessions: Sessions | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [name for name in ("per_s", "windows", "diurnal") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"has {', '.join(given) or 'no rate'}; give exactly one of per_s, windows, diurnal")
        if self.sessions is not None and self.spearman != 0:
            raise ValueError("has both spearman and sessions; leave out spearman, prompts grow in sessions")
        return self


class TrafficSpec(_Section):
    """A synthetic workload; presets also say where their figures come from and how well they fit."""

    name: str
    description: str = ""
    source: str = ""
    licence: str = ""
    date: str = ""
    fit: dict[str, Any] = {}
    duration: PositiveSeconds = 3600.0
    block_tokens: Annotated[int, Field(ge=0)] = 0
    clients: dict[str, Client] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.block_tokens == 0 and any(client.shared_prefix for client in self.clients.values()):
            raise ValueError("has clients with shared_prefix but no block_tokens; give block_tokens (say 16)")
        return self


def load_spec(path: Path) -> TrafficSpec:
    """The workload written in a YAML file. Raises InputError with everything wrong in it."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Problem(f"can't be read: {reason}", where=str(path), fix="name a YAML file")) from None
    return parse_spec(decode(raw, str(path)), str(path))


def parse_spec(text: str, name: str) -> TrafficSpec:
    """The workload in YAML `text`; `name` stands for the file in messages. Raises InputError with all problems."""
    if not text.strip():
        raise InputError(Problem("is empty", where=name, fix="give a name and clients"))
    document = read_document(text, name)
    problems = list(document.problems)
    data = {"name": Path(name).stem, **document.data}
    try:
        spec = TrafficSpec.model_validate(data, context=FROM_FILE)
    except ValidationError as error:
        problems += in_words(error, document, data, TrafficSpec)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return spec
