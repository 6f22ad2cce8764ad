"""One replica's engine, step by step: vLLM V1's scheduler over paged KV blocks and a prefix cache."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from meritorder.fleet.schema import Pool
from meritorder.perf.replica import Replica
from meritorder.simulate.oracle.cache import PrefixCache, SlowTier
from meritorder.simulate.oracle.request import Request

R = TypeVar("R", bound=Request)


class Engine(Generic[R]):
    """vLLM V1's scheduler on one replica."""

    def __init__(self, pool: Pool, replica: Replica, unit_tokens: int) -> None:
        self.table = replica.table
        self.replica = replica
        self.block = replica.block_tokens
        self.reserve_prompt = pool.engine.reserve_prompt
        self.by_priority = pool.engine.scheduling == "priority"
        self.unit_tokens = unit_tokens if pool.engine.prefix_caching else 0
        self.unit_blocks = self.unit_tokens // self.block if self.unit_tokens else 0
        self.stretch = 1.0  # the coming iterations take so many times what the table says
        self.energy_j = self.busy_s = self.running_s = self.prompt_tokens = self.output_tokens = 0.0
        self.iterations = 0
        self.empty()

    def empty(self) -> None:
        """Nothing runs, waits or is remembered."""
        self.unowned = self.replica.kv_blocks  # blocks that hold nothing
        self.cache = PrefixCache()
        self.slow = SlowTier(self.replica.tier, self.unit_tokens)
        self.asked: list[tuple[R, float]] = []  # whose prefix comes from there since it was scheduled last, when
        self.back: list[R] = []  # whose prefix has come
        self.returning = 0  # requests with room whose prefix comes or has come
        self.waiting: list[R] = []
        self.running: list[R] = []
        self.cancels: list[R] = []
        self.wanting: list[R] = []  # want room for a KV cache that is computed elsewhere
        self.landed: list[R] = []  # whose KV cache has come
        self.granted: list[R] = []  # who got room when the engine was scheduled last
        self.reserved = 0  # requests with room but no seat
        self.boundary = np.inf
        self.begun = 0.0  # the iteration under way: when, its seconds, joules and prompt tokens
        self.seconds = self.joules = 0.0
        self.chunks = 0
        self.paced = 1.0  # and its stretch
        self.told_j = 0.0  # of its joules, those that the building knows of

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
            self.slow.put(self.cache.evict())
            self.unowned += self.unit_blocks

    def release(self, r: R, extra: int = 0) -> None:
        """Free a request's blocks (and `extra` granted for tokens not computed yet)."""
        self.unowned += self.blocks(r.computed) - r.shared * self.unit_blocks + extra
        for unit in reversed(r.units[: r.shared]):
            self.cache.leave(unit)
        r.shared = 0

    def publish(self, r: R, tokens: int) -> None:
        """Prefix blocks that are full now can be used by others; a second copy is freed."""
        if not self.unit_tokens:
            return
        while r.shared < min(len(r.units), tokens // self.unit_tokens):
            unit = r.units[r.shared]
            if unit in self.cache.users:
                self.unowned += self.unit_blocks
            self.cache.use(unit)
            r.shared += 1

    def wait(self, r: R, again: bool = False) -> None:
        """Queue a request: behind the others, or in front if it was preempted; by priority in any case if so set."""
        r.place = "waiting"
        if again and not self.by_priority:
            self.waiting.insert(0, r)
        else:
            self.waiting.append(r)
        if self.by_priority:
            self.waiting.sort(key=lambda w: (w.priority, w.queued, w.index))

    def preempt(self, r: R, granted: int) -> None:
        """Take everything from a running request."""
        self.release(r, granted)
        self.running.remove(r)
        r.computed = 0
        r.decoding = False
        r.preemptions += 1
        self.wait(r, again=True)

    def schedule(self, now: float) -> None:
        """Decide the next iteration; sets `boundary`."""
        self.granted, self.asked = [], []
        self.seat_landed()
        if not self.running and not self.waiting and not self.back:
            self.give_room()
        while self.running or self.waiting or self.back:
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
                self.give_room()
            if any(r.chunk for r in self.running):
                self.price(now)
                return
            if not preempted:
                break  # who waits has no room: it is kept for KV caches on their way
        self.boundary = np.inf

    def seat_landed(self) -> None:
        """Requests whose KV cache has come decode from now on, before the one whose prompt is half computed."""
        while self.landed and len(self.running) < self.table.max_sequences:
            r = self.landed.pop(0)
            self.reserved -= 1
            r.place, r.decoding, r.shared = "running", True, 0
            self.running.insert(sum(other.decoding for other in self.running), r)

    def give_room(self) -> None:
        """Keep KV blocks for requests that want room, unless a preempted one waits."""
        nobody_waits = not self.waiting and not self.back
        while self.wanting and nobody_waits and len(self.running) + self.reserved < self.table.max_sequences:
            if self.blocks(self.wanting[0].base) > self.free():
                break
            r = self.wanting.pop(0)
            self.take(self.blocks(r.base))
            self.reserved += 1
            self.granted.append(r)

    def publish_prompt(self, r: R) -> None:
        """Publish what is full of the prompt once the present chunk is computed."""
        if not r.decoding:
            self.publish(r, min(r.computed + r.chunk, r.prompt))

    def admit(self, now: float, budget: int) -> int:
        """Admit waiting requests while seats, token budget and blocks last."""
        while budget > 0 and self.back and len(self.running) < self.table.max_sequences:
            budget -= self.seat_back(self.back.pop(0), now, budget)
        while budget > 0 and self.waiting and len(self.running) < self.table.max_sequences:
            r = self.waiting[0]
            target = r.prompt + r.generated
            hits: list[int] = []
            if self.unit_tokens:
                for unit in r.units[: (target - 1) // self.unit_tokens]:
                    if unit not in self.cache.users:
                        break
                    hits.append(unit)
            below: list[int] = []
            if self.slow.room:
                for unit in r.units[len(hits) : (target - 1) // self.unit_tokens]:
                    if unit not in self.slow.units:
                        break
                    below.append(unit)
            if below:
                if not self.bring_back(r, hits, below, now):
                    break
                continue
            computed = len(hits) * self.unit_tokens
            chunk = min(target - computed, budget)
            want = self.blocks(computed + chunk) - len(hits) * self.unit_blocks
            idle = sum(unit in self.cache.unused for unit in hits) * self.unit_blocks
            whole = self.blocks(target) - len(hits) * self.unit_blocks
            if (whole if self.reserve_prompt else want) + idle > self.free():
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

    def bring_back(self, r: R, hits: list[int], below: list[int], now: float) -> bool:
        """Ask for the blocks of a prompt in the slow tier, if there is room for all of it; it waits aside."""
        want = self.blocks(r.prompt + r.generated) - len(hits) * self.unit_blocks
        idle = sum(unit in self.cache.unused for unit in hits) * self.unit_blocks
        if len(self.running) + self.returning >= self.table.max_sequences or want + idle > self.free():
            return False
        self.waiting.pop(0)
        end = self.slow.send(below, now)
        for unit in hits:
            self.cache.use(unit)
        r.shared = len(hits)
        self.take(want)
        self.returning += 1
        r.place, r.computed = "coming", (len(hits) + len(below)) * self.unit_tokens
        r.returned += len(below) * self.unit_tokens
        r.return_s += end - now
        self.asked.append((r, end))
        return True

    def seat_back(self, r: R, now: float, budget: int) -> int:
        """Schedule the first chunk behind a prefix that has come back. Returns its tokens."""
        target = r.prompt + r.generated
        self.returning -= 1
        self.running.append(r)
        r.place = "running"
        if np.isnan(r.start):
            r.start, r.hit = now, r.computed
        r.chunk = min(target - r.computed, budget)
        self.unowned += self.blocks(target) - self.blocks(r.computed + r.chunk)
        self.publish_prompt(r)
        return r.chunk

    def drop(self, r: R) -> None:
        """Free what is kept for a prompt whose prefix has come back."""
        self.returning -= 1
        self.release(r, self.blocks(r.prompt + r.generated) - self.blocks(r.computed))

    def price(self, now: float) -> None:
        """Time and energy of the iteration that was scheduled."""
        decoding = [r for r in self.running if r.decoding]
        prompts = [r for r in self.running if not r.decoding and r.chunk]
        kv = sum(r.computed for r in decoding)
        pairs = sum(r.chunk * r.computed + 0.5 * r.chunk * (r.chunk + 1.0) for r in prompts)
        tokens = sum(r.chunk for r in prompts)
        self.seconds = self.table.seconds(len(decoding), kv, tokens, pairs) * self.stretch
        self.joules = self.table.joules(len(decoding), kv, tokens, pairs)
        self.begun, self.boundary = now, now + self.seconds
        self.paced = self.stretch
        self.chunks = tokens

    def tell(self, now: float) -> float:
        """Joules of the iteration under way up to now that were not told before."""
        if self.boundary == np.inf:
            return 0.0
        joules = self.joules * (now - self.begun) / self.seconds
        joules, self.told_j = joules - self.told_j, joules
        return joules

    def fail(self, now: float) -> None:
        """Lose the iteration under way, but not what it has drawn, and everything in memory."""
        if self.boundary < np.inf:
            self.energy_j += self.joules * (now - self.begun) / self.seconds
            self.busy_s += now - self.begun
            self.running_s += len(self.running) * (now - self.begun)
        self.empty()

    def end_iteration(self) -> tuple[list[R], list[R]]:
        """The iteration under way ends: returns who got a token from its prompt, and who has all tokens."""
        self.busy_s += self.seconds
        self.energy_j += self.joules
        self.running_s += len(self.running) * self.seconds
        self.prompt_tokens += self.chunks
        self.iterations += 1
        self.told_j = 0.0
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
