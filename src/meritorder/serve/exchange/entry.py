"""`Entry`: a request that was let in, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meritorder.serve.account import Account
from meritorder.serve.ask import Ask, count_tokens, is_token_ids, model_of, parse
from meritorder.serve.books.dispatcher import BLOCK_TOKENS
from meritorder.serve.doors.caller import Caller
from meritorder.serve.errors import Refused
from meritorder.serve.exchange.headers import Asked
from meritorder.serve.http.request import Request

if TYPE_CHECKING:
    from meritorder.serve.gateway import Gateway


@dataclass(slots=True)
class Entry:
    """The doors count it as under way and wait for its charge."""

    ask: Ask
    caller: Caller
    service: int  # index in the fleet file
    tokens: int  # that it may take, prompt and output, as far as can be guessed
    text_bytes: int  # of its prompt, in JSON; 0: it came as token ids


def enter(gateway: Gateway, request: Request, asked: Asked, path: str, account: Account) -> Entry:
    """Let in a request to the API at `/v1/` + path, and fill its account with what it asks. Raises Refused."""
    caller = gateway.doors.enter(request)
    account.caller, account.tenant = caller.id, caller.tenant
    if not asked.json:
        raise Refused(415, "unsupported_media_type", "The body has to be JSON: `content-type: application/json`.")
    ask = parse(request.body)
    model = account.model = model_of(ask)
    account.stream = bool(ask.stream)
    service = account.service = gateway.directory.find(model, ask.service_tier, caller)
    account.tier = gateway.directory.tier(service)
    if len(gateway.cannot(path)) == len(gateway.backends):
        raise Refused(404, "not_served", f"No backend here serves /v1/{path}.")
    text = ask.text
    learned = gateway.learned[service]
    account.prompt_tokens = count_tokens(text, learned.bytes_per_token)
    account.blocks = gateway.dispatcher.blocks(text)
    account.block_tokens = BLOCK_TOKENS
    tokens = account.prompt_tokens + (ask.most_output or int(learned.output_tokens))
    gateway.doors.allow(caller, service, tokens, model)
    return Entry(ask, caller, service, tokens, 0 if is_token_ids(text) else len(text))
