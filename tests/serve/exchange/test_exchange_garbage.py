"""An exchange that is over is gone: what it held does not wait for the collector of cycles."""

from __future__ import annotations

import gc

import pytest
from tests.serve.exchange.rig import Rig, fleet_text
from tests.serve.fake_backend import FakeBackend


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_nothing_is_left_of_an_exchange(stream: bool) -> None:
    with FakeBackend() as fake:
        rig = Rig(fleet_text([fake]))
        try:
            rig.chat(stream=stream)  # connections are there now
            rig.settled()
            gc.collect()
            gc.disable()
            for _ in range(5):
                assert rig.chat(stream=stream).status == 200
            rig.settled()
            gc.set_debug(gc.DEBUG_SAVEALL)
            rig.on_loop(gc.collect)
            ours = [each for each in gc.garbage if type(each).__module__.startswith("meritorder.serve")]
            left = {type(each).__name__ for each in ours}
            assert not left & {"Exchange", "Attempt", "Reader", "Told", "Answer", "Request", "Call"}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
            rig.stop()
