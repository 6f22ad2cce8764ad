"""Faults of a fleet file name what is there, or are refused with the line and what would be right."""

from __future__ import annotations

import pytest

from meritorder.fleet.load import loads
from meritorder.problems import InputError

FLEET = """\
sites:
  dallas: {usd_per_kwh: 0.05, kg_per_kwh: 0.3, facility: {}}
  toronto: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
pools:
  nodes: {site: dallas, accelerator: h100, model: llama-3.1-8b, replicas: 8}
services:
  chat: {model: llama-3.1-8b}
faults:
"""


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ("rates: [{what: machine, pools: [node]}]", 'faults.rates.0.pools.0: there is no pool "node"; did you mean'),
        ("spares: {noodles: 1}", 'there is no pool "noodles"; did you mean'),
        ("at: [{what: engine, name: dallas, start: 0 s}]", 'there is no pool "dallas"'),
        ("at: [{what: site, name: nodes, start: 0 s}]", 'faults.at.0.name: there is no site "nodes"'),
        ("at: [{what: link, name: x, start: 0 s}]", 'there is no link "x"'),
        ("at: [{what: pump, name: toronto, start: 0 s}]", 'is pump, but "toronto" has no `facility`'),
        ("at: [{what: machin, start: 0 s}]", 'did you mean "machine"?'),
        ("at: [{what: machine, start: 1}]", "is 1 without a unit"),
        ("rates: often", "rates"),
        ("rates: [{what: machine, mtbf: 0 s}]", "more than 0"),
    ],
)
def test_wrong_faults_are_refused_with_their_line(faults: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        loads(FLEET + f"  {faults}\n")
    told = [str(problem) for problem in refused.value.problems]
    assert any(words in text and "fleet:9" in text for text in told), told


def test_right_ones_are_read() -> None:
    faults = loads(
        FLEET + "  {rates: default, at: [{what: pump, name: dallas, start: 1 h}], spares: {nodes: 1}}\n"
    ).faults
    drawn = [rate.what for rate in faults.drawn()]
    assert "machine" in drawn
    assert "pipeline" not in drawn  # its machines fail as such already
    assert len(set(drawn)) == len(drawn) == 14
