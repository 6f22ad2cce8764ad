"""`Caller`: who asks, what they may have, and what they have used."""

from __future__ import annotations

from meritorder.serve.doors.window import Window


class Caller:
    """A key as one worker knows it. The object stays the same as long as the key lives; limits change in place."""

    __slots__ = (
        "budget_tokens",
        "budget_usd",
        "id",
        "models",
        "name",
        "new_output",
        "new_prompt",
        "new_requests",
        "new_usd",
        "number",
        "open_requests",
        "open_tokens",
        "period",
        "requests",
        "rpm",
        "services",
        "spent_tokens",
        "spent_usd",
        "tenant",
        "tokens",
        "tpm",
        "weight",
    )

    def __init__(self, number: int, id: str) -> None:
        self.number = number  # of the key in the database; 0: nobody in particular
        self.id = id  # of the key, not secret
        self.name = ""
        self.tenant = ""  # keys of one tenant share its turn in queues
        self.weight = 1.0  # tenant's part when it has to wait beside others
        self.services: frozenset[str] | None = None  # names of services it may use; None: all
        self.models: frozenset[str] | None = None  # values of `model` it may write; None: all
        self.rpm = 0  # most requests in a minute; 0: no limit
        self.tpm = 0  # most tokens in a minute; 0: no limit
        self.requests = Window()
        self.tokens = Window()
        self.open_requests = 0  # let in and not yet charged; counted where there is a tpm
        self.open_tokens = 0  # what they were expected to take, together
        self.budget_tokens = 0  # of a period; 0: no limit
        self.budget_usd = 0.0
        self.period = ""  # "day", "month" (UTC) or "ever"
        self.spent_tokens = 0  # in this period, by all workers, as the database last said
        self.spent_usd = 0.0
        self.new_requests = 0  # charged here and not yet in the database
        self.new_prompt = 0
        self.new_output = 0
        self.new_usd = 0.0

    def __repr__(self) -> str:
        return f"Caller({self.id!r})"


ANYONE = Caller(0, "")  # where no keys are asked for
