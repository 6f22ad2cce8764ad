"""The admin app: what it answers to which path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meritorder.problems import InputError, Problem, said
from meritorder.serve.admin.control import Control
from meritorder.serve.admin.guard import Guard
from meritorder.serve.admin.keyring import Keyring
from meritorder.serve.power.target import target_of
from meritorder.units import parse

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_MOST_BODY = 64_000
_MOST_DECISIONS = 1000
_MOST_LIMIT = 2**31 - 1

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(control: Control, pages: Mapping[str, tuple[str, bytes]], *, loopback: bool) -> Starlette:
    """The app for one gateway. `pages`: path -> content type and body of further GET pages, the live page at `/`.

    `loopback`: bound to this machine alone, so that no other Host is right. What can't be done is told as
    `{"problems": [...]}` with a 4xx status.
    """

    async def metrics(request: Request) -> Response:
        return Response(control.metrics(), media_type=_PROMETHEUS)

    async def state(request: Request) -> Response:
        return _json(control.state())

    async def decisions(request: Request) -> Response:
        most = _whole(request.query_params.get("most", "100"), "most", _MOST_DECISIONS)
        return _json({"requests": control.decisions(most)})

    async def reload(request: Request) -> Response:
        problems = await control.reload()
        return _json({"problems": [str(problem) for problem in problems]}, 409 if problems else 200)

    async def drain(request: Request) -> Response:
        control.drain()
        return _json({"draining": True}, 202)

    async def limit_site(request: Request) -> Response:
        wanted = await _field(request, "watts")
        watts = None if wanted is None else _watts(wanted)
        control.limit_site(request.path_params["name"], watts)
        return _json({"watts": watts})

    async def power(request: Request) -> Response:
        return _json(control.power())

    async def ask_site(request: Request) -> Response:
        await control.ask_site(request.path_params["name"], target_of(await _object(request)))
        return _json({"accepted": True}, 202)

    async def limit_pool(request: Request) -> Response:
        wanted = await _field(request, "requests")
        most = None if wanted is None else _whole(wanted, "requests", _MOST_LIMIT)
        control.limit_pool(request.path_params["name"], most)
        return _json({"requests": most})

    async def keys(request: Request) -> Response:
        ring = _keyring(control)
        if request.method == "GET":
            return _json({"keys": await run_in_threadpool(ring.listed)})
        return _secret(await run_in_threadpool(ring.create, await _object(request)), 201)

    async def rotate_key(request: Request) -> Response:
        return _secret(await run_in_threadpool(_keyring(control).rotate, request.path_params["key_id"]))

    async def revoke_key(request: Request) -> Response:
        await run_in_threadpool(_keyring(control).revoke, request.path_params["key_id"])
        return Response(status_code=204)

    def page(path: str) -> Endpoint:
        kind, body = pages[path]

        async def answer(request: Request) -> Response:
            return Response(body, media_type=kind, headers={"x-content-type-options": "nosniff"})

        return answer

    routes = [
        Route("/metrics", metrics),
        Route("/state", state),
        Route("/requests", decisions),
        Route("/reload", reload, methods=["POST"]),
        Route("/drain", drain, methods=["POST"]),
        Route("/limits/site/{name:path}", limit_site, methods=["PUT"]),
        Route("/power", power),
        Route("/targets/site/{name:path}", ask_site, methods=["POST"]),
        Route("/limits/pool/{name:path}", limit_pool, methods=["PUT"]),
        Route("/keys", keys, methods=["GET", "POST"]),
        Route("/keys/{key_id}/rotate", rotate_key, methods=["POST"]),
        Route("/keys/{key_id}", revoke_key, methods=["DELETE"]),
        *(Route(path, page(path)) for path in pages),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, loopback=loopback)],
        exception_handlers={InputError: _wrong_input, HTTPException: _no_such_thing},
    )


def _json(value: object, status: int = 200) -> Response:
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def _secret(key: Mapping[str, Any], status: int = 200) -> Response:
    return _json(dict(key), status)


def _keyring(control: Control) -> Keyring:
    if control.keyring is None:
        fix = "set `keys: required` under `gateway` in the fleet file"
        raise InputError(Problem("needs no keys", where="the gateway", fix=fix))
    return control.keyring


async def _object(request: Request) -> dict[str, Any]:
    """The JSON object of a request's body. Raises InputError where it isn't one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY:
            raise InputError(Problem("is too long", where="the body", fix=f"send at most {_MOST_BODY} bytes"))
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise InputError(Problem("is not a JSON object", where="the body"))
    return value


async def _field(request: Request, name: str) -> Any:
    """The one field that a request's JSON object has to have; it may be null."""
    value = await _object(request)
    if set(value) != {name}:
        raise InputError(Problem("has other fields", where="the body", fix=f'send {{"{name}": ...}}'))
    return value[name]


def _watts(value: Any) -> float:
    """Power in watts: a number of them, or a text with its unit."""
    try:
        watts = parse(f"{value} W" if isinstance(value, int | float) else value, "W")
    except InputError as error:
        raise InputError(Problem(one.what, key="watts", fix=one.fix) for one in error.problems) from None
    if watts <= 0:
        raise InputError(Problem(f"is {said(value)}", key="watts", fix="give more than 0 W, or null for no limit"))
    return watts


def _whole(value: object, name: str, most: int) -> int:
    """A whole number of 1 to `most`, from JSON or a query."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InputError(Problem(f"is {said(value)}", key=name, fix=f"give a whole number of 1 to {most}"))
    return value


async def _wrong_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return _json({"problems": [str(problem) for problem in error.problems]}, 400)


async def _no_such_thing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _json({"problems": [error.detail]}, error.status_code)
    response.headers.update(error.headers or {})
    return response
