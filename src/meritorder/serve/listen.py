"""The sockets that clients connect to: one per worker, all on one port, held open by the supervisor.

A worker that dies leaves its socket with the supervisor: clients that connect meanwhile wait in its backlog for
the next worker instead of being turned away.
"""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path

from meritorder.fleet.gateway import Tls
from meritorder.problems import InputError, Problem

BACKLOG = 4096


def split(address: str) -> tuple[str, int]:
    """`127.0.0.1:8000` or `[::1]:8000` as host and port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def listeners(address: str, count: int, where: str) -> list[socket.socket]:
    """`count` sockets that share an address. Raises InputError (key `where`) if it can't be had."""
    host, port = split(address)
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found: list[socket.socket] = []
        probe = _bound(family, kind, protocol, target, shared=False)  # somebody else's socket would share silently
        if count == 1:
            found.append(probe)
        else:
            target = probe.getsockname()
            probe.close()
            found += [_bound(family, kind, protocol, target, shared=True) for _ in range(count)]
        for each in found:
            each.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        fix = "stop what listens there, or give another address"
        raise InputError(Problem(f"{address} can't be listened on: {reason}", key=where, fix=fix)) from error
    return found


def reopened(sockets: list[socket.socket]) -> list[socket.socket]:
    """The same sockets, with new ones on the same port for those that were closed; one at least must be open."""
    alive = next(each for each in sockets if each.fileno() >= 0)
    result = []
    for each in sockets:
        if each.fileno() >= 0:
            result.append(each)
            continue
        result.append(_bound(alive.family, alive.type, alive.proto, alive.getsockname(), shared=True))
        result[-1].listen(BACKLOG)
    return result


def _bound(family: int, kind: int, protocol: int, target: tuple[object, ...], *, shared: bool) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(target)
    except OSError:
        made.close()
        raise
    return made


def shown(listener: socket.socket, scheme: str = "http") -> str:
    """The address of a socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def tls_context(tls: Tls | None) -> ssl.SSLContext | None:
    """The context of the gateway's own certificate. Raises InputError where its files can't be used."""
    if tls is None:
        return None
    for key, file in (("certificate", tls.certificate), ("key", tls.key)):
        if not Path(file).is_file():
            problem = Problem(f"there is no file {file}", key=f"gateway.tls.{key}", fix="name a PEM file")
            raise InputError(problem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (ssl.SSLError, OSError) as error:
        raise InputError(_why_not(tls, error)) from error
    return context


def _why_not(tls: Tls, error: OSError) -> Problem:
    """What is wrong with the two files; OpenSSL's own words don't say which of them it is."""
    reason = getattr(error, "reason", None)
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        what = f"is not the key of the certificate in {tls.certificate}"
        return Problem(f"{tls.key} {what}", key="gateway.tls.key", fix="name the one that it was made with")
    for key, file, label in (("certificate", tls.certificate, "CERTIFICATE"), ("key", tls.key, "PRIVATE KEY")):
        try:
            text = Path(file).read_text(encoding="ascii", errors="replace")
        except OSError as unreadable:
            reason = (unreadable.strerror or str(unreadable)).lower()
            return Problem(f"{file} can't be read: {reason}", key=f"gateway.tls.{key}", fix="name a PEM file")
        if not re.search(f"-----BEGIN [A-Z ]*{label}-----", text):
            what = f'{file} has no "-----BEGIN {label}-----" in it'
            return Problem(what, key=f"gateway.tls.{key}", fix="name a PEM file")
        if label == "PRIVATE KEY" and "ENCRYPTED" in text:
            return Problem(f"{file} is locked with a password", key="gateway.tls.key", fix="name one without")
    fix = "give a PEM certificate and its own key"
    return Problem(f"can't be used: {reason or error}", key="gateway.tls", fix=fix)
