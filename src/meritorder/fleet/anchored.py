"""Files that a fleet file names are meant as seen from where it stands, not from where the command is run."""

from __future__ import annotations

from pathlib import Path

from meritorder.fleet.gateway import Endpoint, Gateway
from meritorder.fleet.schema import Fleet

_FILE = "file:"
_SQLITE = "sqlite:///"


def anchored(fleet: Fleet, folder: Path) -> Fleet:
    """The fleet with every relative path made absolute, as seen from `folder`."""
    pools = {
        name: pool.model_copy(update={"endpoint": _endpoint(pool.endpoint, folder)}) if pool.endpoint else pool
        for name, pool in fleet.pools.items()
    }
    return fleet.model_copy(update={"pools": pools, "gateway": _gateway(fleet.gateway, folder)})


def _endpoint(endpoint: Endpoint, folder: Path) -> Endpoint:
    return endpoint.model_copy(update={"ca": _path(endpoint.ca, folder), "key": _secret(endpoint.key, folder)})


def _gateway(gateway: Gateway, folder: Path) -> Gateway:
    tls = gateway.tls
    if tls is not None:
        names = {"certificate": _path(tls.certificate, folder), "key": _path(tls.key, folder)}
        tls = tls.model_copy(update=names)
    database = gateway.database
    if database.startswith(_SQLITE):
        database = f"{_SQLITE}{_path(database.removeprefix(_SQLITE), folder)}"
    return gateway.model_copy(
        update={
            "tls": tls,
            "record": _path(gateway.record, folder),
            "record_salt": _secret(gateway.record_salt, folder),
            "database": database,
        }
    )


def _path(path: str | None, folder: Path) -> str | None:
    return None if path is None else str(folder.resolve() / Path(path).expanduser())


def _secret(secret: str | None, folder: Path) -> str | None:
    if secret is None or not secret.startswith(_FILE):
        return secret
    return f"{_FILE}{_path(secret.removeprefix(_FILE), folder)}"
