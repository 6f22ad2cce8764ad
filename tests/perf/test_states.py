"""Memory of states that linear layers keep for every sequence."""

from meritorder.catalog.load import catalog
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement


def test_states_of_linear_layers_are_reserved_for_every_sequence():
    found = catalog()
    model = found.models["qwen3.5-397b-a17b"]
    few, many = (
        memory(Placement(found.accelerators["b200"], model, 8, 1, "fp8", "fp8", sequences, 8192), 0.9, 16)
        for sequences in (16, 256)
    )
    assert many.reserve - few.reserve == 240 * model.state_bytes / 8
    assert many.blocks < few.blocks
