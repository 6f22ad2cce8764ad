"""The fleet file for a gateway in front of an emulator: the emulated one, with the addresses of its replicas."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

from meritorder.files import write_text
from meritorder.fleet.schema import Fleet, Service
from meritorder.problems import InputError, Problem

_HEAD = "# The endpoints of a running `merit emulate`: they keep the fleet's timing, no model is behind them.\n"


def check_target(path: Path) -> None:
    """Raises InputError where writing to `path` would replace something else than an earlier file of this kind."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            ours = file.read(len(_HEAD)) == _HEAD
    except OSError:
        return  # not there; or writing will tell
    if not ours:
        fix = "name another file"
        raise InputError(Problem("is there and was not written by `merit emulate`", f"--write: {path}", fix=fix))


def write_live_file(
    path: Path, fleet_path: Path, fleet: Fleet, pools: Collection[str], url: Callable[[str, int], str]
) -> None:
    """Write a file that extends the fleet's: pools with `url(pool, replica)`; of these only, where not all are there.

    Raises InputError where it can't be written.
    """
    live: dict[str, Any] = {"extends": os.path.relpath(fleet_path.resolve(), path.resolve().parent)}
    live["pools"] = {name: {"endpoint": _endpoint(fleet, name, url)} if name in pools else None for name in fleet.pools}
    services = {name: _fewer(service, fleet, pools) for name, service in fleet.services.items()}
    changed = {name: change for name, change in services.items() if change != {}}
    if changed:
        live["services"] = changed
    write_text(path, _HEAD + yaml.safe_dump(live, sort_keys=False, allow_unicode=True, width=120))


def _endpoint(fleet: Fleet, name: str, url: Callable[[str, int], str]) -> dict[str, Any]:
    pool = fleet.pools[name]
    endpoint: dict[str, Any] = {"kind": "vllm", "urls": [url(name, i) for i in range(pool.replicas)]}
    real = pool.endpoint
    if real is not None:  # what the real one needs beside its addresses is not needed here
        endpoint |= {key: None for key in ("key", "ca") if getattr(real, key) is not None}
    return {**endpoint, "model": pool.model}


def _fewer(service: Service, fleet: Fleet, pools: Collection[str]) -> dict[str, Any] | None:
    """What changes for a service where only these pools are left; None: nobody serves it then."""
    before = [name for name in service.pools or fleet.pools if fleet.pools[name].model == service.model]
    left = [name for name in before if name in pools]
    if not left:
        return None
    return {"pools": left} if service.pools and len(left) < len(service.pools) else {}
