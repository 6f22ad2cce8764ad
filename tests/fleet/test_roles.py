"""Pools with a role and the links between them: what is understood, and every mistake with its line."""

from __future__ import annotations

import pytest

from meritorder.dispatch.legs import paths_of
from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError

SPLIT = """\
sites:
  a: {usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 300 g/kWh}
  b: {usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 300 g/kWh}
pools:
  reader: {site: a, accelerator: h100, model: llama-3.1-8b, replicas: 1, role: prefill}
  near: {site: a, accelerator: h200, tensor: 2, model: llama-3.1-8b, replicas: 1, role: decode}
  far: {site: b, accelerator: h200, model: llama-3.1-8b, replicas: 1, role: decode}
links:
  between: {prefill: a, decode: b, bandwidth: 10 GB/s, latency: 5 ms, total: 40 GB/s}
services:
  all: {model: llama-3.1-8b}
"""


def test_pools_of_one_site_have_their_own_ports_and_others_need_a_link() -> None:
    fleet = loads(SPLIT)
    paths = paths_of(fleet, [compile_replica(fleet, name) for name in fleet.pools])
    near, far = paths["reader", "near"], paths["reader", "far"]
    assert (near.link, near.bandwidth, near.layerwise) == ("", fleet.accelerators["h100"].scale_out, False)
    assert (far.link, far.bandwidth, far.latency, far.total) == ("between", 10e9, 0.005, 40e9)


def test_a_link_between_pools_comes_before_one_between_sites() -> None:
    closer = "  closer: {prefill: reader, decode: far, bandwidth: 1 GB/s, overlap: layerwise}\nservices:"
    fleet = loads(SPLIT.replace("services:", closer))
    path = paths_of(fleet, [compile_replica(fleet, name) for name in fleet.pools])["reader", "far"]
    assert (path.link, path.layerwise) == ("closer", True)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "  between: {prefill: a",
            "  between: {prefill: b",
            "f.yaml:7: pools.far.role: decodes, but no pool computes prompts for it; reader with `role: prefill` is at "
            "another site: give a link under `links`",
        ),
        (
            "replicas: 1, role: prefill}",
            "replicas: 1}",
            "f.yaml:6: pools.near.role: decodes, but no pool computes prompts for it; add a pool with `role: prefill` "
            "and `model: llama-3.1-8b`, or leave `role` out",
        ),
        (
            "prefill: a, decode: b",
            "prefill: reeder, decode: b",
            'f.yaml:9: links.between.prefill: there is no pool or site "reeder"; did you mean "reader"?',
        ),
        (
            "prefill: a, decode: b",
            "prefill: near, decode: b",
            'f.yaml:9: links.between.prefill: pool "near" does not have `role: prefill`; name one that has, or a site',
        ),
        (
            "services:\n",
            "  twice: {prefill: a, decode: b, bandwidth: 1 GB/s}\nservices:\n",
            "f.yaml:10: links.twice: is one of several links from reader to far: between, twice; keep one, or name the "
            "pools",
        ),
        (
            "  all: {model: llama-3.1-8b}",
            "  all: {model: llama-3.1-8b, pools: [reader]}",
            'f.yaml:11: services.all.pools.0: pool "reader" computes prompts that none of the others can decode; add '
            "near or far",
        ),
        (
            "  all: {model: llama-3.1-8b}",
            "  all: {model: llama-3.1-8b, pools: [near]}",
            'f.yaml:11: services.all.pools.0: pool "near" decodes, but none of the others computes prompts for it; add '
            "reader",
        ),
        (
            "bandwidth: 10 GB/s",
            "bandwidth: 0",
            "f.yaml:9: links.between.bandwidth: is 0; give more than 0",
        ),
    ],
)
def test_a_mistake_with_roles_is_told_with_its_line(old: str, new: str, complaint: str) -> None:
    assert old in SPLIT
    with pytest.raises(InputError) as caught:
        loads(SPLIT.replace(old, new, 1), "f.yaml")
    assert complaint in [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("end", "keys"),
    [
        ("decode: fer", {"links.between.decode"}),
        ("decode: reader", {"links.between.decode"}),
        ("decoder: far", {"links.between.decode", "links.between.decoder"}),
    ],
)
def test_a_wrong_link_is_told_without_the_pools_that_lack_it(end: str, keys: set[str]) -> None:
    """The pools at its ends are not said to lack a link as well, nor the service that is bound to them."""
    lines = [line for line in SPLIT.splitlines() if not line.startswith("  near:")]
    fleet = "\n".join(lines).replace("decode: b", end).replace("all: {", "all: {pools: [reader, far], ")
    with pytest.raises(InputError) as caught:
        loads(fleet)
    assert {problem.key for problem in caught.value.problems} == keys
