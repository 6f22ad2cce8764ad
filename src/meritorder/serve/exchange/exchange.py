"""`Exchange`: one request's life, from the door to its account.

    enter -> (wait) -> place -> send -> forward -> end

Before the first byte of the answer a failed attempt is repeated on another backend. After it a broken stream is taken
up by another one where the API allows that, and otherwise ends in an error event that nobody can take for an end.
There is no task and no timer per request: everything happens in callbacks, and `look` is called when its time has come.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from meritorder.serve.account import Account, Outcome
from meritorder.serve.ask import NOTHING, with_model
from meritorder.serve.backends.backend import Backend
from meritorder.serve.backends.kinds.kind import CHAT, MESSAGES
from meritorder.serve.books.dispatcher import NoPlace, Ticket
from meritorder.serve.errors import Refused
from meritorder.serve.exchange import accounting, hedge
from meritorder.serve.exchange.answer import (
    error_event,
    explanation,
    queue_threshold,
    refusal,
    with_tier,
)
from meritorder.serve.exchange.api import Api
from meritorder.serve.exchange.attempt import Attempt
from meritorder.serve.exchange.continuation import Continued, can_continue, continuing_body
from meritorder.serve.exchange.ending import ending, finish
from meritorder.serve.exchange.entry import Entry, enter
from meritorder.serve.exchange.failures import Failure, Failures
from meritorder.serve.exchange.headers import asked_by, request_id_of
from meritorder.serve.exchange.liveness import Liveness
from meritorder.serve.exchange.stream import OPENAI, TYPED, Reader, Told
from meritorder.serve.exchange.usage import Usage, Whole
from meritorder.serve.http.answer import Answer
from meritorder.serve.http.request import Request

if TYPE_CHECKING:
    from meritorder.serve.gateway import Gateway


_NOTHING_TOLD = Told(plain=False)  # of answers in one piece, and until a stream begins

logger = logging.getLogger("meritorder.gateway")


class Exchange:
    """One request to an API; a `Waiter` while it waits. Told of everything by its attempts.

    `due`: `look` is not needed before this monotonic time.
    """

    __slots__ = (
        "_answer", "_api", "_asked", "_attempts", "_entry", "_expires", "_failed", "_gateway", "_hedge_at",
        "_over", "_request", "_slow", "_told", "_tries", "_waits",
        "account", "deadlines", "dispatcher", "due", "now", "service", "stream", "tenant", "tokens", "tools",
    )  # fmt: skip

    _entry: Entry
    _told: Told

    def __init__(self, gateway: Gateway, api: Api, request: Request, answer: Answer) -> None:
        asked = self._asked = asked_by(request.headers)
        received = request.received
        account = self.account = Account(request_id_of(asked.said_id), api.name, received, gateway.wall + received)
        account.traceparent = asked.traceparent
        self.now = gateway.now
        self.dispatcher = gateway.dispatcher
        self.due = math.inf
        self.service = -1  # -1: it was not let in
        self._gateway = gateway
        self._request = request
        self._answer = answer
        self._api = api
        self._attempts: list[Attempt] = []  # under way; two where it is hedged
        self._failed: Failures | None = None  # None: no attempt yet
        self._tries = gateway.retries  # further attempts that it may have
        self._waits = False  # in a queue
        self._slow = False  # the client reads too slowly
        self._hedge_at = math.inf
        self._over = False

    # before it is placed

    def begin(self) -> None:
        """Let it in. Raises Refused."""
        gateway = self._gateway
        account, request, answer = self.account, self._request, self._answer
        entry = self._entry = enter(gateway, self._api, request.body, self._asked, account)
        service = self.service = entry.service
        self.tenant, self.tokens = entry.caller.tenant, entry.tokens / entry.caller.weight
        self.stream = account.stream
        # What is written into tools may be held back until it is whole, and can't be taken up by another backend.
        self.tools = entry.ask.tools is not NOTHING
        live = gateway.live[service]
        self.deadlines = live.deadlines
        self.due = self._expires = account.received + live.deadlines.answer
        self._told = _NOTHING_TOLD
        if live.hedging > 0:
            gateway.hedges[service].asked(self.now())
        answer.on_gone = self._gone
        answer.on_slow = self._slowed
        if gateway.note_prompt is not None:
            gateway.note_prompt(account.request_id, request.body)
        self._place()

    def start(self) -> bool:
        """Try to place it. False: everything that could take it is full."""
        try:
            place = self._choose()
            if place is NoPlace.FULL:
                return False
            self._waits = False
            if isinstance(place, Ticket):
                self._send(place)
            elif place is NoPlace.SHED:
                words = "No replica can serve this well enough now."
                self.refuse(Refused(429, "overloaded", words, retry_after_s=self._gateway.room_s(self.service)))
            else:
                self._give_up()
        except Exception:
            self.crash()  # it may be called on behalf of another request, whose end made room
        return True

    def refuse(self, error: Refused) -> None:
        """Answer with an error of the gateway's own."""
        if self._over:
            return
        self._waits = False
        if self._answer.started:
            self._break_off(error)
            return
        account = self.account
        account.status = error.status
        self._answer.send(*refusal(error, account.request_id, anthropic=self._api.path == MESSAGES))
        self._end("failed" if account.placed else "refused", (account.placed and self._failures.why) or error.message)

    def crash(self) -> None:
        """A fault of ours, told by whoever caught it: it ends this request and no other."""
        logger.exception("request %s: the gateway failed", self.account.request_id)
        if self._over:
            return
        for attempt in self._attempts:
            attempt.stop()
            self.dispatcher.ended(attempt.ticket, 0)
        self._attempts.clear()
        self._leave()
        if self._answer.started:
            self._told.usage = None  # it may be what could not be dealt with
        self.refuse(Refused(500, "internal_error", "The gateway failed to handle the request."))

    def _place(self) -> None:
        admission = self._gateway.admission
        again = self.account.placed > 0.0  # it was let in before: nobody is ahead of it
        behind = not again and admission.ahead(self.service) > 0
        if not behind and self.start():
            return
        self._waits = True
        admission.wait(self, first=again)
        if behind:
            admission.pump()  # those ahead may want other replicas

    def _choose(self) -> Ticket | NoPlace:
        account, output, failures = self.account, self._entry.output, self._failed
        place, blocks = self.dispatcher.place, self._entry.blocks
        if failures is None:
            return place(self.service, account.prompt_tokens, output, blocks, self._api.cannot)
        told = self._told.tokens
        prompt = account.prompt_tokens + told
        if output:
            output = max(output - told, 1)
        found = place(self.service, prompt, output, blocks, failures.avoid)
        if found is NoPlace.DOWN and len(failures.never) < len(failures.avoid):
            # Nobody else is left: rather ask one again that failed than none, if it did not just say nothing.
            found = place(self.service, prompt, output, blocks, failures.never)
        return found

    # to a backend

    def _send(self, ticket: Ticket, *, hedging: bool = False) -> None:
        gateway, account, request, now = self._gateway, self.account, self._request, self.now()
        backend = gateway.backends[ticket.replica]
        if not account.placed:
            account.placed = now
        attempt = Attempt(self, backend, ticket, now, self._told.tokens)
        self._attempts.append(attempt)
        if not hedging:
            self._credit(attempt)
            if self.stream and gateway.live[self.service].hedging > 0 and not self._answer.started:
                self._hedge_at = now + max(hedge.LATE * ticket.ttft_s, hedge.LEAST_S)
                self.due = min(self.due, self._hedge_at)
        due = now + self.deadlines.first_token
        if due < self.due:
            self.due = due
        target = self._api.target
        if request.query:
            target += b"?" + request.query
        headers = b"%b%bx-request-id: %b\r\n" % (self._asked.lines, backend.headers, account.request_id.encode())
        if backend.kind.queue_threshold is not None:
            headers += queue_threshold(self._entry.ask, backend, self.deadlines.first_token)
        attempt.call = backend.upstream.send(b"POST", target, headers, self._body(backend), attempt)
        if self._slow:
            attempt.pause(True)

    def _credit(self, attempt: Attempt) -> None:
        """From here on the account tells of this attempt."""
        ticket, account = attempt.ticket, self.account
        account.replica, account.pool, account.reason = ticket.replica, ticket.pool, ticket.reason
        account.predicted_ttft_s, account.predicted_tpot_s = ticket.ttft_s, ticket.tpot_s
        account.cached_tokens = ticket.cached

    def _body(self, backend: Backend) -> bytes:
        """The request as this backend needs it: byte for byte as it came, but for the model's name."""
        body = self._request.body
        if self._told.tokens:
            body = continuing_body(self._api.path, body, self._told, backend.kind.continuation)
        name = backend.model
        if name is None or name == self.account.model or self.account.model in backend.models:
            return body
        return with_model(body, name)

    @property
    def _failures(self) -> Failures:
        """Of its attempts so far; most requests never need it."""
        if self._failed is None:
            self._failed = Failures(self._api.cannot)
        return self._failed

    # what attempts tell

    @property
    def begun(self) -> bool:
        """Whether the client has got a part of the answer."""
        return self._answer.started

    def liveness_of(self, backend: Backend) -> Liveness:
        """Whether a silent backend is still there."""
        return self._gateway.liveness[backend.index]

    def reader(self) -> Reader:
        """For the event stream of an attempt."""
        told = self._told if self.begun else Told(plain=self._api.openai)
        if not self._api.openai:
            return Reader(told, TYPED, 1, None)
        ask = self._entry.ask
        continued = Continued(self._api.path, told) if self.begun else None
        if not ask.service_tier:
            return Reader(told, OPENAI, ask.choices, continued.edit if continued else None)

        def edit(payload: bytes) -> bytes | None:
            edited = continued.edit(payload) if continued else payload
            return None if edited is None else with_tier(edited, self.account.tier)

        return Reader(told, OPENAI, ask.choices, edit)

    def events(self, attempt: Attempt, data: bytes) -> None:
        """Events for the client; the first decide whose answer it gets."""
        if not self._answer.started:
            if attempt.reader is not None and attempt.reader.broken:
                return  # it has failed already: better nothing from it
            self.head(attempt, None)
        self._answer.write(data)

    def head(self, attempt: Attempt, length: int | None) -> None:
        """The answer begins, and it is this attempt's."""
        self._won(attempt)
        if attempt.reader is not None:
            self._told = attempt.reader.told
        self._answer.head(attempt.status, self._lines(attempt), length)
        self.account.status = attempt.status
        self.account.first = self.now()

    def part(self, data: bytes) -> None:
        """More of a long answer."""
        self._answer.write(data)

    def passed(self, attempt: Attempt) -> None:
        """The end of a long answer."""
        self._settle(attempt, 0)
        self._answer.end()
        self._end("ok")

    def whole(self, attempt: Attempt, body: bytes, read: Whole) -> None:
        """A complete answer, or an error that is the client's own."""
        account, status = self.account, attempt.status
        if account.hedged:
            self._won(attempt)
        sound = status < 400
        if sound:
            self._count(read.usage)
            accounting.read_timings(account, attempt.backend, body)
            if self._api.openai and self._entry.ask.service_tier:
                body = with_tier(body, account.tier)
        account.status = status
        account.first = attempt.first or self.now()
        self._settle(attempt, account.output_tokens, sound=sound and self._api.generates)
        self._answer.send(status, self._lines(attempt), body)
        if sound:
            self._end("ok")
        else:
            self._end("refused", f"the backend answered {status}")

    def streamed(self, attempt: Attempt, reader: Reader) -> None:
        """The stream has ended, and all of the answer is there."""
        account = self.account
        self._count(self._told.usage)
        accounting.read_timings(account, attempt.backend, reader.last)
        output = self._told.tokens - attempt.prior if attempt.prior else account.output_tokens
        self._settle(attempt, output, sound=True)
        if self._api.openai and not reader.done:  # some backends leave it out, but clients wait for it
            self._answer.write(ending(self._api.path, self._request.body, self._told, account.prompt_tokens))
        self._answer.end()
        if reader.clients and not self._told.tokens:
            self._end("refused", "the backend reported the request's own fault")
        else:
            self._end("ok")

    def lost(self, attempt: Attempt, failure: Failure) -> None:
        """An attempt came to nothing."""
        self._drop(attempt)
        self._failures.add(attempt.ticket.replica, attempt.backend.name, failure)
        if self._attempts:
            return  # the other one of a hedged pair goes on
        self._hedge_at = math.inf
        if attempt.passing:
            self._answer.abort()
            self._end("broken", self._failures.why)
        elif self.begun:
            self._take_up()
        elif failure.busy or self._tries > 0:  # one that is busy is not asked again, so this comes to an end
            self._tries -= not failure.busy
            self.account.retries += 1
            self._place()
        else:
            self._give_up()

    # when things go wrong

    def _take_up(self) -> None:
        """A stream broke after its first byte: have it continued."""
        told, path, body = self._told, self._api.path, self._request.body
        plain = told.plain and self._entry.ask.choices == 1
        # Events are not tokens: that the answer is as long as it may be is only known where the backend has counted.
        if plain and told.usage is not None and told.usage.output >= self._entry.output > 0:
            self._count(told.usage)
            self._answer.write(finish(path, told) + ending(path, body, told, self.account.prompt_tokens))
            self._answer.end()
            self._end("ok")
            return
        if self._tries <= 0 or not plain or not can_continue(path, body):
            self._give_up()
            return
        if told.tokens and path == CHAT:
            self._failures.rule_out(self._gateway.cannot_continue)
        told.usage = None
        self._tries -= 1
        self.account.continued += 1
        self._place()

    def _give_up(self) -> None:
        """No backend is left to try."""
        answer, account = self._failures.answer, self.account
        if answer is not None and not self.begun:
            account.status = answer[0]
            self._answer.send(*answer)
            self._end("failed", self._failures.why)
            return
        tried = 1 + account.retries + account.continued if account.placed else 0
        gateway, may = self._gateway, self._api.backends[self.service]
        self.refuse(self._failures.error(tried, gateway.paused_s(may), gateway.again_s(may)))

    def _break_off(self, error: Refused) -> None:
        """The answer has begun and can't be completed: say so where its form allows, and end it like no answer ends."""
        if self._told.events:
            self._answer.write(error_event(error, self.account.request_id, self._api.path, self._told.events))
        self._count(self._told.usage)
        self._answer.abort()
        self._end("broken", self._failures.why or error.message)

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
        words = f"The answer was not complete within {self.deadlines.answer:g} s."
        for attempt in tuple(self._attempts):
            attempt.stop()
            self._drop(attempt)  # no failure of the backend's: had it frozen, `late` would have found it
        self._leave()
        self.refuse(Refused(504, "deadline_exceeded", words))

    def abandon(self) -> None:
        """The gateway stops before this is answered."""
        for attempt in tuple(self._attempts):
            attempt.stop()
            self._drop(attempt)
        self._leave()
        self.refuse(Refused(503, "gateway_stopping", "The gateway stops, and this took longer than it could wait."))

    def _hedge(self, now: float) -> None:
        """The first byte is late: ask a second backend, if the budget allows and one has room."""
        hedges = self._gateway.hedges[self.service]
        if len(self._attempts) != 1 or self.begun or not hedges.allows(now):
            return
        account = self.account
        avoid = [*self._failures.avoid, self._attempts[0].ticket.replica]
        most = self._entry.output
        found = self.dispatcher.place(self.service, account.prompt_tokens, most, self._entry.blocks, avoid)
        if isinstance(found, Ticket):
            hedges.hedged()
            account.hedged = True
            self._send(found, hedging=True)

    # the client

    def _gone(self) -> None:
        """The client went away."""
        for attempt in tuple(self._attempts):
            attempt.stop()
            self._drop(attempt)
        self._leave()
        self._count(self._told.usage)
        self._end("cancelled", "the client left")

    def _slowed(self, on: bool) -> None:
        self._slow = on
        for attempt in self._attempts:
            attempt.pause(on)
        self.due = 0.0  # deadlines don't count meanwhile

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
                self._drop(other)
        self._credit(attempt)

    def _lines(self, attempt: Attempt) -> bytes:
        """Header lines of the answer."""
        account = self.account
        lines = b"x-request-id: %b\r\n%b" % (account.request_id.encode(), attempt.lines)
        if self._entry.ask.service_tier:
            lines += b"x-service-tier: %b\r\n" % account.tier.encode()
        if self._asked.explain:
            lines += explanation(account, attempt.backend)
        return lines

    def _count(self, usage: Usage | None) -> None:
        """Tokens as the backend counted them, else as they were seen."""
        self.account.output_tokens = self._told.tokens
        accounting.count(self.account, usage, self._entry.text_bytes, self._gateway.learned[self.service])

    def _drop(self, attempt: Attempt) -> None:
        """An attempt is over before its time."""
        self._settle(attempt, self._told.tokens - attempt.prior if attempt.first else 0)

    def _settle(self, attempt: Attempt, output: int, *, sound: bool = False) -> None:
        self._attempts.remove(attempt)
        accounting.settle(self.dispatcher, self.account, attempt, output, sound=sound)

    def _end(self, outcome: Outcome, why: str = "") -> None:
        self._over = True
        account = self.account
        account.outcome, account.why = outcome, why
        account.ended = self.now()
        try:
            if self.service >= 0:
                used = account.placed and outcome != "failed" and outcome != "refused"
                prompt, output = (account.prompt_tokens, account.output_tokens) if used else (0, 0)
                self._gateway.doors.charge(self._entry.caller, prompt, output, account.usd)
        finally:
            self._gateway.ended(self)
