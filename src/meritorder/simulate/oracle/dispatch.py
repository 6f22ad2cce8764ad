"""The dispatch policies by full scan: what `dispatch/` must find without one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from meritorder.dispatch import choose as names
from meritorder.dispatch import reasons
from meritorder.dispatch.merit_order import TRIES, harm_to_others, marginal_usd, most_in_flight
from meritorder.dispatch.pairs import prompt_usd
from meritorder.dispatch.predict import delay_s, tpot_with_s, ttft_s
from meritorder.dispatch.prefixes import LOST
from meritorder.dispatch.state import BY_PREDICTION, PREFILL, UNORDERED, FleetState
from meritorder.dispatch.update import RENEW, order_key

Choice = tuple[int, int, int]

_MASK = 2**64 - 1


class Dispatcher:
    """Chooses as `dispatch.choose` does, but looks at every replica."""

    def __init__(self, state: FleetState, seed: int) -> None:
        self.state = state
        self.random = (seed * 2 + 1) * 0x9E3779B97F4A7C15 & _MASK
        self.owner: dict[int, int] = {}
        self.step = 0
        self.level = [0] * len(state.replicas)
        self.entered = [(0, r) for r in range(len(state.replicas))]
        self.key = [self._key(r) for r in range(len(state.replicas))]

    def _key(self, replica: int) -> float:
        return float(order_key(self.state, replica)) if self.state.settings[0].order != UNORDERED else 0.0

    def changed(self, replica: int) -> None:
        """The accounting of a replica has changed."""
        if self.state.replicas[replica].closed:
            return
        self.step += 1
        self.key[replica] = self._key(replica)
        level = min(self.state.replicas[replica].in_flight, self._pool(replica).max_sequences)
        if level != self.level[replica]:
            self.level[replica] = level
            self.entered[replica] = (self.step, replica)

    def renew(self, pool: int) -> None:
        """Requests were sent: now and then a whole pool is ordered by what is known by then."""
        p = self.state.pools[pool]
        if p.sent >= p.renew_at:
            p.renew_at = p.sent + max(1, min(p.sent, RENEW * p.count))
            if self.state.settings[0].order == BY_PREDICTION:
                for replica in self._members(pool):
                    self.key[replica] = self._key(replica)

    def remember(self, blocks: Iterable[int], replica: int) -> None:
        """These prefix blocks were sent to a replica."""
        for block in blocks:
            self.owner[block] = replica

    def close(self, replica: int) -> None:
        """A replica has failed: it is not chosen, and holds no prefix any more."""
        self.state.replicas[replica].closed = 1
        self._pool(replica).open -= 1
        self.level[replica] = -1
        for block, owner in self.owner.items():
            if owner == replica:
                self.owner[block] = LOST

    def reopen(self, replica: int) -> None:
        """It may be chosen again."""
        self.state.replicas[replica].closed = 0
        self._pool(replica).open += 1
        self.changed(replica)

    def _pool(self, replica: int) -> np.record:
        pool: np.record = self.state.pools[self.state.replicas[replica].pool]
        return pool

    def _members(self, pool: int) -> list[int]:
        return [r for r, x in enumerate(self.state.replicas) if x.pool == pool and not x.closed]

    def _takes(self, c: int, total: int) -> bool:
        """Whether a request of so many tokens may go there now: it fits, nothing forbids it, and somebody is up."""
        choice = self.state.choices[c]
        if total > self.state.pools[choice.pool].max_context or choice.shut or not self._members(choice.pool):
            return False
        if self.state.pools[choice.pool].role != PREFILL:
            return True
        leg = self.state.services[choice.leg]
        return any(self._takes(way, total) for way in range(leg.first, leg.first + leg.count))

    def takes(self, service: int, total: int) -> bool:
        """Whether any pool takes a request of so many tokens now; 1: one of any length."""
        s = self.state.services[service]
        return any(self._takes(c, total) for c in range(s.first, s.first + s.count))

    def why_none(self, service: int, total: int) -> int:
        """Why no pool takes a request of so many tokens."""
        s = self.state.services[service]
        pools = [(self.state.choices[c], self.state.choices[c].pool) for c in range(s.first, s.first + s.count)]
        fitting = [(c, pool) for c, pool in pools if total <= self.state.pools[pool].max_context]
        if not fitting:
            return reasons.TOO_LONG
        kept_out = any(c.shut and self._members(pool) for c, pool in fitting)
        return reasons.POWER_SHORT if kept_out else reasons.NONE_USABLE

    def _fitting(self, service: int, total: int) -> list[int]:
        s = self.state.services[service]
        choices = [c for c in range(s.first, s.first + s.count) if self._takes(c, total)]
        return [r for c in choices for r in self._members(self.state.choices[c].pool)]

    def _draw(self) -> int:
        x = self.random
        x ^= x >> 12
        x = (x ^ (x << 25)) & _MASK
        x ^= x >> 27
        self.random = x
        return x >> 32

    def choose(self, service: int, region: int, prompt: int, output: int, blocks: list[int]) -> Choice:
        """Replica, tokens believed cached there, reason; see `dispatch.choose`."""
        fitting = self._fitting(service, prompt + output)
        if not fitting:
            return -1, 0, self.why_none(service, prompt + output)
        g, state = self.state.settings[0], self.state
        known = 0
        while g.uses_prefix and known < len(blocks) and blocks[known] in self.owner:
            known += 1
        while known and self.owner[blocks[known - 1]] == LOST:
            known -= 1
        near = self.owner[blocks[known - 1]] if known else -1
        cached = min(known * int(g.prefix_tokens), prompt - 1) if known else 0
        flight = [int(state.replicas[r].in_flight) for r in range(len(state.replicas))]
        expected = float(output) if g.oracle_length else float(state.services[service].mean_output)

        if g.policy == names.ROUND_ROBIN:
            s = state.services[service]
            s.turn += 1
            return fitting[(s.turn - 1) % len(fitting)], 0, reasons.TURN
        if g.policy == names.RANDOM_REPLICA:
            return fitting[self._draw() % len(fitting)], 0, reasons.RANDOM
        if g.policy == names.POWER_OF_TWO:
            drawn = [fitting[self._draw() % len(fitting)] for _ in range(g.choices)]
            return min(drawn, key=lambda r: flight[r]), 0, reasons.REQUESTS
        if g.policy == names.LEAST_TOKENS:
            return min(fitting, key=lambda r: state.replicas[r].context), 0, reasons.TOKENS
        if g.policy in (names.LEAST_REQUEST, names.PREFIX_AFFINITY):
            best = min(fitting, key=lambda r: (flight[r], state.replicas[r].since))
            if g.policy == names.LEAST_REQUEST:
                return best, 0, reasons.REQUESTS
            if near not in fitting or cached < g.min_match * prompt:
                return best, cached if best == near else 0, reasons.REQUESTS
            uneven = flight[near] - flight[best] > g.max_imbalance and flight[near] > g.max_ratio * flight[best]
            return (best, 0, reasons.REQUESTS) if uneven else (near, cached, reasons.PREFIX)
        if g.policy == names.LATENCY_PREDICTED:
            return self._fastest(service, region, prompt, prompt + output, expected), 0, reasons.FASTEST
        return self._merit_order(service, region, prompt, prompt + output, expected, near, cached)

    def _first_by_key(self, replicas: Iterable[int]) -> int:
        return min(replicas, key=lambda r: (self.key[r], r))

    def _predict(self, replica: int, region: int, prompt: int, there: int, expected: float) -> tuple[float, float]:
        r = self.state.replicas[replica]
        tpot = tpot_with_s(self.state, replica, prompt, expected)
        delay = delay_s(self.state, r.pool, region, prompt)
        return ttft_s(self.state, replica, prompt, there, tpot) + delay, tpot

    def _choices(self, service: int, total: int, whole: bool) -> list[int]:
        """Where a request fits among the pools that serve it whole, or those that only compute its prompt."""
        s = self.state.services[service]
        stages = range(s.first, s.first + s.whole) if whole else range(s.first + s.whole, s.first + s.count)
        return [c for c in stages if self._takes(c, total)]

    def _fastest(self, service: int, region: int, prompt: int, total: int, expected: float) -> int:
        ways = self._fast_ways(service, region, prompt, total, expected, 0)
        for c in self._choices(service, total, whole=False):
            choice = self.state.choices[c]
            replica = self._first_by_key(self._members(choice.pool))
            ttft, _ = self._predict(replica, region, prompt, 0, 1.0)
            on = min(seconds for seconds, _ in self._fast_ways(choice.leg, region, prompt, total, expected, prompt - 1))
            ways.append((on + ttft, replica))
        return min(ways, key=lambda way: way[0])[1]

    def _fast_ways(
        self, service: int, region: int, prompt: int, total: int, expected: float, landed: int
    ) -> list[tuple[float, int]]:
        """Predicted seconds to the last token on the best replica of each pool that serves a request whole."""
        ways = []
        for c in self._choices(service, total, whole=True):
            choice = self.state.choices[c]
            replica = self._first_by_key(self._members(choice.pool))
            ttft, tpot = self._predict(replica, region, prompt, landed, expected)
            wire = choice.latency_s + choice.request_s + choice.token_s * prompt
            ways.append((float(ttft + expected * tpot + wire), replica))
        return ways

    def _pressure(self, service: int, pool: int) -> float:
        state, p, weights = self.state, self.state.pools[pool], self.state.services.weight
        felt = [0.0]
        for other, s in enumerate(state.services):
            for c in range(s.first, s.first + s.count):
                if state.choices[c].pool == pool and (limit := most_in_flight(state, other, c)):
                    used = (p.in_flight + 1) / (p.count * limit)
                    felt.append(weights[other] * used * used)
        return float(max(felt) / weights[service])

    def _merit_order(
        self, service: int, region: int, prompt: int, total: int, expected: float, near: int, cached: int
    ) -> Choice:
        s, margin = self.state.services[service], self.state.settings[0].margin
        feasible, harmful = self._survey(service, region, prompt, total, expected, near, cached, 0)
        for c in self._choices(service, total, whole=False):
            choice = self.state.choices[c]
            members, p = self._members(choice.pool), self.state.pools[choice.pool]
            on, against = self._survey(choice.leg, region, prompt, total, expected, -1, 0, prompt - 1)
            for replica in [near] * (near in members) + [self._first_by_key(members)]:
                there = cached if replica == near else 0
                ttft, _ = self._predict(replica, region, prompt, there, 1.0)
                full = (self.state.replicas[replica].context + prompt) / (p.kv_blocks * p.block_tokens)
                if on and full <= margin and ttft <= margin * s.ttft_s:
                    usd = min(f[0] for f in on) + prompt_usd(self.state, service, replica, prompt, there)
                    feasible.append((usd, replica, there))
                    continue
                late = max(ttft / s.ttft_s - margin, 0.0) if s.ttft_s < np.inf else 0.0
                harm = s.weight * (late + max(full - margin, 0.0))
                harm += 0.0 if on else min(h[0] for h in against)
                harmful.append((harm, replica, there, ttft))
        if feasible:
            _, replica, there = min(feasible, key=lambda f: f[0])
            return replica, there, reasons.CHEAPEST_PREFIX if there else reasons.CHEAPEST
        _, replica, there, _ = min(harmful, key=lambda h: h[0])
        if s.sheds and min(h[3] for h in harmful) > s.ttft_s:
            return -1, 0, reasons.SHED
        return replica, there, reasons.LEAST_HARM

    def _survey(
        self,
        service: int,
        region: int,
        prompt: int,
        total: int,
        expected: float,
        near: int,
        cached: int,
        landed: int,
    ) -> tuple[list[tuple[float, int, int]], list[tuple[float, int, int, float]]]:
        """Of the replicas that serve a request whole, those that keep the targets with their USD, others with harm."""
        state, s, g = self.state, self.state.services[service], self.state.settings[0]
        feasible: list[tuple[float, int, int]] = []
        harmful: list[tuple[float, int, int, float]] = []
        for c in self._choices(service, total, whole=True):
            pool = state.choices[c].pool
            members = self._members(pool)
            limit = max(most_in_flight(state, service, c), 1)
            pressed = self._pressure(service, pool)
            tried = []
            if g.pack:
                below = sorted({self.level[r] for r in members if self.level[r] < limit}, reverse=True)[:TRIES]
                tried = [
                    min((r for r in members if self.level[r] == level), key=lambda r: self.entered[r])
                    for level in below
                ]
            tried.append(self._first_by_key(members))
            candidates = [(near, True)] if near in members else []
            for replica, only_for_prefix in candidates + [(r, False) for r in tried]:
                there = cached if replica == near else landed
                ttft, tpot = self._predict(replica, region, prompt, there, expected)
                promised = state.replicas[replica].tpot_s
                kv_tokens = state.pools[pool].kv_blocks * state.pools[pool].block_tokens
                full = (state.replicas[replica].context + prompt + expected) / kv_tokens
                if full <= g.margin and ttft <= g.margin * s.ttft_s and tpot <= g.margin * min(s.tpot_s, promised):
                    seconds = ttft + expected * tpot
                    usd = marginal_usd(state, replica, prompt, there, expected, seconds, limit, pressed)
                    feasible.append((usd, replica, there))
                    if only_for_prefix:
                        continue
                    break
                late = max(ttft / s.ttft_s - g.margin, 0.0) if s.ttft_s < np.inf else 0.0
                slow = max(tpot / s.tpot_s - g.margin, 0.0) if s.tpot_s < np.inf else 0.0
                harm = s.weight * (late + slow + max(full - g.margin, 0.0)) + harm_to_others(state, replica, tpot)
                harmful.append((harm, replica, there, ttft))
        return feasible, harmful
