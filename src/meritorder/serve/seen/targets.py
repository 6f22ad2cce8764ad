"""Whether a request kept the targets of its service, as the simulator judges it."""

from __future__ import annotations

from meritorder.fleet.schema import Service
from meritorder.serve.account import COUNT_TOKENS, Account


class Targets:
    """What one service promises. Absent targets hold always."""

    __slots__ = ("tpot_s", "ttft_s")

    def __init__(self, service: Service) -> None:
        self.ttft_s = float("inf") if service.slo.ttft is None else service.slo.ttft
        self.tpot_s = float("inf") if service.slo.token_rate is None else 1.0 / service.slo.token_rate

    def judge(self, account: Account) -> bool | None:
        """True: met; False: missed; None: nothing was owed, not the gateway's doing, or left before one was broken.

        Nobody sees the first token of an answer that is not streamed: it is in time when a stream that keeps the
        targets would have ended by then (where one target is absent, what was predicted stands for it).
        """
        outcome = account.outcome
        if account.api == COUNT_TOKENS:
            return None
        if outcome == "ok":
            later = account.output_tokens - 1
            if account.stream:
                if account.first - account.received > self.ttft_s:
                    return False
                return later < 1 or account.ended - account.first <= later * self.tpot_s
            ttft, tpot = self.ttft_s, self.tpot_s
            if ttft > 1e300:
                if tpot > 1e300:
                    return True
                ttft = account.predicted_ttft_s
            elif tpot > 1e300:
                tpot = account.predicted_tpot_s
            return account.ended - account.received <= ttft + max(later, 0) * tpot
        if outcome == "cancelled":
            return False if (account.first or account.ended) - account.received > self.ttft_s else None
        if outcome == "refused" and account.status not in (429, 503, 504):
            return None  # a wrong key, a bad request, found by the gateway or the backend: no service was owed
        return False
