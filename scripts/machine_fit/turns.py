"""Steps that lean on each other's files, in processes of their own: the catalog is read once a process."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def in_turn(steps: Iterable[Callable[[], None]]) -> None:
    """Run one step after the other; each reads anew what those before it have written."""
    for step in steps:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            fresh.submit(step).result()
