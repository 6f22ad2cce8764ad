"""`Doors`: lets requests in by their API key and counts what each key uses.

Asked for every request, so nothing here waits for the database: keys and what was spent are copies in memory that
`run` renews, and charges are collected until it writes them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError
from meritorder.serve.doors.calendar import day_of, period_ends
from meritorder.serve.doors.caller import ANYONE, Caller
from meritorder.serve.doors.store import Charge, Key, News, Seen, Store
from meritorder.serve.doors.tally import Tally
from meritorder.serve.errors import Refused

SYNC_S = 2.0  # how old the copy of keys and spending may be; charges younger than this are lost with a killed worker
SHARE_S = 0.1  # likewise what the other workers counted against rate limits

log = logging.getLogger(__name__)


class Doors:
    """One worker's. `clock` gives seconds and is the same for all workers of a machine (`loop.time`).

    Without a `tally` a key's limits per minute hold for this worker alone. Budgets hold over everything that shares
    the database, to within what is under way and what was charged in the last seconds.
    """

    def __init__(
        self, fleet: Fleet, store: Store | None, *, clock: Callable[[], float], tally: Tally | None = None
    ) -> None:
        self._closed = fleet.gateway.keys == "required"
        self._services = tuple(fleet.services)
        self._store = store if self._closed else None
        self._clock = clock
        self._tally = tally
        self._by_digest: dict[bytes, Caller] = {}
        self._expiries: list[tuple[float, bytes]] = []  # Unix time from which a digest opens nothing
        self._by_number: dict[int, Caller] = {}
        self._seen = Seen()
        self._known = not self._closed  # the keys were read at least once
        self._charged: set[Caller] = set()  # have charges that are not written yet
        self._limited: set[Caller] = set()  # were counted against a limit per minute lately
        self._down = False

    def enter(self, shown: bytes | None) -> Caller:
        """Whose request it is, by the `shown_digest` of its headers.

        Raises Refused: 401 for a key that is missing, unknown, revoked or past its time.
        """
        if not self._closed:
            return ANYONE
        if shown is None:
            raise Refused(401, "missing_api_key", "Give your API key in the header `Authorization: Bearer KEY`.")
        caller = self._by_digest.get(shown)
        if caller is None:
            raise self._stranger()
        return caller

    def allow(self, caller: Caller, service: int, tokens: int, model: str) -> None:
        """Let a request for `service` (its index) pass that may take `tokens`, prompt and output together.

        Raises Refused: 403 where the key is not for this, 429 over a rate limit, 402 where a budget is spent. A
        request that is let pass must be charged exactly once, whatever becomes of it.
        """
        if caller is ANYONE:
            return
        if caller.services is not None and self._services[service] not in caller.services:
            raise Refused(403, "service_not_allowed", f"This API key may not use {self._services[service]}.")
        if caller.models is not None and model not in caller.models:
            raise Refused(403, "model_not_allowed", "This API key may not use this model.", param="model")
        if caller.period:
            self._check_budget(caller)
        if not caller.rpm and not caller.tpm:
            return
        now = self._clock()
        for_request = caller.requests.wait(now, 1.0, caller.rpm) if caller.rpm else 0.0
        for_tokens = caller.tokens.wait(now, tokens, caller.tpm) if caller.tpm else 0.0
        if for_request or for_tokens:
            raise _too_fast(caller, for_request, for_tokens)
        caller.requests.add(now, 1.0)
        if caller.tpm:
            caller.tokens.add(now, tokens)
            caller.open_requests += 1
            caller.open_tokens += tokens
        self._limited.add(caller)

    def charge(self, caller: Caller, prompt: int, output: int, usd: float) -> None:
        """A request that was let pass has ended, having used so many tokens and USD."""
        if caller is ANYONE:
            return
        caller.new_requests += 1
        caller.new_prompt += prompt
        caller.new_output += output
        caller.new_usd += usd
        self._charged.add(caller)
        if caller.open_requests:
            # Which estimate was this request's is not known here; the mean comes to the same once all have ended.
            expected = caller.open_tokens // caller.open_requests
            caller.open_requests -= 1
            caller.open_tokens -= expected
            caller.tokens.add(self._clock(), prompt + output - expected)

    async def run(self) -> None:
        """Renew the keys and write the charges every few seconds, until cancelled. Never raises for the database."""
        if self._store is None:
            return
        while True:
            await self.sync()
            for _ in range(round(SYNC_S / SHARE_S)):
                self._share()
                await asyncio.sleep(SHARE_S)

    async def sync(self) -> None:
        """Once now: before the first request, so that the keys are known, and after the last, so that it is charged."""
        if self._store is None:
            return
        charges = [_charge_of(caller) for caller in self._charged]
        callers = list(self._charged)
        try:
            news = await asyncio.to_thread(self._store.sync, charges, self._seen)
        except InputError as error:  # the charges stay with their callers for the next time
            if not self._down:
                log.warning("keys and budgets: %s; known keys go on, charges are kept", error)
            self._down = True
        else:
            if self._down:
                log.warning("keys and budgets: the database is back")
            self._down = False
            for caller, charge in zip(callers, charges, strict=True):
                self._written(caller, charge)
            self._learn(news)
        self._forget_expired()

    def _check_budget(self, caller: Caller) -> None:
        tokens = caller.spent_tokens + caller.new_prompt + caller.new_output
        if caller.budget_tokens and tokens >= caller.budget_tokens:
            raise _spent(caller, f"{caller.budget_tokens:,} tokens")
        if caller.budget_usd and caller.spent_usd + caller.new_usd >= caller.budget_usd:
            raise _spent(caller, f"{caller.budget_usd:,.2f} USD")

    def _stranger(self) -> Refused:
        if self._known:
            return Refused(401, "invalid_api_key", "This API key is not known, or no longer valid.")
        return Refused(503, "keys_not_read", "API keys can't be checked yet.", retry_after_s=SYNC_S)

    def _written(self, caller: Caller, charge: Charge) -> None:
        """A charge is in the database now."""
        caller.new_requests -= charge.requests
        caller.new_prompt -= charge.prompt_tokens
        caller.new_output -= charge.output_tokens
        caller.spent_tokens += charge.prompt_tokens + charge.output_tokens
        caller.spent_usd += charge.usd
        if caller.new_requests:
            caller.new_usd -= charge.usd
        else:
            caller.new_usd = 0.0
            self._charged.discard(caller)

    def _learn(self, news: News) -> None:
        if news.keys is not None:
            self._take(news.keys)
        if news.all_spending:
            for caller in self._by_number.values():
                caller.spent_tokens, caller.spent_usd = 0, 0.0
        for spending in news.spending:
            if spending.number in self._by_number:
                caller = self._by_number[spending.number]
                caller.spent_tokens, caller.spent_usd = spending.tokens, spending.usd
        self._seen = news.seen
        self._known = True

    def _take(self, keys: tuple[Key, ...]) -> None:
        """These keys are valid now, and no others."""
        callers: dict[int, Caller] = {}
        by_digest: dict[bytes, Caller] = {}
        expiries: list[tuple[float, bytes]] = []
        for key in keys:
            caller = self._by_number.get(key.number) or Caller(key.number, key.id)
            _describe(caller, key)
            callers[key.number] = caller
            for secret in key.digests:
                by_digest[secret.digest] = caller
                expiries.append((secret.expires, secret.digest))
        self._by_number, self._by_digest = callers, by_digest
        self._expiries = sorted(expiries, reverse=True)

    def _forget_expired(self) -> None:
        now = time.time()
        while self._expiries and self._expiries[-1][0] <= now:
            self._by_digest.pop(self._expiries.pop()[1], None)

    def _share(self) -> None:
        """Tell the other workers what was counted here, and hear what they counted."""
        if self._tally is not None and self._limited:
            now = self._clock()
            self._tally.share(list(self._limited), now)
            self._limited = {caller for caller in self._limited if caller.requests.now or caller.requests.before}


def _describe(caller: Caller, key: Key) -> None:
    caller.name, caller.tenant, caller.weight = key.name, key.tenant, key.weight
    caller.services = frozenset(key.services) if key.services else None
    caller.models = frozenset(key.models) if key.models else None
    caller.rpm, caller.tpm = key.rpm, key.tpm
    caller.budget_tokens, caller.budget_usd = key.budget_tokens, key.budget_usd
    caller.period = key.budget_period if key.budget_tokens or key.budget_usd else ""


def _charge_of(caller: Caller) -> Charge:
    return Charge(caller.number, caller.new_requests, caller.new_prompt, caller.new_output, caller.new_usd)


def _too_fast(caller: Caller, for_request: float, for_tokens: float) -> Refused:
    limit = f"{caller.rpm:,} requests" if for_request >= for_tokens else f"{caller.tpm:,} tokens"
    what = f"This API key may use {limit} a minute."
    return Refused(429, "rate_limit_exceeded", what, retry_after_s=max(for_request, for_tokens))


def _spent(caller: Caller, budget: str) -> Refused:
    what = f"The budget of this API key is spent: {budget}"
    if caller.period == "ever":
        return Refused(402, "insufficient_quota", f"{what}.")
    left = period_ends(caller.period, day_of(time.time())) - time.time()
    return Refused(402, "insufficient_quota", f"{what} a {caller.period}.", retry_after_s=max(1.0, left))
