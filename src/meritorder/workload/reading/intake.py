"""From the raw columns of a format to checked pieces of a `Trace`: the one gate that every row-wise format passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.workload.reading.faults import Faults, check_times, check_tokens
from meritorder.workload.trace import Floats, Ints, Longs, Trace, make_trace

Numbers = npt.NDArray[Any]


# So many requests that come this seldom were rather written in a smaller unit of time.
_MANY, _RARE_S = 100, 60.0


@dataclass
class Draft:
    """Rows as a file has them (n), with the names and units to complain in."""

    line: Longs  # where each row stands in the file
    time: Numbers  # integers or floats
    prompt: Numbers
    output: Numbers
    per_second: float  # how many units of `time` make a second
    unit: str  # that unit in words: "milliseconds"
    names: tuple[str, str, str]  # what the file calls time, prompt and output
    session: list[object] | None = None  # any hashable key; None: a request of its own
    service: list[object] | None = None  # name of a model or deployment
    duration_s: Floats | None = None  # how long the recording took to answer; NaN unknown
    block_start: Longs | None = None
    blocks: Ints | Longs | None = None
    block_tokens: int = 0
    row: str = ""  # what rows are counted in; "" for lines


@dataclass
class Intake:
    """Turns drafts into pieces of a trace and remembers between pieces what only the whole can tell."""

    name: str  # the file
    sort: bool = False  # rows out of order will be sorted later: don't refuse them
    shift: bool = True  # the first arrival becomes 0
    failed: int = 0  # rows without output, left out
    requests: int = 0
    origin: float | int | None = None
    per_second: float = 1.0
    unit: str = ""
    last: float | int | None = None
    last_line: int = 0
    services: dict[object, int] = field(default_factory=dict)
    sessions: dict[object, int] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)
    durations: list[Floats] = field(default_factory=list)  # recorded answer times of the rows kept

    def piece(self, draft: Draft) -> Trace:
        """The checked rows of `draft`, without those that failed in the recording (no output token).

        Open loop: links between requests are added afterwards (see `closed_loop`). Raises InputError that names rows.
        """
        faults = Faults(self.name, draft.row)
        time_name, prompt_name, output_name = draft.names
        output = check_tokens(faults, draft.line, output_name, draft.output, 0)
        answered = output > 0
        # A failed request may well have no prompt count either; every other one has a prompt.
        prompt = check_tokens(faults, draft.line, prompt_name, np.where(answered, draft.prompt, 1), 1)
        check_times(faults, draft.line, time_name, draft.time, draft.per_second, draft.unit)
        faults.check()
        self._check_order(draft, faults, time_name)
        if self.origin is None and answered.any():
            first = draft.time[answered]
            self.per_second, self.unit = draft.per_second, draft.unit
            self.origin = (first.min() if self.sort else first[0]).item() if self.shift else 0
        rows = np.flatnonzero(answered)
        self.failed += len(answered) - len(rows)
        self.requests += len(rows)
        if draft.duration_s is not None:
            self.durations.append(draft.duration_s[rows])
        session, turn = self._sessions(draft, rows)
        service = self._services(draft, rows)
        trace = make_trace(
            (draft.time[rows] - (self.origin or 0)) / draft.per_second,
            prompt[rows],
            output[rows],
            service=service,
            session=session,
            turn=turn,
            services=self.service_names,
        )
        if draft.block_start is None or draft.blocks is None:
            return trace
        from meritorder.workload.rows import gather_blocks
        from meritorder.workload.trace import renumber

        start, ids = gather_blocks(draft.block_start, renumber(draft.blocks), rows)
        return replace(trace, block_start=start, blocks=renumber(ids), block_tokens=draft.block_tokens)

    @property
    def service_names(self) -> tuple[str, ...]:
        """The services met so far, in order of first appearance."""
        return tuple(str(name) for name in self.services) or ("default",)

    @property
    def began(self) -> str:
        """When the first request came, where the file has dates: `, from 2023-11-16 18:15:46`."""
        since_1970 = (self.origin or 0) / self.per_second
        if since_1970 < 1e8:  # before 1973: a relative clock, or dates shifted to 1970
            return ""
        return f", from {np.datetime64(int(since_1970), 's')}".replace("T", " ")

    def warnings(self) -> tuple[str, ...]:
        """What was left out, in words."""
        told = []
        if self.failed:
            total = self.failed + self.requests
            share = self.failed / total
            told.append(
                f"{self.failed:,} of {total:,} rows ({share:.2g} of all) have no output token, so failed: left out"
            )
        span_s = ((self.last or 0) - (self.origin or 0)) / self.per_second
        if self.unit == "seconds" and self.requests >= _MANY and span_s > _RARE_S * self.requests:
            gap = f"one request in {span_s / self.requests:,.0f} s on average"
            told.append(f"{gap}: are the times really in seconds, not in a smaller unit?")
        return tuple(told)

    def _check_order(self, draft: Draft, faults: Faults, name: str) -> None:
        if self.sort or not len(draft.time):
            return
        times = draft.time
        before = np.concatenate((times[:1] if self.last is None else np.array([self.last], times.dtype), times[:-1]))
        back = np.flatnonzero(times < before)
        if len(back):
            i = int(back[0])
            above = int(draft.line[i - 1]) if i else self.last_line
            what = f"goes back in time against {draft.row or 'line'} {above:,}: the file isn't sorted"
            faults.add(int(draft.line[i]), name, what, "sort it with `merit traffic convert --sort`")
            faults.check()
        self.last, self.last_line = times[-1].item(), int(draft.line[-1])

    def _services(self, draft: Draft, rows: Longs) -> npt.NDArray[np.int16] | None:
        if draft.service is None:
            return None
        known = self.services
        result = np.array([known.setdefault(draft.service[i], len(known)) for i in rows], np.int64)
        if len(known) > 32_767:
            faults = Faults(self.name, draft.row)
            faults.add(int(draft.line[0]), "", "more than 32,767 services", "is this the right column?")
            faults.check()
        return result.astype(np.int16)

    def _sessions(self, draft: Draft, rows: Longs) -> tuple[Ints | None, Ints | None]:
        if draft.session is None:
            return None, None
        session = np.full(len(rows), -1, np.int32)
        turn = np.zeros(len(rows), np.int32)
        for place, row in enumerate(rows):
            key = draft.session[row]
            if key is not None:
                number = self.sessions.setdefault(key, len(self.sessions))
                session[place] = number
                turn[place] = self.turns.get(number, 0)
                self.turns[number] = int(turn[place]) + 1
        return session, turn


def closed_loop(trace: Trace, duration_s: Floats | None) -> Trace:
    """Each turn waits for the one before in its session; thinks as long as the recording's client did.

    `duration_s` is how long the recorded answers took; without it the pause between two arrivals contains the answer,
    so sessions become slower than they were (a warning says so).
    """
    order = np.argsort(trace.session, kind="stable")
    order = order[trace.session[order] >= 0]
    follows = np.flatnonzero(np.diff(trace.session[order]) == 0) + 1
    now, before = order[follows], order[follows - 1]
    gap = trace.arrival_s[now] - trace.arrival_s[before]
    notes = []
    if duration_s is None:
        notes.append("closed loop without recorded answer times: think times contain the recorded answers")
    else:
        known = np.nan_to_num(duration_s[before], nan=0.0)
        overlaps = int((gap < known).sum())
        if overlaps:
            notes.append(f"{overlaps:,} calls started before the one before had ended: they think 0 s in a closed loop")
        gap = np.maximum(gap - known, 0.0)
    after = trace.after.copy()
    think = trace.think_s.copy()
    after[now] = before
    think[now] = gap
    return replace(trace, after=after, think_s=think).with_warnings(*notes)


def jitter(trace: Trace, seed: int) -> Trace:
    """Spread the clock's arrivals that stand on a grid evenly inside their bin; their order stays.

    Sorted uniform draws in a bin are what a Poisson process looks like there. A trace without such a grid is
    returned with a warning.
    """
    from meritorder.workload.statistics.traps import grid_step

    clock = trace.after < 0
    step = grid_step(trace.arrival_s[clock])
    if step is None:
        return trace.with_warnings("no grid found in the timestamps: jitter left them as they are")
    arrival = trace.arrival_s.copy()
    draws = np.random.default_rng(seed).random(int(clock.sum())) * step
    # Equal timestamps are neighbours: sorting the whole orders every bin and mixes no two.
    arrival[clock] = np.sort(arrival[clock] + draws)
    return replace(trace, arrival_s=arrival).with_warnings(
        f"timestamps spread inside their {step:g} s bins (seed {seed})"
    )
