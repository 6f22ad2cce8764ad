"""The stepwise simulator: plain Python, one iteration at a time, slow and obvious. The kernel must equal it.

It shares with the kernel the IterationTables, the predictions and the accounting of dispatch (dispatch/predict.py,
dispatch/update.py); engines, queues, prefix caches and the search for a replica are written anew, without any trick.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.build import build_state
from meritorder.dispatch.reasons import SHED as SHED_REASON
from meritorder.dispatch.reasons import TOO_LONG
from meritorder.dispatch.update import answered, ended, sent
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Fleet, Pool
from meritorder.perf.replica import Replica
from meritorder.simulate.oracle_dispatch import Dispatcher
from meritorder.simulate.result import Status
from meritorder.simulate.services import services_of
from meritorder.workload.trace import Trace


@dataclass
class Request:
    """One request and what has happened to it."""

    index: int
    prompt: int
    output: int
    service: int
    priority: int
    units: list[int]  # prefix blocks of its prompt that are full
    arrival: float = np.nan
    queued: float = np.nan
    start: float = np.nan
    first: float = np.nan
    finish: float = np.nan
    replica: int = -1
    reason: int = 0
    new: int = 0
    room: int = 0
    status: int = 0
    generated: int = 0
    computed: int = 0  # tokens in the KV cache
    shared: int = 0  # leading units that it shares with the cache
    chunk: int = 0  # tokens in the present iteration
    hit: int = 0
    preemptions: int = 0
    decoding: bool = False  # its prompt (and what it had made before a preemption) is computed
    place: str = ""  # "transit", "waiting", "running"


@dataclass
class PrefixCache:
    """Prefix blocks in KV memory: how many requests use each, and the unused ones, least recently used first."""

    users: dict[int, int] = field(default_factory=dict)
    unused: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def use(self, unit: int) -> None:
        """One more user."""
        self.users[unit] = self.users.get(unit, 0) + 1
        self.unused.pop(unit, None)

    def leave(self, unit: int) -> None:
        """One user fewer."""
        self.users[unit] -= 1
        if self.users[unit] == 0:
            self.unused[unit] = None

    def evict(self) -> None:
        """Forget the least recently used block."""
        unit, _ = self.unused.popitem(last=False)
        del self.users[unit]


class Engine:
    """vLLM V1's scheduler on one replica."""

    def __init__(self, pool: Pool, replica: Replica, unit_tokens: int) -> None:
        self.table = replica.table
        self.block = replica.block_tokens
        self.by_priority = pool.engine.scheduling == "priority"
        self.unit_tokens = unit_tokens if pool.engine.prefix_caching else 0
        self.unit_blocks = self.unit_tokens // self.block if self.unit_tokens else 0
        self.unowned = replica.kv_blocks  # blocks that hold nothing
        self.cache = PrefixCache()
        self.waiting: list[Request] = []
        self.running: list[Request] = []
        self.cancels: list[Request] = []
        self.boundary = np.inf
        self.seconds = self.joules = 0.0
        self.busy_s = self.energy_j = self.running_s = self.prompt_tokens = self.output_tokens = 0.0
        self.iterations = 0

    def free(self) -> int:
        """Blocks that could be taken: those that hold nothing and those of unused prefixes."""
        return self.unowned + len(self.cache.unused) * self.unit_blocks

    def blocks(self, tokens: int) -> int:
        """Blocks that hold `tokens` tokens."""
        return -(-tokens // self.block)

    def take(self, blocks: int) -> None:
        """Take free blocks, evicting unused prefixes where it must be."""
        self.unowned -= blocks
        while self.unowned < 0:
            self.cache.evict()
            self.unowned += self.unit_blocks

    def release(self, r: Request, extra: int = 0) -> None:
        """Free a request's blocks (and `extra` granted for tokens not computed yet)."""
        self.unowned += self.blocks(r.computed) - r.shared * self.unit_blocks + extra
        for unit in reversed(r.units[: r.shared]):
            self.cache.leave(unit)
        r.shared = 0

    def publish(self, r: Request, tokens: int) -> None:
        """Prefix blocks that are full now can be used by others; a second copy is freed."""
        if not self.unit_tokens:
            return
        while r.shared < min(len(r.units), tokens // self.unit_tokens):
            unit = r.units[r.shared]
            if unit in self.cache.users:
                self.unowned += self.unit_blocks
            self.cache.use(unit)
            r.shared += 1

    def wait(self, r: Request, again: bool = False) -> None:
        """Queue a request: behind the others, or in front if it was preempted; by priority in any case if so set."""
        r.place = "waiting"
        if again and not self.by_priority:
            self.waiting.insert(0, r)
        else:
            self.waiting.append(r)
        if self.by_priority:
            self.waiting.sort(key=lambda w: (w.priority, w.queued, w.index))

    def preempt(self, r: Request, granted: int) -> None:
        """Take everything from a running request."""
        self.release(r, granted)
        self.running.remove(r)
        r.computed = 0
        r.decoding = False
        r.preemptions += 1
        self.wait(r, again=True)

    def schedule(self, now: float) -> None:
        """Decide the next iteration; sets `boundary`."""
        while self.running or self.waiting:
            budget = self.table.token_budget
            for r in self.running:
                r.chunk = 0
            granted: dict[int, int] = {}
            preempted = False
            for r in list(self.running):
                if r.place != "running":
                    continue
                tokens = min(r.prompt + r.generated - r.computed, budget)
                if tokens <= 0:
                    break
                want = self.blocks(r.computed + tokens) - self.blocks(r.computed)
                while self.free() < want:
                    victim = self.running[-1]
                    if self.by_priority:
                        victim = max(self.running, key=lambda v: (v.priority, v.queued, v.index))
                    budget += victim.chunk
                    victim.chunk = 0
                    self.preempt(victim, granted.pop(victim.index, 0))
                    preempted = True
                    if victim is r:
                        break
                if r.place != "running":
                    continue
                self.take(want)
                granted[r.index] = want
                budget -= tokens
                r.chunk = tokens
                self.publish_prompt(r)
            if not preempted:
                budget = self.admit(now, budget)
            if any(r.chunk for r in self.running):
                self.price(now)
                return
        self.boundary = np.inf

    def publish_prompt(self, r: Request) -> None:
        """Publish what is full of the prompt once the present chunk is computed."""
        if not r.decoding:
            self.publish(r, min(r.computed + r.chunk, r.prompt))

    def admit(self, now: float, budget: int) -> int:
        """Admit waiting requests while seats, token budget and blocks last."""
        while budget > 0 and self.waiting and len(self.running) < self.table.max_sequences:
            r = self.waiting[0]
            target = r.prompt + r.generated
            hits: list[int] = []
            if self.unit_tokens:
                for unit in r.units[: (target - 1) // self.unit_tokens]:
                    if unit not in self.cache.users:
                        break
                    hits.append(unit)
            computed = len(hits) * self.unit_tokens
            chunk = min(target - computed, budget)
            want = self.blocks(computed + chunk) - len(hits) * self.unit_blocks
            idle = sum(unit in self.cache.unused for unit in hits) * self.unit_blocks
            if want + idle > self.free():
                break
            self.waiting.pop(0)
            self.running.append(r)
            r.place = "running"
            if np.isnan(r.start):
                r.start, r.hit = now, computed
            for unit in hits:
                self.cache.use(unit)
            r.shared = len(hits)
            r.computed, r.chunk = computed, chunk
            self.take(want)
            self.publish_prompt(r)
            budget -= chunk
        return budget

    def price(self, now: float) -> None:
        """Time and energy of the iteration that was scheduled."""
        decoding = [r for r in self.running if r.decoding]
        prompts = [r for r in self.running if not r.decoding and r.chunk]
        kv = sum(r.computed for r in decoding)
        pairs = sum(r.chunk * r.computed + 0.5 * r.chunk * (r.chunk + 1.0) for r in prompts)
        tokens = sum(r.chunk for r in prompts)
        self.seconds = self.table.seconds(len(decoding), kv, tokens, pairs)
        self.joules = self.table.joules(len(decoding), kv, tokens, pairs)
        self.boundary = now + self.seconds
        self.prompt_tokens += tokens
        self.running_s += len(self.running) * self.seconds

    def end_iteration(self) -> tuple[list[Request], list[Request]]:
        """The iteration under way ends: returns who got a token from its prompt, and who has all tokens."""
        self.busy_s += self.seconds
        self.energy_j += self.joules
        self.iterations += 1
        from_prompt, done = [], []
        for r in self.running:
            r.computed += r.chunk
            r.chunk = 0
            if r.computed == r.prompt + r.generated:
                r.generated += 1
                self.output_tokens += 1
                if not r.decoding:
                    from_prompt.append(r)
                r.decoding = True
                if r.generated == r.output:
                    done.append(r)
        return from_prompt, sorted(done, key=lambda r: r.index)


class Oracle:
    """A run of a trace on a fleet, step by step."""

    def __init__(
        self,
        fleet: Fleet,
        trace: Trace,
        replicas: tuple[Replica, ...],
        policy: Dispatch | None = None,
        seed: int = 0,
    ) -> None:
        self.fleet, self.trace = fleet, trace
        dispatch = policy or fleet.dispatch
        self.state = build_state(
            fleet,
            replicas,
            dispatch,
            regions=trace.regions,
            prefix_tokens=trace.block_tokens,
            prefix_blocks=trace.unique_blocks,
            seed=seed,
        )
        self.dispatcher = Dispatcher(self.state, seed)
        self.pools = list(fleet.pools.values())
        self.engines = [
            Engine(pool, replica, trace.block_tokens)
            for pool, replica in zip(self.pools, replicas, strict=True)
            for _ in range(pool.replicas)
        ]
        services = list(fleet.services.values())
        self.requests = [
            Request(
                index=i,
                prompt=int(trace.prompt_tokens[i]),
                output=int(trace.output_tokens[i]),
                service=int(service),
                priority=services[service].priority,
                units=list(self._units(i)),
            )
            for i, service in enumerate(services_of(fleet, trace, seed))
        ]
        self.followers: dict[int, list[int]] = {}
        for i, before in enumerate(trace.after):
            self.followers.setdefault(int(before), []).append(i)
        self.events: list[tuple[float, int, str, int]] = []
        self.order = 0

    def _units(self, i: int) -> Iterator[int]:
        if self.trace.block_tokens:
            start, stop = self.trace.block_start[i], self.trace.block_start[i + 1]
            full = self.trace.prompt_tokens[i] // self.trace.block_tokens
            yield from (int(unit) for unit in self.trace.blocks[start : min(stop, start + full)])

    def _add(self, time: float, kind: str, request: int) -> None:
        self.order += 1
        heapq.heappush(self.events, (time, self.order, kind, request))

    def run(self) -> None:
        """Handle all events in the order of time: arrivals, then others, then boundaries of engines."""
        by_clock = sorted(
            (float(self.trace.arrival_s[i]), i) for i in range(len(self.requests)) if self.trace.after[i] < 0
        )
        by_clock.reverse()
        while True:
            arrival = by_clock[-1][0] if by_clock else np.inf
            event = self.events[0][0] if self.events else np.inf
            engine = min(range(len(self.engines)), key=lambda e: self.engines[e].boundary)
            boundary = self.engines[engine].boundary
            if arrival == event == boundary == np.inf:
                break
            if arrival <= event and arrival <= boundary:
                self.dispatch(self.requests[by_clock.pop()[1]], arrival)
            elif event <= boundary:
                time, _, kind, i = heapq.heappop(self.events)
                r = self.requests[i]
                if kind == "give up":
                    self.give_up(r, time)
                elif kind == "next turn":
                    self.dispatch(r, time)
                elif r.place == "transit":
                    self.arrive(r, time)
            else:
                self.pass_boundary(engine, boundary)
        for r in self.requests:
            if r.status == 0:
                r.status = Status.UNREACHED

    def _half_rtt(self, r: Request) -> float:
        pool = self.state.replicas[r.replica].pool
        return 0.5 * float(self.state.rtt_s[self.trace.region[r.index], self.state.pools[pool].site])

    def _pool(self, r: Request) -> Pool:
        return self.pools[self.state.replicas[r.replica].pool]

    def dispatch(self, r: Request, now: float) -> None:
        """Choose a replica and send the request there, or refuse it."""
        r.arrival = now
        start, stop = self.trace.block_start[r.index], self.trace.block_start[r.index + 1]
        blocks = [int(b) for b in self.trace.blocks[start:stop]]
        replica, cached, reason = self.dispatcher.choose(
            r.service, int(self.trace.region[r.index]), r.prompt, r.output, blocks
        )
        r.reason = reason
        if replica < 0:
            assert reason in (TOO_LONG, SHED_REASON)
            r.status = Status.TOO_LONG if reason == TOO_LONG else Status.SHED
            r.finish = now
            return
        r.replica, r.new = replica, r.prompt - cached
        g = self.state.settings[0]
        expected = float(r.output) if g.oracle_length else self.state.services[r.service].mean_output
        r.room = r.prompt + int(0.5 * expected)
        sent(self.state, replica, r.service, r.new, r.room)
        self.dispatcher.changed(replica)
        self.dispatcher.remember(blocks, replica)
        patience = min(
            float(self.trace.cancel_s[r.index]),
            list(self.fleet.services.values())[r.service].patience or np.inf,
        )
        if patience < np.inf:
            self._add(now + float(np.float32(patience)), "give up", r.index)
        engine = self._pool(r).engine
        delay = engine.request_overhead + engine.prompt_token_overhead * r.prompt + self._half_rtt(r)
        r.place = "transit"
        if delay > 0:
            self._add(now + delay, "at engine", r.index)
        else:
            self.arrive(r, now)

    def arrive(self, r: Request, now: float) -> None:
        """A request reaches its engine."""
        engine = self.engines[r.replica]
        r.queued = now
        engine.wait(r)
        if engine.boundary == np.inf:
            engine.schedule(now)

    def end(self, r: Request, status: Status, output: int) -> None:
        """A request is over, for the gateway too."""
        r.status, r.place = status, ""
        ended(self.state, r.replica, r.service, r.new, r.room, output, not np.isnan(r.first))
        self.dispatcher.changed(r.replica)

    def pass_boundary(self, index: int, now: float) -> None:
        """An iteration has ended."""
        engine = self.engines[index]
        from_prompt, done = engine.end_iteration()
        for r in from_prompt:
            if np.isnan(r.first):
                r.first = now + self._pool(r).engine.output_token_overhead + self._half_rtt(r)
                answered(self.state, index, r.new)
                self.dispatcher.changed(index, answered_only=True)
        for r in done:
            engine.running.remove(r)
            # the newest token was never put into the KV cache
            engine.release(r)
            r.finish = now + r.output * self._pool(r).engine.output_token_overhead + self._half_rtt(r)
            self.end(r, Status.COMPLETED, r.output)
            for i in self.followers.get(r.index, []):
                self._add(r.finish + float(self.trace.think_s[i]), "next turn", i)
        for r in reversed(engine.cancels):
            if r.place == "running":
                engine.running.remove(r)
                engine.release(r)
                self.end(r, Status.CANCELLED, 0)
            elif r.place == "waiting":
                engine.waiting.remove(r)
                self.end(r, Status.CANCELLED, 0)
        engine.cancels.clear()
        engine.schedule(now)

    def give_up(self, r: Request, now: float) -> None:
        """A client cancels."""
        if r.place == "":
            return
        r.finish = now
        if r.place == "transit":
            self.end(r, Status.CANCELLED, 0)
        elif r.place == "waiting":
            self.engines[r.replica].waiting.remove(r)
            self.end(r, Status.CANCELLED, 0)
        else:
            self.engines[r.replica].cancels.append(r)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """A field of all requests, in the order of the trace."""
        return np.array([getattr(r, name) for r in self.requests], np.float64)
