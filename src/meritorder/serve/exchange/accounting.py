"""What attempts were worth: tokens, energy, money and carbon into the account; observations to dispatch, backends."""

from __future__ import annotations

import orjson

from meritorder.serve.account import Account
from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.kinds.kind import Kind
from meritorder.serve.books.dispatcher import Dispatcher
from meritorder.serve.exchange.attempt import Attempt
from meritorder.serve.exchange.learned import Learned
from meritorder.serve.exchange.usage import Usage

_no_timings = Kind.timings  # of kinds whose answers have none


def count(account: Account, usage: Usage | None, text_bytes: int, learned: Learned) -> None:
    """Tokens as the backend counted them. `text_bytes` of the prompt, 0 where it came as token ids."""
    if usage is None:
        return
    if usage.prompt:
        account.prompt_tokens = usage.prompt
        if text_bytes:
            learned.prompt(text_bytes, usage.prompt)
    if usage.output:
        account.output_tokens = usage.output
        learned.output(usage.output)
    if usage.cached is not None:
        account.cached_tokens = usage.cached


def read_timings(account: Account, backend: Backend, final: bytes) -> None:
    """What the backend says of its own times, in its answer or in a stream's last chunk."""
    if backend.kind.timings is _no_timings:
        return
    try:
        said = orjson.loads(final)
    except orjson.JSONDecodeError:
        return
    timings = backend.kind.timings(said) if isinstance(said, dict) else None
    if timings is not None:
        backend.timed(timings)
        if timings.cached_tokens is not None:
            account.cached_tokens = timings.cached_tokens


def settle(dispatcher: Dispatcher, account: Account, attempt: Attempt, output: int) -> None:
    """Take an attempt with `output` tokens of its own out of the books, and add what it used to the account."""
    ticket = attempt.ticket
    dispatcher.ended(ticket, output)
    if attempt.first:
        prompt = account.prompt_tokens + attempt.prior
        cached = min(account.cached_tokens, prompt)
        energy_j, usd, kg = dispatcher.cost(ticket, prompt, cached, output)
        account.energy_j += energy_j
        account.usd += usd
        account.kg += kg


def observe(dispatcher: Dispatcher, attempt: Attempt, output: int) -> None:
    """Tell dispatch how long a sound answer took, against what it predicted."""
    ticket = attempt.ticket
    took_s = attempt.first - attempt.sent
    if attempt.reader is not None:
        dispatcher.observe(ticket, took_s, (attempt.last - attempt.first) / (output - 1) if output > 1 else 0.0)
        return
    # Of an answer in one piece only the whole time is known: it counts as if both parts were off by the same factor.
    predicted_s = ticket.ttft_s + max(output - 1, 0) * ticket.tpot_s
    if predicted_s > 0:
        factor = took_s / predicted_s
        dispatcher.observe(ticket, factor * ticket.ttft_s, factor * ticket.tpot_s if output > 1 else 0.0)
