"""`Exchange`: one request's life, from the door to its account.

    enter -> parse -> find its service -> allow -> (wait) -> place -> send -> forward -> end

Before the first byte of the answer a failed attempt is repeated on another backend. After it a broken stream is taken
up by another one where the API allows that, and otherwise ends in an error event that nobody can take for an end.
There is no task and no timer per request: everything happens in callbacks, and `look` is called when its time has come.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from meritorder.serve.account import Account, Outcome
from meritorder.serve.ask import Ask, count_tokens, is_token_ids, model_of, parse, with_model
from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.kinds.kind import CHAT, COMPLETIONS, MESSAGES
from meritorder.serve.books.dispatcher import BLOCK_TOKENS, NoPlace, Ticket
from meritorder.serve.doors.caller import ANYONE, Caller
from meritorder.serve.errors import Refused
from meritorder.serve.exchange import hedge
from meritorder.serve.exchange.answer import (
    error_event,
    explanation,
    headers_for_backend,
    queue_threshold,
    refusal,
    with_tier,
)
from meritorder.serve.exchange.attempt import Attempt
from meritorder.serve.exchange.continuation import Continued, can_continue, continuing_body
from meritorder.serve.exchange.stream import OPENAI, TYPED, Reader, Told
from meritorder.serve.exchange.usage import Usage, Whole
from meritorder.serve.http.answer import Answer
from meritorder.serve.http.request import Request

if TYPE_CHECKING:
    from meritorder.serve.gateway import Gateway

_DONE = b"data: [DONE]\n\n"
_NOTHING = Ask()


class Exchange:
    """One request to one of the APIs at `/v1/` + path, and a `Waiter` while it waits. `end` is called exactly once."""

    __slots__ = (
        "_allowed", "_answer", "_ask", "_attempts", "_avoid", "_busy", "_caller", "_expires", "_froze",
        "_gateway", "_hedge_at", "_kept", "_never", "_over", "_path", "_request", "_slow", "_told", "_tries",
        "_waits", "_why",
        "account", "deadlines", "dispatcher", "due", "now", "prompt_is_text", "service", "stream", "tenant", "tokens",
    )  # fmt: skip

    def __init__(self, gateway: Gateway, request: Request, answer: Answer, path: str, account: Account) -> None:
        self.account = account
        self.now = gateway.now
        self.dispatcher = gateway.dispatcher
        self.deadlines = gateway.no_deadlines
        self.due = math.inf  # `look` is not needed before
        self.service = -1
        self.stream = False
        self.tenant = ""
        self.tokens = 0.0
        self.prompt_is_text = False
        self._gateway = gateway
        self._request = request
        self._answer = answer
        self._path = path
        self._ask = _NOTHING
        self._caller: Caller = ANYONE
        self._allowed = False  # the doors wait for its charge
        self._attempts: list[Attempt] = []  # under way; two where it is hedged
        self._avoid: list[int] = []  # replicas that failed it, and those of `_never`
        self._never: list[int] = []  # replicas that are no use for it, or said nothing
        self._froze = False  # one has
        self._tries = gateway.fleet.gateway.retries  # further attempts that it may have
        self._waits = False  # in a queue
        self._slow = False  # the client reads too slowly
        self._told = Told(plain=False)
        self._hedge_at = math.inf
        self._expires = math.inf
        self._why = ""  # the last failure
        self._busy: float | None = None  # a backend had no time: seconds to its Retry-After; None: none has said so
        self._kept: tuple[Attempt, bytes] | None = None  # an answer (404) that the client gets if there is no better
        self._over = False

    # before it is placed

    def begin(self) -> None:
        """Let it in. Raises Refused."""
        gateway, request, account = self._gateway, self._request, self.account
        caller = self._caller = gateway.doors.enter(request)
        account.caller, account.tenant = caller.id, caller.tenant
        kind = request.header(b"content-type")
        if kind is not None and b"json" not in kind.lower():
            raise Refused(415, "unsupported_media_type", "The body has to be JSON: `content-type: application/json`.")
        ask = self._ask = parse(request.body)
        model = account.model = model_of(ask)
        self.stream = account.stream = bool(ask.stream)
        self._told = self._nothing_told()
        service = self.service = account.service = gateway.directory.find(model, ask.service_tier, caller)
        account.tier = gateway.directory.tier(service)
        text = ask.text
        learned = gateway.learned[service]
        account.prompt_tokens = count_tokens(text, learned.bytes_per_token)
        self.prompt_is_text = not is_token_ids(text)
        account.blocks = self.dispatcher.blocks(text)  # type: ignore[assignment]  # an array is as good as a sequence
        account.block_tokens = BLOCK_TOKENS
        expected = account.prompt_tokens + (ask.most_output or int(learned.output_tokens))
        gateway.doors.allow(caller, service, expected, model)
        self._allowed = True
        self.tenant, self.tokens = caller.tenant, expected / caller.weight
        live = gateway.live[service]
        self.deadlines = live.deadlines
        self.due = self._expires = request.received + live.deadlines.answer
        self._never = list(gateway.cannot(self._path))
        self._avoid = list(self._never)
        if len(self._never) == len(gateway.backends):
            raise Refused(404, "not_served", f"No backend here serves /v1/{self._path}.")
        if live.hedging > 0:
            gateway.hedges[service].asked(self.now())
        self._answer.on_gone = self._gone
        self._answer.on_slow = self._slowed
        self._place()

    def start(self) -> bool:
        """Try to place it. False: everything that could take it is full."""
        place = self._choose()
        if place is NoPlace.FULL:
            return False
        self._waits = False
        if isinstance(place, Ticket):
            self._send(place)
        elif place is NoPlace.SHED:
            self.refuse(Refused(429, "overloaded", "No replica can serve this well enough now.", retry_after_s=1.0))
        else:
            self._give_up()
        return True

    def refuse(self, error: Refused) -> None:
        """Answer with an error of the gateway's own."""
        if self._over:
            return
        self._waits = False
        if self._answer.started:
            self._break_off(error)
            return
        self.account.status = error.status
        headers = refusal(error, self.account.request_id, anthropic=self._path == MESSAGES)
        self._answer.send(*headers)
        self._end("failed" if self.account.placed else "refused", self._why or error.message)

    def _place(self) -> None:
        admission = self._gateway.admission
        behind = admission.ahead(self.service) > 0
        if not behind and self.start():
            return
        self._waits = True
        admission.wait(self)
        if behind:
            admission.pump()  # those ahead may want other replicas

    def _choose(self) -> Ticket | NoPlace:
        account, place = self.account, self.dispatcher.place
        prompt = account.prompt_tokens + self._told.tokens
        output = self._ask.most_output
        if output:
            output = max(output - self._told.tokens, 1)
        found = place(self.service, prompt, output, account.blocks, self._avoid)
        if found is NoPlace.DOWN and len(self._never) < len(self._avoid):
            # Nobody else is left: rather ask one again that failed than none, if it did not just say nothing.
            found = place(self.service, prompt, output, account.blocks, self._never)
        return found

    # to a backend

    def _send(self, ticket: Ticket, *, hedging: bool = False) -> None:
        gateway, account, now = self._gateway, self.account, self.now()
        backend = gateway.backends[ticket.replica]
        if not account.placed:
            account.placed = now
        attempt = Attempt(self, backend, ticket, now, self._told.tokens)
        self._attempts.append(attempt)
        if not hedging:
            self._credit(attempt)
            if gateway.live[self.service].hedging > 0 and self.stream and not self._answer.started:
                self._hedge_at = now + max(hedge.LATE * ticket.ttft_s, hedge.LEAST_S)
        self.due = min(self.due, attempt.due(), self._hedge_at)
        query = self._request.query
        headers = headers_for_backend(self._request.headers, account.request_id) + backend.headers
        headers += queue_threshold(self._ask, backend, self.deadlines.first_token)
        attempt.call = backend.upstream.send(
            b"POST",
            b"/v1/%b?%b" % (self._path.encode(), query) if query else b"/v1/" + self._path.encode(),
            headers,
            self._body(backend),
            attempt,
        )
        if self._slow:
            attempt.pause(True)

    def _nothing_told(self) -> Told:
        return Told(plain=self.stream and self._path in (CHAT, COMPLETIONS) and self._ask.plain)

    def _credit(self, attempt: Attempt) -> None:
        """From here on the account tells of this attempt."""
        ticket, account = attempt.ticket, self.account
        account.replica, account.pool, account.reason = ticket.replica, ticket.pool, ticket.reason
        account.predicted_ttft_s, account.predicted_tpot_s = ticket.ttft_s, ticket.tpot_s
        account.cached_tokens = ticket.cached

    def _body(self, backend: Backend) -> bytes:
        """The request as this backend needs it: byte for byte as it came, but for the model's name."""
        body, ask = self._request.body, self._ask
        if self._told.tokens:
            body = continuing_body(self._path, body, self._told, backend.kind.continuation)
            ask = parse(body)
        name = backend.model
        if name is None or name == self.account.model or self.account.model in backend.models:
            return body
        return with_model(body, ask, name)

    def reader(self) -> Reader:
        """For the event stream of an attempt."""
        edit = None
        openai = self._path in (CHAT, COMPLETIONS)
        if openai and self._answer.started:
            continued = Continued(self._path, self._told).edit
            edit = continued if not self._ask.service_tier else lambda payload: self._tiered(continued(payload))
        elif openai and self._ask.service_tier:
            edit = self._tiered
        return Reader(self._told, OPENAI if openai else TYPED, self._ask.choices if openai else 1, edit)

    def _tiered(self, payload: bytes | None) -> bytes | None:
        return None if payload is None else with_tier(payload, self.account.tier)

    # what attempts tell

    def events(self, attempt: Attempt, data: bytes) -> None:
        """Events for the client; the first decide whose answer it gets."""
        if not self._answer.started:
            if attempt.reader is not None and attempt.reader.broken:
                return  # it has failed already: better nothing from it
            self.head(attempt, attempt.status, attempt.lines(), None)
        self._answer.write(data)

    def head(self, attempt: Attempt, status: int, lines: bytes, length: int | None) -> None:
        """The answer begins, and it is this attempt's."""
        self._won(attempt)
        self._answer.head(status, self._lines(attempt) + lines, length)
        self.account.status = status
        self.account.first = self.now()

    def part(self, attempt: Attempt, data: bytes) -> None:
        """More of a long answer."""
        self._answer.write(data)

    def done(self, attempt: Attempt) -> None:
        """The end of a long answer."""
        self._settle(attempt, sound=True)
        self._answer.end()
        self._end("ok")

    def whole(self, attempt: Attempt, body: bytes, read: Whole) -> None:
        """A complete answer, or an error that is the client's own."""
        self._won(attempt)
        account = self.account
        ok = attempt.status < 400
        if ok:
            self._count(read.usage)
            if read.usage is None and read.input_tokens:
                account.prompt_tokens = read.input_tokens
            self._timings(attempt, body)
            if self._ask.service_tier and self._path in (CHAT, COMPLETIONS):
                body = with_tier(body, account.tier)
        account.status = attempt.status
        account.first = self.now()
        self._settle(attempt, sound=ok)
        self._answer.send(attempt.status, self._lines(attempt) + attempt.lines(), body)
        self._end("ok", "" if ok else f"the backend answered {attempt.status}")

    def stream_done(self, attempt: Attempt, *, cleanly: bool = False) -> None:
        """The stream has ended, and all of the answer is there. Not `cleanly`: its connection has."""
        reader = attempt.reader
        assert reader is not None
        attempt.stop()
        self._count(self._told.usage)
        self._timings(attempt, reader.last)
        self._settle(attempt, sound=not reader.clients)
        if not reader.done and not cleanly and self._path in (CHAT, COMPLETIONS):
            self._answer.write(_DONE)
        self._answer.end()
        self._end("ok", "the backend reported the request's own fault" if reader.clients else "")

    def lost(
        self,
        attempt: Attempt,
        why: str,
        *,
        frozen: bool = False,
        busy: bool = False,
        wait_s: float | None = None,
        answer: bytes | None = None,
    ) -> None:
        """An attempt came to nothing.

        `busy`: the backend refused it, with a Retry-After of `wait_s`; `answer`: it said with this body that it has
        no such thing.
        """
        self._settle(attempt, sound=False)
        self._why = f"{attempt.backend.name}: {why}"
        replica = attempt.ticket.replica
        if replica not in self._avoid:
            self._avoid.append(replica)
        if frozen:
            self._froze = True
            self._never.append(replica)
        if busy:
            self._busy = max(self._busy or 0.0, wait_s or 0.0)
        if answer is not None:
            self._kept = attempt, answer
        if self._attempts:
            return  # the other one of a hedged pair goes on
        self._hedge_at = math.inf
        if not self._answer.started:
            self._told = self._nothing_told()
        if attempt.passing:
            self._cut()
        elif self._answer.started:
            self._take_up()
        elif self._can_repeat():
            self._tries -= 1
            self.account.retries += 1
            self._place()
        else:
            self._give_up()

    # when things go wrong

    def _can_repeat(self) -> bool:
        return self._tries > 0 and self.now() < self._expires

    def _take_up(self) -> None:
        """A stream broke after its first byte: have it continued."""
        told = self._told
        most = self._ask.most_output
        if told.plain and most and told.tokens >= most:
            self._finish_for_length()
            return
        from_the_start = told.tokens == 0 and self._path in (CHAT, COMPLETIONS) and self._ask.choices == 1
        if not self._can_repeat() or not (from_the_start or self._can_continue()):
            self._give_up()
            return
        if not from_the_start and self._path == CHAT:
            self._never += self._gateway.cannot_continue
            self._avoid += self._gateway.cannot_continue
        self._tries -= 1
        self.account.continued += 1
        self._place()

    def _can_continue(self) -> bool:
        try:
            return self._told.plain and can_continue(self._path, self._request.body)
        except msgspec.DecodeError:
            return False

    def _finish_for_length(self) -> None:
        """The stream broke when the client had all the tokens that it wanted: only the end is missing."""
        told, chat = self._told, self._path == CHAT
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length"} | ({"delta": {}} if chat else {"text": ""})
        chunk = {
            "id": told.id,
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": told.created,
            "model": told.model,
            "choices": [choice],
        }
        self._answer.write(b"data: %b\n\n" % orjson.dumps(chunk) + _DONE)
        self._count(told.usage)
        self._answer.end()
        self._end("ok")

    def _give_up(self) -> None:
        """No backend is left to try, or no time."""
        if self._kept is not None and not self._answer.started:
            attempt, body = self._kept
            self.account.status = attempt.status
            self._answer.send(attempt.status, self._lines(attempt) + attempt.lines(), body)
            self._end("failed", self._why)
            return
        tried = 1 + self.account.retries + self.account.continued
        after = f" ({tried} tried)" if tried > 1 else ""
        paused_s = self._gateway.paused_s(self.service)
        if self._busy is not None or (not self.account.placed and paused_s):
            words = f"Every backend that could serve this is at its limit{after}."
            wait_s = max(paused_s or self._busy or 0.0, 1.0)
            self.refuse(Refused(429, "backends_busy", words, retry_after_s=wait_s))
        elif not self.account.placed:
            self.refuse(Refused(503, "no_backend", "No backend for this is up now.", retry_after_s=1.0))
        elif self._froze:
            self.refuse(Refused(504, "backend_timeout", f"The backend stopped answering{after}."))
        else:
            self.refuse(Refused(502, "backend_failed", f"The backend failed{after}."))

    def _break_off(self, error: Refused) -> None:
        """The answer has begun and can't be completed: say so where its form allows, and end it like no answer ends."""
        if self.stream and self._told.events:
            number = self._told.events
            self._answer.write(error_event(error, self.account.request_id, self._path, number))
        self._count(self._told.usage)
        self._answer.abort()
        self._end("broken", self._why or error.message)

    def _cut(self) -> None:
        self._answer.abort()
        self._end("broken", self._why)

    # deadlines

    def look(self, now: float) -> None:
        """See whether something is late. Afterwards `due` says when to look again."""
        if now >= self._expires:
            self._expire()
            return
        for attempt in tuple(self._attempts):
            if now >= attempt.due():
                attempt.late(now)
                if self._over:
                    return
        if now >= self._hedge_at:
            self._hedge_at = math.inf
            self._hedge(now)
        self.due = min(self._expires, self._hedge_at, *(attempt.due() for attempt in self._attempts))

    def _expire(self) -> None:
        for attempt in tuple(self._attempts):
            attempt.stop()
            if not attempt.first:
                attempt.backend.failed(f"no answer within {self.deadlines.answer:g} s")
            self._settle(attempt, sound=False)
        words = f"The answer was not complete within {self.deadlines.answer:g} s."
        self._why = self._why or words
        self._leave()
        self.refuse(Refused(504, "deadline_exceeded", words))

    def _hedge(self, now: float) -> None:
        """The first byte is late: ask a second backend, if the budget allows and one has room."""
        if len(self._attempts) != 1 or self._answer.started or not self._gateway.hedges[self.service].take(now):
            return
        account = self.account
        avoid = [*self._avoid, self._attempts[0].ticket.replica]
        found = self.dispatcher.place(
            self.service, account.prompt_tokens, self._ask.most_output, account.blocks, avoid
        )  # fmt: skip
        if isinstance(found, Ticket):
            account.hedged = True
            self._send(found, hedging=True)

    # the client

    def _gone(self) -> None:
        """The client went away."""
        for attempt in tuple(self._attempts):
            attempt.stop()
            self._settle(attempt, sound=False)
        self._leave()
        self._count(self._told.usage)
        if not self._answer.started:
            self.account.status = 0
        self._end("cancelled", "the client left")

    def _slowed(self, on: bool) -> None:
        self._slow = on
        for attempt in self._attempts:
            attempt.pause(on)
        if not on and self._attempts:
            self.due = 0.0  # deadlines count again

    def _leave(self) -> None:
        if self._waits:
            self._waits = False
            self._gateway.admission.leave(self)

    # ends

    def _won(self, attempt: Attempt) -> None:
        """The client gets this attempt's answer: no other is wanted."""
        self._hedge_at = math.inf
        for other in tuple(self._attempts):
            if other is not attempt:
                other.stop()
                self._settle(other, sound=False)
        self._credit(attempt)

    def _lines(self, attempt: Attempt) -> bytes:
        """Header lines of the answer that are the gateway's own."""
        lines = b"x-request-id: %b\r\n" % self.account.request_id.encode()
        if self._ask.service_tier:
            lines += b"x-service-tier: %b\r\n" % self.account.tier.encode()
        if self._request.header(b"x-merit-explain") == b"1":
            lines += explanation(self.account, attempt.backend)
        return lines

    def _count(self, usage: Usage | None) -> None:
        """Tokens as the backend counted them, else as they were seen."""
        account, learned = self.account, self._gateway.learned[self.service]
        account.output_tokens = self._told.tokens
        if usage is None:
            return
        if usage.prompt:
            account.prompt_tokens = usage.prompt
            if self.prompt_is_text:
                learned.prompt(len(self._ask.text), usage.prompt)
        if usage.output:
            account.output_tokens = usage.output
            learned.output(usage.output)
        if usage.cached is not None:
            account.cached_tokens = usage.cached

    def _timings(self, attempt: Attempt, final: bytes) -> None:
        """What the backend says of its own times, in its answer or in a stream's last chunk."""
        kind = attempt.backend.kind
        if kind.timings is type(kind).timings:
            return  # this kind never does
        try:
            said = orjson.loads(final)
        except orjson.JSONDecodeError:
            return
        timings = kind.timings(said) if isinstance(said, dict) else None
        if timings is not None:
            attempt.backend.timed(timings)
            if timings.cached_tokens is not None:
                self.account.cached_tokens = timings.cached_tokens

    def _settle(self, attempt: Attempt, *, sound: bool) -> None:
        """An attempt is over: out of the books, and into the account."""
        if attempt not in self._attempts:
            return
        self._attempts.remove(attempt)
        account, ticket = self.account, attempt.ticket
        streamed = attempt.reader is not None
        output = self._told.tokens - attempt.prior if streamed else account.output_tokens
        if sound and streamed and not attempt.prior:
            output = account.output_tokens
        self.dispatcher.ended(ticket, output)
        if attempt.first:
            prompt = account.prompt_tokens + attempt.prior
            energy_j, usd, kg = self.dispatcher.cost(ticket, prompt, min(account.cached_tokens, prompt), output)
            account.energy_j += energy_j
            account.usd += usd
            account.kg += kg
        if sound and streamed and attempt.first:
            tpot_s = (attempt.last - attempt.first) / (output - 1) if output > 1 else 0.0
            self.dispatcher.observe(ticket, attempt.first - attempt.sent, tpot_s)

    def _end(self, outcome: Outcome, why: str = "") -> None:
        if self._over:
            return
        self._over = True
        account = self.account
        account.outcome, account.why = outcome, why
        account.ended = self.now()
        if self._allowed:
            served = account.placed and outcome != "failed"
            prompt, output = (account.prompt_tokens, account.output_tokens) if served else (0, 0)
            self._gateway.doors.charge(self._caller, prompt, output, account.usd)
        self._gateway.ended(self)
