"""`Exchange`: one request's life, from the door to its account.

    enter -> (wait) -> place -> send -> forward -> end

Before the first byte of the answer a failed attempt is repeated on another backend. After it a broken stream is taken
up by another one where the API allows that, and otherwise ends in an error event that nobody can take for an end.
There is no task and no timer per request: everything happens in callbacks, and `look` is called when its time has come.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meritorder.serve.account import Account, Outcome
from meritorder.serve.ask import with_model
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
from meritorder.serve.exchange.continuation import Continued, can_continue, closing_events, continuing_body
from meritorder.serve.exchange.entry import Entry, enter
from meritorder.serve.exchange.failures import Failure, Failures
from meritorder.serve.exchange.headers import asked_by, request_id_of
from meritorder.serve.exchange.liveness import Liveness
from meritorder.serve.exchange.stream import DONE, OPENAI, TYPED, Reader, Told
from meritorder.serve.exchange.usage import Usage, Whole
from meritorder.serve.http.answer import Answer
from meritorder.serve.http.request import Request

if TYPE_CHECKING:
    from meritorder.serve.gateway import Gateway


_NOTHING_TOLD = Told(plain=False)  # of answers in one piece


class Exchange:
    """One request to an API; a `Waiter` while it waits. Told of everything by its attempts.

    `due`: `look` is not needed before this monotonic time.
    """

    __slots__ = (
        "_answer", "_api", "_asked", "_attempts", "_entry", "_expires", "_failed", "_gateway", "_hedge_at",
        "_over", "_request", "_slow", "_told", "_tries", "_waits",
        "account", "deadlines", "dispatcher", "due", "now", "service", "stream", "tenant", "tokens",
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
        if gateway.note_prompt is not None:
            gateway.note_prompt(account.request_id, request.body)
        service = self.service = entry.service
        self.tenant, self.tokens = entry.caller.tenant, entry.tokens / entry.caller.weight
        stream = self.stream = account.stream
        live = gateway.live[service]
        self.deadlines = live.deadlines
        self.due = self._expires = account.received + live.deadlines.answer
        self._told = Told(plain=self._api.openai) if stream else _NOTHING_TOLD
        if live.hedging > 0:
            gateway.hedges[service].asked(self.now())
        answer.on_gone = self._gone
        answer.on_slow = self._slowed
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
        account = self.account
        account.status = error.status
        self._answer.send(*refusal(error, account.request_id, anthropic=self._api.path == MESSAGES))
        self._end("failed" if account.placed else "refused", (account.placed and self._failures.why) or error.message)

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
        if not self._api.openai:
            return Reader(self._told, TYPED, 1, None)
        ask = self._entry.ask
        continued = Continued(self._api.path, self._told) if self.begun else None
        if not ask.service_tier:
            return Reader(self._told, OPENAI, ask.choices, continued.edit if continued else None)

        def edit(payload: bytes) -> bytes | None:
            edited = continued.edit(payload) if continued else payload
            return None if edited is None else with_tier(edited, self.account.tier)

        return Reader(self._told, OPENAI, ask.choices, edit)

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
            if read.input_tokens:
                account.prompt_tokens = read.input_tokens
            accounting.read_timings(account, attempt.backend, body)
            if self._api.openai and self._entry.ask.service_tier:
                body = with_tier(body, account.tier)
        account.status = status
        account.first = attempt.first or self.now()
        self._settle(attempt, account.output_tokens, sound=sound)
        self._answer.send(status, self._lines(attempt), body)
        self._end("ok", "" if sound else f"the backend answered {attempt.status}")

    def streamed(self, attempt: Attempt, reader: Reader) -> None:
        """The stream has ended, and all of the answer is there."""
        account = self.account
        self._count(self._told.usage)
        accounting.read_timings(account, attempt.backend, reader.last)
        output = self._told.tokens - attempt.prior if attempt.prior else account.output_tokens
        self._settle(attempt, output, sound=True)
        if self._api.openai and not reader.done:
            self._answer.write(DONE)  # some backends leave it out, but clients wait for it
        self._answer.end()
        self._end("ok", "the backend reported the request's own fault" if reader.clients else "")

    def lost(self, attempt: Attempt, failure: Failure) -> None:
        """An attempt came to nothing."""
        self._drop(attempt)
        self._failures.add(attempt.ticket.replica, attempt.backend.name, failure)
        if not self.begun:
            self._told.forget()
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
        told, ask = self._told, self._entry.ask
        if told.plain and ask.choices == 1 and told.tokens >= self._entry.output > 0:
            self._answer.write(closing_events(self._api.path, told))
            self._count(told.usage)
            self._answer.end()
            self._end("ok")
            return
        nothing_said = self._api.openai and told.tokens == 0 and ask.choices == 1
        if self._tries <= 0 or not (nothing_said or (told.plain and can_continue(self._api.path, self._request.body))):
            self._give_up()
            return
        if told.tokens and self._api.path == CHAT:
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
        self.refuse(self._failures.error(tried, self._gateway.paused_s(self.service)))

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
            if not attempt.first:
                attempt.backend.failed(f"no answer within {self.deadlines.answer:g} s")
            self._drop(attempt)
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
        if len(self._attempts) != 1 or self.begun or not self._gateway.hedges[self.service].take(now):
            return
        account = self.account
        avoid = [*self._failures.avoid, self._attempts[0].ticket.replica]
        most = self._entry.output
        found = self.dispatcher.place(self.service, account.prompt_tokens, most, self._entry.blocks, avoid)
        if isinstance(found, Ticket):
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
        if self.service >= 0:
            used = account.placed and outcome != "failed"
            prompt, output = (account.prompt_tokens, account.output_tokens) if used else (0, 0)
            self._gateway.doors.charge(self._entry.caller, prompt, output, account.usd)
        self._gateway.ended(self)
