"""Links: how KV caches get from a pool that computes prompts to one that decodes, and which pairs of pools have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from meritorder.fleet.part import Name, Part
from meritorder.units import BytesPerSecond, Seconds

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet

LATENCY_S = 20e-6  # set-up and first byte of an RDMA transfer within a site


class Link(Part):
    """The network that carries KV caches from prefill to decode replicas, in one direction."""

    prefill: Name = Field(description="Where it starts: a pool with `role: prefill`, or a site for all of them there.")
    decode: Name = Field(description="Where it ends: a pool with `role: decode`, or a site for all of them there.")
    bandwidth: BytesPerSecond = Field(gt=0, description="Of one replica's port at either end, e.g. `50 GB/s`.")
    latency: Seconds = Field(default=LATENCY_S, description="Set-up of a transfer and time of flight.")
    total: BytesPerSecond | None = Field(
        default=None, gt=0, description="Bandwidth that all its transfers share; absent: only the ports limit it."
    )
    overlap: Literal["after", "layerwise"] = Field(
        default="after",
        description="`after`: a transfer starts when the prompt is computed; `layerwise`: each layer is sent as soon "
        "as it is computed, for which the decode replica keeps room from before the prompt is computed.",
    )


@dataclass(frozen=True)
class Path:
    """What a KV cache meets between two pools; `link` is empty where the fleet file has none for them."""

    link: str
    bandwidth: float
    latency: float
    total: float | None
    layerwise: bool


def path_between(fleet: Fleet, prefill: str, decode: str, ports: Mapping[str, float]) -> Path | None:
    """The link between two pools, or what their own network ports give within a site; None: they have none.

    `ports`: bytes a second of one replica's port, by pool.
    """
    names = links_between(fleet.model_dump(include={"links", "pools"}), prefill, decode)
    if names:
        link = fleet.links[names[0]]
        return Path(names[0], link.bandwidth, link.latency, link.total, link.overlap == "layerwise")
    if fleet.pools[prefill].site != fleet.pools[decode].site:
        return None
    return Path("", min(ports[prefill], ports[decode]), LATENCY_S, None, False)


def links_between(data: Mapping[str, Any], prefill: str, decode: str) -> list[str]:
    """The links of a fleet file's data that join two pools most closely: by their names before by their sites."""
    starts, stops = ((name, data["pools"][name].get("site")) for name in (prefill, decode))
    links = data.get("links")
    entries = links.items() if isinstance(links, Mapping) else ()
    ends = {name: (link.get("prefill"), link.get("decode")) for name, link in entries if isinstance(link, Mapping)}
    for pair in product(starts, stops):
        found = [name for name, joined in ends.items() if joined == pair]
        if found:
            return found
    return []
