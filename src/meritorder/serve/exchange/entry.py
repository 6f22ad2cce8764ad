"""`Entry`: a request that was let in, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meritorder.serve.account import Account
from meritorder.serve.ask import Ask, is_token_ids, model_of, parse
from meritorder.serve.books.dispatcher import BLOCK_TOKENS, Hashes
from meritorder.serve.doors.caller import Caller
from meritorder.serve.errors import Refused
from meritorder.serve.exchange.api import Api
from meritorder.serve.exchange.headers import Asked

if TYPE_CHECKING:
    from meritorder.serve.gateway import Gateway

_USUAL = 512  # bytes of a body that are no part of the prompt: names, settings


@dataclass(slots=True)
class Entry:
    """The doors count it as under way and wait for its charge."""

    ask: Ask
    caller: Caller
    service: int  # index in the fleet file
    blocks: Hashes  # of its prompt's text
    output: int  # most tokens that the client wants; 0: it doesn't say
    tokens: int  # that it may take, prompt and output, as far as can be guessed
    text_bytes: int  # that its prompt was estimated from; 0: it came as token ids, or none is processed


def enter(gateway: Gateway, api: Api, body: bytes, asked: Asked, account: Account) -> Entry:
    """Let in a request, and fill its account with what it asks. Raises Refused."""
    gateway.check_origin(asked)
    caller = gateway.doors.enter(asked.key)
    account.caller, account.tenant = caller.id, caller.tenant
    if not asked.json:
        raise Refused(415, "unsupported_media_type", "The body has to be JSON: `content-type: application/json`.")
    ask = parse(body)
    model = account.model = model_of(ask)
    account.stream = bool(ask.stream) and api.generates
    service = account.service = gateway.directory.find(model, ask.service_tier, caller)
    account.tier = gateway.directory.tier(service)
    if not api.backends[service]:
        raise Refused(404, "not_served", f"No backend for this model serves /v1/{api.path}.", param="model")
    if not api.generates:  # nothing is computed for it, so nothing is charged, learned or cached
        gateway.doors.allow(caller, service, 0, model)
        return Entry(ask, caller, service, gateway.dispatcher.blocks(b""), 1, 0, 0)
    text = ask.text
    learned = gateway.learned[service]
    size = len(text)
    beside = len(body) - size
    if beside > _USUAL:  # tools, instructions, documents: they are a part of the prompt, too
        size += beside
    ids = is_token_ids(text)
    if ids:
        prompt = text.count(b",") + 1 + int((size - len(text)) / learned.bytes_per_token)
    else:
        prompt = max(int(size / learned.bytes_per_token), 1)
    account.prompt_tokens = prompt
    blocks = account.blocks = gateway.dispatcher.blocks(text)
    account.block_tokens = BLOCK_TOKENS
    output = ask.most_output
    tokens = prompt + (output or int(learned.output_tokens))
    gateway.doors.allow(caller, service, tokens, model)
    return Entry(ask, caller, service, blocks, output, tokens, 0 if ids else size)
