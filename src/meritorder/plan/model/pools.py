"""Pools: a model on a system at a site, wherever some way to serve goes over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Bools, Instance, Ints


@dataclass(frozen=True)
class Pools:
    """[P] by site, system and model, in that order."""

    site: Ints
    system: Ints
    model: Ints
    alone: Bools  # no other model is served on that system there: nothing to place
    way: Ints  # [F] the pool that serves, or computes the prompts; -1: an API
    decoder: Ints  # [F] the pool that makes the tokens of a pair; -1: not a pair


def pools_of(instance: Instance) -> Pools:
    """The pools of an instance."""
    ways = instance.ways
    model = instance.demand.model[ways.cls]
    own, pair = ways.system >= 0, ways.decoder >= 0
    first = np.stack([ways.site, ways.system, model], axis=1)
    second = np.stack([ways.site, ways.decoder, model], axis=1)
    found, number = np.unique(np.concatenate([first[own], second[pair]]), axis=0, return_inverse=True)
    number = number.ravel()
    way, decoder = np.full(len(own), -1), np.full(len(own), -1)
    way[own], decoder[pair] = number[: own.sum()], number[own.sum() :]
    found = found.reshape(-1, 3)
    _, cell, count = np.unique(found[:, :2], axis=0, return_inverse=True, return_counts=True)
    return Pools(found[:, 0], found[:, 1], found[:, 2], count[cell.ravel()] == 1, way, decoder)


def can_stand(instance: Instance) -> Bools:
    """[T,S,H] whether any system can be there."""
    stock, ground = instance.stock, instance.ground
    bought = np.cumsum(stock.supply + np.minimum(stock.option, stock.option_all), axis=0) > 0
    room = np.where(stock.block >= 0, ground.block_most[:, stock.block] > 0, False)
    possible: Bools = room & (bought[:, None, :] | (np.maximum.accumulate(stock.standing, axis=0) > 0))
    return possible
