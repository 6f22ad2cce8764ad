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
    prompt, output, cached = usage.prompt, usage.output, usage.cached
    if prompt:
        account.prompt_tokens = prompt
        if text_bytes:
            learned.prompt(text_bytes, prompt)
    if output:
        account.output_tokens = output
        learned.output(output)
    if cached is not None:
        account.cached_tokens = cached


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


def settle(dispatcher: Dispatcher, account: Account, attempt: Attempt, output: int, *, sound: bool) -> None:
    """Take an attempt with `output` tokens of its own out of the books, and add what it used to the account.

    Of a `sound` answer dispatch learns how long it took, against what it predicted.
    """
    ticket = attempt.ticket
    if not attempt.first:
        dispatcher.ended(ticket, output)
        return
    ttft_s = tpot_s = 0.0
    if sound:
        ttft_s = attempt.first - attempt.sent
        if attempt.reader is not None:
            if output > 1:
                tpot_s = (attempt.last - attempt.first) / (output - 1)
        else:
            # Of an answer in one piece only the whole time is known: both parts count as off by the same factor.
            later = output - 1 if output > 1 else 0
            predicted_s = ticket.ttft_s + later * ticket.tpot_s
            factor = ttft_s / predicted_s if predicted_s > 0.0 else 0.0
            ttft_s = factor * ticket.ttft_s
            if later:
                tpot_s = factor * ticket.tpot_s
    prompt = account.prompt_tokens + attempt.prior
    cached = account.cached_tokens
    energy_j, usd, kg = dispatcher.ended(ticket, output, prompt, min(cached, prompt), ttft_s, tpot_s)
    account.energy_j += energy_j
    account.usd += usd
    account.kg += kg
