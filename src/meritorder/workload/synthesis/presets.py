"""Ready synthetic workloads, fitted to published traces by scripts/fit_presets.py."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.units import FROM_FILE
from meritorder.workload.synthesis.spec import TrafficSpec

_FOLDER = "presets"


@cache
def names() -> tuple[str, ...]:
    """All presets there are, in alphabetical order."""
    folder = files("meritorder.workload.synthesis") / _FOLDER
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


def load(name: str) -> TrafficSpec:
    """The preset of this name. Raises InputError that names the nearest one where there is none."""
    import yaml

    if name not in names():
        raise InputError(Problem(f'there is no traffic preset "{name}"', fix=did_you_mean(name, names())))
    text = (files("meritorder.workload.synthesis") / _FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    # Long tables of our own making: PyYAML's C parser, where it was built with it, reads them many times faster.
    data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return TrafficSpec.model_validate(data, context=FROM_FILE)
