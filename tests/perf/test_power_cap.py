"""A power limit: power stays below it, prompts wait, decode hardly does."""

from itertools import pairwise

import numpy as np
import pytest

from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError


def _replica(more="", machine="h100, tensor: 8"):
    text = (
        "sites: {here: {usd_per_kwh: 0.07, kg_per_kwh: 0.3}}\n"
        f"pools: {{one: {{site: here, model: llama-2-70b, replicas: 1, accelerator: {machine}{more}}}}}\n"
        "services: {chat: {model: llama-2-70b}}\n"
    )
    return compile_replica(loads(text, "test.yaml"), "one")


@pytest.fixture(scope="module")
def free():
    return _replica()


@pytest.fixture(scope="module")
def half():
    return _replica(", power_cap: 350 W")


def test_prompts_wait_and_decode_hardly_does(free, half):
    prompt = [replica.table.seconds(0, 0, 2048, 2048 * 2049 / 2) for replica in (free, half)]
    decode = [replica.table.seconds(16, 16 * 1024) for replica in (free, half)]
    assert prompt[1] / prompt[0] == pytest.approx(1.30, abs=0.06)  # Splitwise, H100 at half its power
    assert 1.0 <= decode[1] / decode[0] < 1.02


def test_no_iteration_draws_more_than_the_limit(free, half):
    allowed = (350 - 140) / (700 - 140)  # of the range from the waiting board to its maximum
    for replica, share in ((free, 1.0), (half, allowed)):
        for decoding, prompt in ((1, 0), (64, 0), (256, 0), (0, 1), (0, 8192), (128, 1024)):
            work = (decoding, decoding * 800, prompt, prompt * (prompt + 1) / 2)
            watts = replica.table.joules(*work) / replica.table.seconds(*work)
            assert 0 < watts <= share * 8 * (1275 - 360) * (1 + 1e-9)
    assert half.max_w == free.max_w - 8 * 350


def test_a_lower_limit_takes_no_less_time_and_no_more_power(free):
    tables = [free.table, *(_replica(f", power_cap: {watts} W").table for watts in (600, 450, 300))]
    for wider, tighter in pairwise(tables):
        assert (tighter.step_s >= wider.step_s * (1 - 1e-12)).all()
        power = [table.step_j[1:] / table.step_s[1:] for table in (wider, tighter)]
        assert (power[1] <= power[0] * (1 + 1e-9)).all()
    assert (np.diff(tables[-1].step_s) >= -1e-12).all()


def test_a_limit_that_cannot_be_set_is_refused():
    for cap in ("120 W", "800 W"):
        with pytest.raises(InputError) as caught:
            _replica(f", power_cap: {cap}")
        problem = caught.value.problems[0]
        assert problem.key == "pools.one.power_cap"
        assert "252 W to 700 W" in problem.fix
    with pytest.raises(InputError, match="wafer"):
        _replica(", power_cap: 20 kW", machine="cs-3, pipeline: 5")
