"""n decode iterations in closed form.

Iteration j of a jump reads the KV caches of B sequences that have grown by j tokens each, and t is affine in K:

    t_j = base + slope * (K + B j)         T(n) = n base + slope (n K + B n (n-1) / 2)
"""

from __future__ import annotations

from math import ceil, sqrt

from meritorder.compiled import inlined


@inlined
def total(base: float, slope: float, kv: int, batch: int, n: int) -> float:
    """T(n): sum of an affine quantity over n decode iterations."""
    return n * base + slope * (float(n) * kv + 0.5 * batch * n * (n - 1.0))


@inlined
def iterations_until(base: float, slope: float, kv: int, batch: int, seconds: float) -> int:
    """The least n >= 1 with T(n) >= seconds."""
    a = 0.5 * slope * batch
    b = base + slope * kv - a
    n = 1
    if seconds > 0.0:
        # the root that does not cancel for small a
        n = max(ceil(2.0 * seconds / (b + sqrt(b * b + 4.0 * a * seconds))), 1)
    while n > 1 and total(base, slope, kv, batch, n - 1) >= seconds:
        n -= 1
    while total(base, slope, kv, batch, n) < seconds:
        n += 1
    return n
