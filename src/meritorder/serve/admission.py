"""`Admission`: the requests of a worker that found no place, who is next, and who has to go when there are too many."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import islice
from math import exp
from typing import Protocol, TypeAlias

from meritorder.fleet.schema import Fleet, Service
from meritorder.serve.errors import Refused

MEMORY_S = 10.0  # how far back the drain rate of a queue is measured
LEAST_RETRY_S = 1.0
MOST_RETRY_S = 600.0
# How many that find no place are looked past where there is room for others: in one line, and of one tenant in it.
LOOKS, OWN_LOOKS = 8, 4
TICK_FACTOR = 32  # at a tick so many times as many


class Waiter(Protocol):
    """A request that waits."""

    service: int
    tenant: str
    tokens: float  # it may take, prompt and output, divided by its tenant's weight

    def start(self) -> bool:
        """Try to place it. False: still full; True: it waits no more, because it was placed or answered."""

    def refuse(self, error: Refused) -> None:
        """Answer it with this; it is no longer in any queue."""


class Admission:
    """Strict priority between services that share pools, fairness by tokens between the tenants of one.

    A service's request is refused when more than `live.queue.most` wait of its own service and of more important ones
    that want the same pools, or when it waited for `live.queue.time`. So under overload the least important go first.
    Requests that had been let in before, and wait for another replica, go before all others and are never refused.
    `clock`: seconds, as `tick` gets them. `room`: whether a service has a place for any request at all.
    """

    def __init__(self, fleet: Fleet, *, clock: Callable[[], float], room: Callable[[int], bool]) -> None:
        services = list(fleet.services.values())
        pools = [_pools(fleet, service) for service in services]
        self._clock = clock
        self._room = room
        self._lines = [_Line(service) for service in services]
        for line, wanted in zip(self._lines, pools, strict=True):
            rivals = [
                other for other, its in zip(self._lines, pools, strict=True) if wanted & its and other is not line
            ]
            line.over = [line, *(other for other in rivals if other.priority < line.priority)]
            line.before = [line, *(other for other in rivals if other.priority <= line.priority)]
            line.under = [other for other in rivals if other.priority > line.priority]
            line.under.sort(key=lambda other: -other.priority)
        classes = sorted({line.priority for line in self._lines})
        self._classes = [deque(line for line in self._lines if line.priority == priority) for priority in classes]
        self._by_class = sorted(self._lines, key=lambda line: line.priority)
        self._waiting = 0
        self._pumping = False

    def wait(self, waiter: Waiter, *, first: bool = False) -> None:
        """Put it into its queue; it, or one that matters less, may be refused before this returns.

        `first`: it had been let in before. It goes to the front, and waits until it is placed or leaves.
        """
        line = self._lines[waiter.service]
        self._waiting += 1
        if first:
            line.again[waiter] = None
            return
        line.add(waiter, self._clock())
        if not self._pumping:  # otherwise one of them is just being started: `pump` sees to it at its end
            self._shed(line)

    def leave(self, waiter: Waiter) -> None:
        """Its client went away. Nothing happens where it does not wait."""
        if self._lines[waiter.service].remove(waiter, self._clock()):
            self._waiting -= 1

    def pump(self) -> None:
        """Room may have come: let in who is next, for as long as they find a place."""
        self._pump(1)

    def _pump(self, factor: int) -> None:
        """The same; `factor`: of how many that find no place are looked past."""
        if not self._waiting or self._pumping:
            return
        self._pumping = True
        came = self._waiting
        try:
            for line in self._by_class:
                if line.again:
                    self._let_in_again(line, LOOKS * factor)
            for lines in self._classes:
                lines.rotate()  # services of one class take turns at being first
                trying = [line for line in lines if line.waiters]
                for line in trying:
                    line.look(LOOKS * factor, OWN_LOOKS * factor)
                while trying:
                    trying = [line for line in trying if self._let_in(line)]
        finally:
            self._pumping = False
            for line in self._lines:
                line.looked()
        if self._waiting > came:
            for line in self._lines:
                self._shed(line)

    def tick(self, now: float) -> None:
        """Refuse those who waited too long, and pump: room also comes from elsewhere."""
        if not self._waiting:
            return
        for line in self._lines:
            while line.waiters:
                waiter, since = next(iter(line.waiters.items()))
                if now - since < line.time_s:
                    break
                self._refuse(line, waiter)
        self._pump(TICK_FACTOR)

    def ahead(self, service: int) -> int:
        """How many wait that a new request of this service must not overtake. If any: `wait` and `pump`."""
        return sum(map(len, self._lines[service].before)) if self._waiting else 0

    def waiting(self, service: int) -> int:
        """How many requests of this service wait."""
        return len(self._lines[service])

    def _let_in(self, line: _Line) -> bool:
        """Let in the next in this line that finds a place, and say whether another one may try."""
        while (waiter := line.take()) is not None:
            if waiter.start():
                now = self._clock()
                if line.remove(waiter, now):
                    self._waiting -= 1
                line.started(waiter, now)
                return bool(line.waiters)
            if not self._room(waiter.service):
                break  # nobody else finds one either
        return False

    def _let_in_again(self, line: _Line, looks: int) -> None:
        """Let in those that had been let in before, as far as they find a place."""
        for waiter in list(islice(line.again, looks)):
            if waiter in line.again and waiter.start() and line.remove(waiter, self._clock()):
                self._waiting -= 1

    def _shed(self, line: _Line) -> None:
        """Refuse as many as are too many in this line, and in those that matter less."""
        for crowded in (line, *line.under):
            while crowded.waiters and sum(len(other.waiters) for other in crowded.over) > crowded.most:
                self._refuse(crowded, crowded.least_entitled())

    def _refuse(self, line: _Line, waiter: Waiter) -> None:
        now = self._clock()
        retry_after_s = line.drains_in(now)
        line.remove(waiter, now)
        self._waiting -= 1
        what = "All replicas are busy, or held back by a limit; try again later."
        waiter.refuse(Refused(429, "overloaded", what, retry_after_s=retry_after_s))


# A tenant's turn: point on the scale of tokens, order of coming, tenant.
_Turn: TypeAlias = tuple[float, int, str]


class _Line:
    """The queue of one service: one line per tenant; the tenant that has had the fewest tokens is next.

    A tenant's turn comes at a point on a scale of tokens served (start-time fair queueing): where its last request
    ended, or where the line is now if that lies further, so that nobody saves up turns by staying away.
    """

    def __init__(self, service: Service) -> None:
        self.priority = service.priority
        self.most = service.live.queue.most
        self.time_s = service.live.queue.time
        self.waiters: OrderedDict[Waiter, float] = OrderedDict()  # since when, oldest first
        self.again: OrderedDict[Waiter, None] = OrderedDict()  # others, which had been let in before
        self.over: list[_Line] = []  # itself and the more important ones that want its pools
        self.before: list[_Line] = []  # likewise, with those of the same importance
        self.under: list[_Line] = []  # less important ones that want its pools, the least important first
        self._tenants: dict[str, OrderedDict[Waiter, None]] = {}
        self._turns: list[_Turn] = []  # heap, one of each tenant, but for the following
        self._turn: _Turn | None = None  # of whoever was taken last
        self._aside: list[_Turn] = []  # of tenants of whom enough was looked at in this pump
        self._past: dict[str, int] = {}  # of each tenant, how many found no place in this pump
        self._looks = self._own_looks = 0  # how many more may find none
        self._ends: dict[str, float] = {}  # where each tenant's last request ended
        self._point = 0.0
        self._came = 0
        # How fast it drains, counted only while somebody waits.
        self._started = 0.0  # let in lately, forgotten exponentially
        self._counted = 0.0  # when `_started` was true
        self._since = 0.0  # when counting began
        self._emptied = 0.0

    def __len__(self) -> int:
        return len(self.waiters) + len(self.again)

    def add(self, waiter: Waiter, now: float) -> None:
        """Put it at the end of its tenant's line."""
        if not self.waiters:  # the time in which nobody waited does not count
            self._counted += now - self._emptied
            self._since += now - self._emptied
        self.waiters[waiter] = now
        tenant = self._tenants.get(waiter.tenant)
        if tenant is None:
            tenant = self._tenants[waiter.tenant] = OrderedDict()
            point = max(self._point, self._ends.get(waiter.tenant, 0.0))
            self._came += 1
            heappush(self._turns, (point, self._came, waiter.tenant))
        tenant[waiter] = None

    def look(self, looks: int, own_looks: int) -> None:
        """A pump begins: look past so many that find no place, of one tenant past `own_looks`."""
        self._looks, self._own_looks = looks, own_looks

    def looked(self) -> None:
        """It has ended: turns that were not used come again."""
        self._put_back()
        for turn in self._aside:
            heappush(self._turns, turn)
        self._aside.clear()
        self._past.clear()

    def _put_back(self) -> None:
        """The turn was not used."""
        if self._turn is not None:
            heappush(self._turns, self._turn)
            self._turn = None

    def take(self) -> Waiter | None:
        """Who is next of those not yet looked at in this pump; None: nobody, or enough have found no place."""
        self._put_back()
        if self._looks <= 0:
            return None
        self._looks -= 1
        while self._turns:
            turn = heappop(self._turns)
            name = turn[2]
            tenant, past = self._tenants[name], self._past.get(name, 0)
            if past < min(len(tenant), self._own_looks):
                self._turn = turn
                self._past[name] = past + 1
                return next(islice(tenant, past, None))
            if tenant:
                self._aside.append(turn)
            else:
                del self._tenants[name]  # all of its requests have left
        return None

    def started(self, waiter: Waiter, now: float) -> None:
        """Who was taken has used its tenant's turn; the next one comes later by as many tokens as it has."""
        assert self._turn is not None
        point, _, name = self._turn
        self._turn = None
        self._looks += 1
        self._past[name] -= 1
        self._point = max(self._point, point)
        end = self._ends[name] = point + waiter.tokens
        if self._tenants[name]:
            self._came += 1
            heappush(self._turns, (end, self._came, name))
        else:
            del self._tenants[name]
        if len(self._ends) > 2 * len(self._tenants) + 1000:  # ends that lie behind say nothing
            self._ends = {name: end for name, end in self._ends.items() if end > self._point}
        self._started = self._lately(now) + 1.0
        self._counted = now

    def least_entitled(self) -> Waiter:
        """Who goes first where there are too many: the newest of the tenant of whom most wait."""
        tenant = max(self._tenants, key=lambda name: len(self._tenants[name]))
        return next(reversed(self._tenants[tenant]))

    def remove(self, waiter: Waiter, now: float) -> bool:
        """Take it out of the line; False where it was not in it."""
        if waiter in self.again:
            del self.again[waiter]
            return True
        if self.waiters.pop(waiter, None) is None:
            return False
        del self._tenants[waiter.tenant][waiter]
        if not self.waiters:
            self._emptied = now
        return True

    def drains_in(self, now: float) -> float:
        """Seconds until all that wait here, and those that go before them, are let in, if it goes on as lately."""
        lines = [line for line in self.before if line.waiters]
        waiting, rate = sum(len(line.waiters) for line in lines), sum(line._rate(now) for line in lines)
        return min(MOST_RETRY_S, max(LEAST_RETRY_S, waiting / rate if rate else self.time_s))

    def _lately(self, now: float) -> float:
        return self._started * exp((self._counted - now) / MEMORY_S)

    def _rate(self, now: float) -> float:
        """Requests a second that were let in lately."""
        remembered = 1.0 - exp(-max(1.0, now - self._since) / MEMORY_S)  # in the beginning there is less to remember
        return self._lately(now) / (MEMORY_S * remembered)


def _pools(fleet: Fleet, service: Service) -> set[str]:
    return {name for name in service.pools or fleet.pools if fleet.pools[name].model == service.model}
