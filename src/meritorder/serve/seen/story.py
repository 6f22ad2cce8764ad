"""One request that ended, in words and plain numbers: the line of the log, the entry of the list of recent requests."""

from __future__ import annotations

from collections import deque
from typing import Any

from meritorder.dispatch.reasons import REASONS
from meritorder.fleet.schema import Fleet
from meritorder.serve.account import Account


class Stories:
    """Tells them with the names of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        # the last of each is for index -1: none
        self._services = (*fleet.services, "")
        self._pools = (*fleet.pools, "")
        self._replicas = (*(f"{name}/{i}" for name, pool in fleet.pools.items() for i in range(pool.replicas)), "")

    def tell(self, account: Account) -> dict[str, Any]:
        """Where it went and why, what was predicted and what came of it. Seconds, None where it didn't come to that.

        `time` is when it arrived (Unix); `ttft_s` counts from sending, as its prediction does.
        """
        received, placed, first, ended = account.received, account.placed, account.first, account.ended
        output = account.output_tokens
        streamed = account.stream and first
        return {
            "time": int(account.wall * 1e6) / 1e6,
            "id": account.request_id,
            "caller": account.caller,
            "tenant": account.tenant,
            "service": self._services[account.service],
            "model": account.model,
            "api": account.api,
            "tier": account.tier,
            "stream": account.stream,
            "pool": self._pools[account.pool],
            "replica": self._replicas[account.replica],
            "reason": REASONS[account.reason],
            "status": account.status,
            "outcome": account.outcome,
            "why": account.why,
            "prompt_tokens": account.prompt_tokens,
            "cached_tokens": account.cached_tokens,
            "output_tokens": output,
            "wait_s": int(((placed or ended) - received) * 1e6) / 1e6,
            "ttft_s": int((first - placed) * 1e6) / 1e6 if streamed else None,
            "predicted_ttft_s": int(account.predicted_ttft_s * 1e6) / 1e6 if placed else None,
            "tpot_s": int((ended - first) / (output - 1) * 1e6) / 1e6 if streamed and output > 1 else None,
            "predicted_tpot_s": int(account.predicted_tpot_s * 1e6) / 1e6 if placed else None,
            "e2e_s": int((ended - received) * 1e6) / 1e6,
            "retries": account.retries,
            "continued": account.continued,
            "hedged": account.hedged,
            "joules": account.energy_j,
            "usd": account.usd,
            "kg": account.kg,
        }


class Recent:
    """A watcher that keeps the last `most` requests."""

    def __init__(self, fleet: Fleet, most: int = 100) -> None:
        self._stories = Stories(fleet)
        self._kept: deque[Account] = deque(maxlen=most)

    def __call__(self, account: Account) -> None:
        """Keep a request that has ended."""
        self._kept.append(account)

    def requests(self) -> list[dict[str, Any]]:
        """Their stories, the latest first."""
        return [self._stories.tell(account) for account in reversed(self._kept)]
