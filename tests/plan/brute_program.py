"""The linear program of a tiny instance whose blocks stand: see `brute`."""

from __future__ import annotations

import numpy as np
from brute_rows import Row, Words

from meritorder.plan.instance import Contingency, Instance


class Dispatch:
    """Writes one row at a time. Tuples name variables, e.g. ("served", t, r, j, f)."""

    def __init__(self, instance: Instance, blocks: np.ndarray, opened: np.ndarray) -> None:
        self.one, self.blocks, self.opened = instance, blocks, opened
        self.size, self.words = instance.shape, Words()
        self.built = 0.0  # USD of blocks and openings

    def write(self) -> Words:
        self._stock()
        self._deals()
        self._policy()
        size = self.size
        for t in range(size["T"]):
            for r in range(size["R"]):
                for j in range(size["J"]):
                    self._hour(t, r, j, None)
        self._contingencies()
        self._money()
        return self.words

    def _stock(self) -> None:
        one, words, stock = self.one, self.words, self.one.stock
        for t in range(self.size["T"]):
            for s in range(self.size["S"]):
                ramp: Row = {}
                for h in range(self.size["H"]):
                    system = ("systems", t, s, h)
                    if stock.block[s, h] < 0:
                        words.upper[system] = words.upper[("delivered", t, s, h)] = 0.0
                    before = stock.standing[t - 1, s, h] if t else 0.0
                    row: Row = {system: 1.0, ("delivered", t, s, h): -1.0}
                    if t:
                        row[("systems", t - 1, s, h)] = -1.0
                    words.row(row, max(stock.standing[t, s, h] - before, 0.0))
                    alive: Row = {system: 1.0}
                    for past in range(max(0, t - int(stock.life[h]) + 1), t + 1):
                        alive[("delivered", past, s, h)] = -1.0
                    words.row(alive, stock.standing[t, s, h])
                    words.row(
                        {system: -1.0, **{("placed", t, s, h, m): 1.0 for m in stock.model_of[h]}},
                        0.0,
                    )
                    ramp[("delivered", t, s, h)] = stock.nameplate_w[h]
                words.row(ramp, one.ground.ramp_w[s])
                for b in np.flatnonzero(one.ground.block_site == s):
                    there = [h for h in range(self.size["H"]) if stock.block[s, h] == b]
                    power = self.blocks[t, b] * one.ground.block_w[b]
                    words.row(
                        {("systems", t, s, h): stock.nameplate_w[h] for h in there},
                        one.ground.oversubscription[s] * power,
                    )

    def _deals(self) -> None:
        """Supply, options, take-or-pay."""
        stock, words = self.one.stock, self.words
        for h in range(self.size["H"]):
            so_far: Row = {}
            words.row({("option", t, h): 1.0 for t in range(self.size["T"])}, stock.option_all[h])
            for t in range(self.size["T"]):
                come = {("delivered", t, s, h): 1.0 for s in range(self.size["S"])}
                words.row({**come, ("option", t, h): -1.0}, stock.supply[t, h])
                words.upper[("option", t, h)] = stock.option[t, h]
                words.row({("option", t, h): 1.0, **dict.fromkeys(come, -1.0)}, 0.0)
                so_far.update(dict.fromkeys(come, -1.0))
                if stock.take[t, h] > 0:
                    words.row({**so_far, ("untaken", h): -1.0}, -stock.take[t, h])

    def _policy(self) -> None:
        one, words, policy = self.one, self.words, self.one.policy
        watts = one.stock.nameplate_w
        for t in range(self.size["T"]):
            everything = {("systems", t, s, h): watts[h] for s in range(self.size["S"]) for h in range(self.size["H"])}
            for v in range(self.size["V"]):
                share = policy.supplier_share[t, v]
                if share < 1:
                    mine = {n: w for n, w in everything.items() if one.stock.supplier[n[3]] == v}
                    words.row({n: mine.get(n, 0.0) - share * w for n, w in everything.items()}, 0.0)
            for contract in one.contracts:
                due = contract.watts[t]
                if np.isnan(due):
                    continue
                assert contract.measure == "it"
                row = {n: w for n, w in everything.items() if contract.systems[n[3]]}
                if contract.sense in ("at-least", "exactly"):
                    words.row({n: -w for n, w in row.items()}, -due)
                if contract.sense in ("at-most", "exactly"):
                    words.row(row, due)
            before = self.blocks[t - 1] if t else one.ground.block_standing[0] * 0
            stood = one.ground.block_standing
            new = (self.blocks[t] - stood[t]) - (before - stood[t - 1] if t else 0)
            paid = float(new @ one.money.block_cash[t]) + float((self.opened == t) @ one.money.open_cash)
            cash = {
                ("delivered", t, s, h): one.money.system_cash[t, h]
                for s in range(self.size["S"])
                for h in range(self.size["H"])
            }
            for h in range(self.size["H"]):
                cash[("option", t, h)] = one.money.option_cash[t, h] - one.money.system_cash[t, h]
            words.row(cash, policy.budget_usd[t] - paid)

    def _hour(self, t: int, r: int, j: int, lost: Contingency | None) -> None:
        """One hour in one scenario; in a contingency its variables have another name, and nothing is paid."""
        one, words = self.one, self.words
        stock, ground, demand, ways = one.stock, one.ground, one.demand, one.ways
        tag = lost.name if lost else ""
        name = lambda f: ("served", t, r, j, f, tag)  # noqa: E731
        busy: dict[tuple[int, int, int], Row] = {}
        power: dict[int, Row] = {b: {} for b in range(self.size["B"])}
        need: dict[int, Row] = {k: {} for k in range(self.size["K"])}
        for f in range(self.size["F"]):
            k, s = int(ways.cls[f]), int(ways.site[f])
            need[k][name(f)] = -1.0
            if s < 0:
                continue
            parts = [(int(ways.system[f]), ways.rate[f], ways.joules[f])]
            if ways.decoder[f] >= 0:
                parts.append((int(ways.decoder[f]), ways.decoder_rate[f], ways.decoder_joules[f]))
            for h, rate, joules in parts:
                fast = rate * demand.speed[j, h]
                if fast <= 0:
                    words.upper[name(f)] = 0.0
                    continue
                use = busy.setdefault((s, h, int(demand.model[k])), {})
                use[name(f)] = use.get(name(f), 0.0) + 1.0 / fast
                draw = power[int(stock.block[s, h])]
                draw[name(f)] = draw.get(name(f), 0.0) + joules
        for (s, h, m), use in busy.items():
            alive = stock.availability[h] * (0.0 if lost and lost.kind == "site" and lost.site[s] else 1.0)
            if lost and lost.kind == "supplier" and lost.systems[h]:
                alive = 0.0
            words.row({**use, ("placed", t, s, h, m): -alive}, 0.0)
        for b in range(self.size["B"]):
            s = int(ground.block_site[b])
            capacity = self.blocks[t, b] * ground.block_w[b]
            it = dict(power[b])
            if not (lost and lost.kind == "site" and lost.site[s]):
                for h in range(self.size["H"]):
                    gone = lost and lost.kind == "supplier" and lost.systems[h]
                    if stock.block[s, h] == b and not gone:
                        it[("systems", t, s, h)] = stock.idle_w[h]
            words.row(it, capacity * min(1.0, ground.cooled[t, r, b]))
            for q in range(ground.pieces.shape[3]):
                a, slope = ground.pieces[t, r, b, q]
                words.row({**{n: slope * w for n, w in it.items()}, ("facility", t, r, j, b, tag): -1.0}, -a * capacity)
        for s in range(self.size["S"]):
            mine = np.flatnonzero(ground.block_site == s)
            left = 1.0 - (lost.depth if lost and lost.kind == "curtail" and lost.site[s] else 0.0)
            words.row({("facility", t, r, j, b, tag): 1.0 for b in mine}, left * ground.grid_w[t, s])
        for k in range(self.size["K"]):
            if lost:
                words.row(need[k], -lost.share[k] * demand.requests[t, k, r, j])
                continue
            row = dict(need[k])
            if np.isfinite(demand.unmet_usd[k]):
                row[("unmet", t, k, r, j)] = -1.0
            words.row(row, -demand.requests[t, k, r, j])
        for api in range(self.size["A"]):
            calls = {name(f): 1.0 for f in range(self.size["F"]) if ways.api[f] == api}
            words.row(calls, one.policy.api_rate[t, api])

    def _contingencies(self) -> None:
        """In the design hour, median scenario (the one with half of the probability below it, by demand)."""
        one = self.one
        design = int(np.flatnonzero(np.isnan(one.demand.clock))[0])
        order = np.argsort(one.demand.requests.sum(axis=(0, 1, 2)), kind="stable")
        reached = np.cumsum(one.demand.probability[order])
        median = int(order[np.searchsorted(reached, 0.5 - 1e-9)])
        for lost in one.contingencies:
            for t in np.flatnonzero(lost.periods):
                self._hour(int(t), design, median, lost)

    def _money(self) -> None:
        one, words, size = self.one, self.words, self.size
        stock, ground, demand, policy = one.stock, one.ground, one.demand, one.policy
        for t in range(size["T"]):
            before = self.blocks[t - 1] - ground.block_standing[t - 1] if t else 0
            self.built += float((self.blocks[t] - ground.block_standing[t] - before) @ ground.block_usd[t])
            for h in range(size["H"]):
                words.cost[("option", t, h)] += stock.option_usd[t, h] - stock.usd[t, h]
                for s in range(size["S"]):
                    words.cost[("delivered", t, s, h)] += stock.usd[t, h]
            self.built += sum(ground.open_usd[t, s] for s in range(size["S"]) if self.opened[s] == t)
        for h in range(size["H"]):
            if stock.take[:, h].any():
                words.cost[("untaken", h)] += stock.take_usd[h]
        weight = demand.probability
        for j in range(size["J"]):
            for name, usd in self._running(j).items():
                words.cost[name] += weight[j] * usd
        if policy.aversion > 0:
            self._tail()
        for t in range(size["T"]):
            kg: Row = {}
            for r in range(size["R"]):
                for j in range(size["J"]):
                    for b in range(size["B"]):
                        s = ground.block_site[b]
                        kg[("facility", t, r, j, b, "")] = weight[j] * demand.seconds[t, r] * ground.kg_per_j[t, s, r]
            words.row(kg, policy.carbon_kg[t])

    def _running(self, j: int) -> Row:
        """USD of a scenario by variable, discounted."""
        one, size = self.one, self.size
        ground, demand = one.ground, one.demand
        usd: Row = {}
        for t in range(size["T"]):
            for r in range(size["R"]):
                time = demand.seconds[t, r] * one.discount[t]
                for b in range(size["B"]):
                    s = ground.block_site[b]
                    each = ground.usd_per_j[t, s, r] * demand.power_price[j]
                    each += one.policy.carbon_usd_per_kg * ground.kg_per_j[t, s, r]
                    usd[("facility", t, r, j, b, "")] = time * each
                for k in range(size["K"]):
                    if np.isfinite(demand.unmet_usd[k]):
                        usd[("unmet", t, k, r, j)] = time * demand.unmet_usd[k]
                for f in range(size["F"]):
                    if one.ways.usd[f] > 0:
                        usd[("served", t, r, j, f, "")] = time * one.ways.usd[f]
        return usd

    def _tail(self) -> None:
        """aversion x (eta + sum p_j excess_j / tail); what is built is in every scenario's cost alike."""
        one, words = self.one, self.words
        aversion, tail = one.policy.aversion, one.policy.tail
        beforehand = dict(words.cost)  # before the expected running costs were added it would have been built only
        for name in list(beforehand):
            if name[0] in ("facility", "unmet", "served"):
                del beforehand[name]
        for name, usd in beforehand.items():
            words.cost[name] += aversion * usd
        self.built *= 1.0 + aversion
        words.cost["eta"] += aversion
        for j, share in enumerate(one.demand.probability):
            words.cost[("excess", j)] += aversion * share / tail
            words.row({**self._running(j), "eta": -1.0, ("excess", j): -1.0}, 0.0)
