"""Sessions of timed calls that report how many prompt tokens were cached, but no block ids (TraceLab, Copilot).

Ids are minted: a call shares the leading blocks of the call before it in its session as far as its cached tokens
reach, and the rest are new. What the recording found cached beyond that (another session's text) can't be named.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from meritorder.workload.formats.json_rows import column
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.trace import Longs

_LAST_S = 9.2e9  # nanoseconds since 1970 fit 64 bits until 2261
BLOCK_TOKENS = 64  # of the minted ids; finer than any engine's default makes no difference to hit ratios


@dataclass
class SessionCalls:
    """Calls of all sessions as they are met; `draft` sorts them by time."""

    time_name: str
    names: tuple[str, str, str]  # what the file calls time, prompt and output
    line: list[int] = field(default_factory=list)
    start_ns: list[int] = field(default_factory=list)
    duration_s: list[float] = field(default_factory=list)  # NaN unknown
    prompt: list[object] = field(default_factory=list)
    cached: list[object] = field(default_factory=list)
    output: list[object] = field(default_factory=list)
    session: list[object] = field(default_factory=list)
    model: list[object] = field(default_factory=list)

    def draft(self, faults: Faults, notes: list[str]) -> Draft:
        """All calls in order of time with minted block ids. Raises InputError that names rows."""
        prompt = column(self.prompt, self.line, self.names[1], faults, "a whole number of tokens")
        output = column(self.output, self.line, self.names[2], faults, "a whole number of tokens")
        cached = column([c or 0 for c in self.cached], self.line, "cached tokens", faults, "a whole number of tokens")
        faults.check()
        faults.rows(~((prompt >= 0) & (prompt <= 10_000_000)), np.array(self.line), self.names[1], prompt, "is {}", "")
        faults.rows(
            ~((cached >= 0) & (cached <= 10_000_000)), np.array(self.line), "cached tokens", cached, "is {}", ""
        )
        faults.check()
        order = np.argsort(np.array(self.start_ns, np.int64), kind="stable")
        start, blocks = self._mint(order, prompt.astype(np.int64), cached.astype(np.int64), notes)
        return Draft(
            np.array(self.line, np.int64)[order],
            np.array(self.start_ns, np.int64)[order],
            *(prompt[order], output[order], 1e9, "a date after 1970", self.names),
            session=[self.session[i] for i in order],
            service=[self.model[i] for i in order],
            duration_s=np.array(self.duration_s, float)[order],
            block_start=start,
            blocks=blocks,
            block_tokens=BLOCK_TOKENS,
        )

    def _mint(
        self,
        order: Longs,
        prompt: Longs,
        cached: Longs,
        notes: list[str],
    ) -> tuple[Longs, Longs]:
        context: dict[object, Longs] = {}
        minted = 0
        lists = []
        foreign = 0
        for i in order:
            session = self.session[i]
            before = context.get(session, np.zeros(0, np.int64))
            full = int(prompt[i]) // BLOCK_TOKENS
            kept = min(int(cached[i]) // BLOCK_TOKENS, len(before), full)
            if session not in context:
                foreign += int(cached[i])
            ids = np.concatenate((before[:kept], np.arange(minted, minted + full - kept)))
            minted += full - kept
            context[session] = ids
            lists.append(ids)
        if foreign:
            share = foreign / max(int(prompt.sum()), 1)
            notes.append(
                f"{share:.1%} of the prompt tokens were cached at a session's first call, so shared with others: "
                "which ones isn't recorded, they count as new"
            )
        notes.append(f"prefix ids are minted from cached token counts, in blocks of {BLOCK_TOKENS} tokens")
        start = np.concatenate((np.zeros(1, np.int64), np.cumsum([len(ids) for ids in lists], dtype=np.int64)))
        return start, np.concatenate(lists) if lists else np.zeros(0, np.int64)


def nanoseconds(value: object) -> int | None:
    """An ISO date with time, or seconds (or milliseconds) since 1970, as nanoseconds; None where it is neither."""
    from datetime import UTC, datetime

    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        if 0 <= value < _LAST_S:
            return int(value * 1e9)
        return int(value * 1e6) if 1e11 < value < 1e3 * _LAST_S else None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86_400 + since.seconds
    return seconds * 10**9 + since.microseconds * 1000 if abs(seconds) < _LAST_S else None
