"""`Gateway`: what a worker does with the requests that clients send; one page per path, one `Exchange` per API call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from meritorder.fleet.schema import Fleet
from meritorder.serve.account import Watcher
from meritorder.serve.admission import Admission
from meritorder.serve.backends.backend import Backend
from meritorder.serve.books.dispatcher import Dispatcher
from meritorder.serve.directory import Directory
from meritorder.serve.doors.doors import Doors
from meritorder.serve.errors import Refused
from meritorder.serve.exchange.answer import JSON, refusal
from meritorder.serve.exchange.api import all_apis
from meritorder.serve.exchange.exchange import Exchange
from meritorder.serve.exchange.headers import Asked, asked_by, request_id_of
from meritorder.serve.exchange.hedge import Hedges
from meritorder.serve.exchange.learned import Learned
from meritorder.serve.exchange.liveness import Liveness
from meritorder.serve.http.answer import Answer
from meritorder.serve.http.request import Request
from meritorder.serve.listen import split
from meritorder.serve.origin import is_loopback

_REFRESH_S = 2.0  # how old the names of models that backends tell may be
_LEAST_WAIT_S, _MOST_WAIT_S = 1.0, 600.0  # that a client is told
_WAIT_S = 0.25  # how old what it is told may be

logger = logging.getLogger("meritorder.gateway")


class Gateway:
    """One worker's. `watchers` are told of every API request at its end; `pages` are further paths for GET."""

    def __init__(
        self,
        fleet: Fleet,
        dispatcher: Dispatcher,
        backends: Sequence[Backend],
        admission: Admission,
        doors: Doors,
        watchers: Sequence[Watcher],
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.fleet = fleet
        self.dispatcher = dispatcher
        self.backends = backends
        self.admission = admission
        self.doors = doors
        self.watchers = watchers
        self.now: Callable[[], float] = time.monotonic
        self.directory = Directory(fleet, backends)
        self.live = [service.live for service in fleet.services.values()]
        self.learned = [Learned() for _ in self.live]
        self.hedges = [Hedges(live.hedging) for live in self.live]
        self.liveness = [Liveness(backend, self.now) for backend in backends]
        # backends that are no use for taking up a chat
        self.cannot_continue = tuple(i for i, backend in enumerate(backends) if backend.kind.continuation == "none")
        self.note_prompt: Callable[[str, bytes], None] | None = None  # told the id and body of every request let in
        self.pages: dict[str, tuple[str, bytes]] = {}
        document = (Path(__file__).parent / "openapi.json").read_bytes()
        self.pages["/openapi.json"] = ("application/json", document)
        self._exchanges: set[Exchange] = set()
        self._apis = {f"/v1/{api.path}": api for api in all_apis(fleet, backends)}
        self.retries = fleet.gateway.retries
        # Without keys the only thing that keeps web pages off a gateway on loopback is what browsers say of them.
        self._guarded = fleet.gateway.keys == "off" and is_loopback(split(fleet.gateway.listen)[0])
        self._room: dict[int, tuple[float, float]] = {}  # service -> when it was looked at, and what was found
        self._draining = False
        self._refreshed = 0.0
        self.wall = time.time() - time.monotonic()  # Unix time at 0 of the clock that requests are timed with
        self._started = int(time.time())

    @property
    def in_flight(self) -> int:
        """API requests that are not answered to their end."""
        return len(self._exchanges)

    def handle(self, request: Request, answer: Answer) -> None:
        """Answer a request, now or later."""
        api = self._apis.get(request.path)
        if api is not None and request.method == b"POST":
            exchange = Exchange(self, api, request, answer)
            self._exchanges.add(exchange)
            try:
                exchange.begin()
            except Refused as error:
                exchange.refuse(error)
            except Exception:
                exchange.crash()
            return
        number = request_id_of(request.header(b"x-request-id"))
        try:
            self.check_origin(asked_by(request.headers))
            self._page(request, answer, number)
        except Refused as error:
            status, headers, body = refusal(error, number, anthropic=_is_anthropic(request))
            if error.status == 405:
                headers += b"allow: POST\r\n" if api is not None else b"allow: GET, HEAD\r\n"
            answer.send(status, headers, body)

    def tick(self, now: float) -> None:
        """Look after requests that are late; every 50 ms."""
        late = [exchange for exchange in self._exchanges if exchange.due <= now]
        for exchange in late:
            try:
                exchange.look(now)
            except Exception:
                exchange.crash()
        if now - self._refreshed >= _REFRESH_S:
            self._refreshed = now
            self.wall = time.time() - time.monotonic()
            self.directory.refresh()

    def drain(self) -> None:
        """It is about to stop: from now on /health says so."""
        self._draining = True

    def abandon(self) -> None:
        """Time is up: whoever still waits for an answer, or its end, is told so."""
        for exchange in tuple(self._exchanges):
            exchange.abandon()

    def check_origin(self, asked: Asked) -> None:
        """Raises Refused (403) for what a web page of another origin sends, where nothing else keeps it out."""
        if self._guarded and asked.foreign:
            raise Refused(403, "foreign_origin", f"Refused: {asked.foreign}.")

    def paused_s(self, backends: Sequence[Backend]) -> float:
        """Seconds until the first of them that asked to be left alone may be asked again; 0: none has, or one may."""
        now = self.now()
        return min((b.health.paused_until - now for b in backends if b.health.paused_until > now), default=0.0)

    def again_s(self, backends: Sequence[Backend]) -> float:
        """Seconds until the first of them that is out of use may be asked again, as far as is known; 1 at least."""
        now = self.now()
        return max(min((b.health.rests_until - now for b in backends), default=0.0), _LEAST_WAIT_S)

    def room_s(self, service: int) -> float:
        """Seconds until one of a service's requests ends, if they have as long to go as they have been under way.

        On the average they have. At least 1, at most 600.
        """
        now = self.now()
        when, found = self._room.get(service, (0.0, _LEAST_WAIT_S))
        if now - when >= _WAIT_S:
            ages = [now - e.account.placed for e in self._exchanges if e.service == service and e.account.placed]
            found = sum(ages) / len(ages) ** 2 if ages else 0.0
            found = min(max(found, _LEAST_WAIT_S), _MOST_WAIT_S)
            self._room[service] = now, found
        return found

    def ended(self, exchange: Exchange) -> None:
        """An exchange is over: room for another, and its account is complete."""
        self._exchanges.discard(exchange)
        try:
            for watcher in self.watchers:
                watcher(exchange.account)
        except Exception:
            logger.exception("request %s: it can't be counted", exchange.account.request_id)
        self.admission.pump()

    def _page(self, request: Request, answer: Answer, number: str) -> None:
        """The paths that no backend is asked for. Raises Refused."""
        path = request.path
        page = self.pages.get(path)
        models = path == "/v1/models" or path.startswith("/v1/models/")
        if page is None and not models and path != "/health" and path not in self._apis:
            raise Refused(404, "not_found", f"There is nothing at this path ({request.method.decode()}).")
        if path in self._apis or request.method not in (b"GET", b"HEAD"):
            raise Refused(405, "method_not_allowed", "This path does not take this method.")
        lines = b"x-request-id: %b\r\n" % number.encode()
        if page is not None:
            kind, body = page
            answer.send(200, lines + b"content-type: %b\r\n" % kind.encode(), body)
        elif models:
            body = self._models(request, path.removeprefix("/v1/models").removeprefix("/"))
            answer.send(200, lines + JSON, body)
        else:
            well = not self._draining and any(map(self.dispatcher.is_usable, range(len(self.backends))))
            said = "ok" if well else "draining" if self._draining else "no backend is up"
            answer.send(200 if well else 503, lines + JSON, orjson.dumps({"status": said}))

    def _models(self, request: Request, wanted: str) -> bytes:
        """The list of models in OpenAI's form or Anthropic's, or one of them. Raises Refused."""
        names = self.directory.names(self.doors.enter(asked_by(request.headers).key))
        describe = self._anthropic_model if _is_anthropic(request) else self._openai_model
        if wanted:
            if wanted not in names:
                raise Refused(404, "model_not_found", "There is no model of this name here.", param="model")
            return orjson.dumps(describe(wanted))
        data = [describe(name) for name in names]
        if _is_anthropic(request):
            ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
            return orjson.dumps({"data": data, "has_more": False, **ends})
        return orjson.dumps({"object": "list", "data": data})

    def _openai_model(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": self._started, "owned_by": "meritorder"}

    def _anthropic_model(self, name: str) -> dict[str, object]:
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started))
        return {"type": "model", "id": name, "display_name": name, "created_at": made}


def _is_anthropic(request: Request) -> bool:
    return request.header(b"anthropic-version") is not None or request.path.startswith("/v1/messages")
