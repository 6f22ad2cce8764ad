"""How large the electrical path of a site is: UPS modules, transformers, busways, from what it must carry."""

from __future__ import annotations

from math import ceil

from meritorder.fleet.power_train import LossCurve, PowerTrain

PUMPS = 0.03  # of IT power: what pumps on the UPS may draw where a path is sized
LEAST_W = 1e3  # IT power that a path is built for, where no machines stand
LARGEST_MODULE_W, USUAL_MODULES = 1.5e6, 4  # of UPS, where the file gives no rating
TRANSFORMER_MARGIN = 1.1  # of what UPS and cooling draw on the hottest day at full load

# Installed per needed, and whether the rest is blocks of their own with a feed each (or modules on one common bus).
BLOCKS = {"4N/3": 4 / 3, "3N/2": 3 / 2, "2N": 2.0}


def full_loss(curve: LossCurve) -> float:
    """Lost at full load, in parts of the rating."""
    return curve.no_load + curve.proportional + curve.square


def capacity_w(power: PowerTrain, nameplate_w: float) -> float:
    """Critical power that the UPS carry without their spares: as the file says, or what the machines need."""
    if power.capacity is not None:
        return power.capacity
    nameplate_w = max(nameplate_w, LEAST_W)
    losses = full_loss(power.distribution) + (full_loss(power.shelf) if power.shelf else 0.0)
    return nameplate_w / power.oversubscription * (1.0 + losses + PUMPS)


def module_w(power: PowerTrain, nameplate_w: float) -> float:
    """Rating of one UPS module."""
    return power.module or min(LARGEST_MODULE_W, capacity_w(power, nameplate_w) / USUAL_MODULES)


def modules_needed(power: PowerTrain, nameplate_w: float) -> int:
    """UPS modules that carry that."""
    return max(1, ceil(capacity_w(power, nameplate_w) / module_w(power, nameplate_w) - 1e-9))


def modules_installed(power: PowerTrain, nameplate_w: float) -> int:
    """The same with those that stand by."""
    needed = modules_needed(power, nameplate_w)
    if power.redundancy in BLOCKS:
        return ceil(needed * BLOCKS[power.redundancy] - 1e-9)
    return needed + (1 if power.redundancy == "N+1" else 0)


def installed_share(power: PowerTrain) -> float:
    """Ratings of transformers (and, in blocks, of busways) of all feeds together, per what is needed."""
    if power.redundancy in BLOCKS:
        return BLOCKS[power.redundancy]
    if power.redundancy == "N+1" and power.feeds > 1:
        return power.feeds / (power.feeds - 1)
    return 1.0
