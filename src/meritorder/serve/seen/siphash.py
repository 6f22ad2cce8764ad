"""SipHash-2-4 of 8-byte words, many at a time: whoever lacks the key learns nothing from the results."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Words at a time: all arrays stay in the processor's cache.
_CHUNK = 1 << 12

Words = npt.NDArray[np.uint64]


def siphash(words: Words, key: bytes) -> Words:
    """The hash of each word (n) under a key of 16 bytes, as in Aumasson and Bernstein's paper."""
    result = np.empty(len(words), np.uint64)
    for low in range(0, len(words), _CHUNK):
        result[low : low + _CHUNK] = _hashed(words[low : low + _CHUNK], key)
    return result


def _hashed(words: Words, key: bytes) -> Words:
    k0, k1 = np.frombuffer(key, "<u8").astype(np.uint64)
    v = [
        np.full(len(words), k0 ^ np.uint64(0x736F6D6570736575)),
        np.full(len(words), k1 ^ np.uint64(0x646F72616E646F6D)),
        np.full(len(words), k0 ^ np.uint64(0x6C7967656E657261)),
        np.full(len(words), k1 ^ np.uint64(0x7465646279746573)),
    ]
    for word in (words, np.uint64(8 << 56)):  # the message, then its length
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= np.uint64(0xFF)
    _rounds(v, 4)
    result: Words = v[0] ^ v[1] ^ v[2] ^ v[3]
    return result


def _rounds(v: list[Words], count: int) -> None:
    for _ in range(count):
        _half(v, 0, 1, 13)
        v[0] = _rotated(v[0], 32)
        _half(v, 2, 3, 16)
        _half(v, 0, 3, 21)
        _half(v, 2, 1, 17)
        v[2] = _rotated(v[2], 32)


def _half(v: list[Words], a: int, b: int, bits: int) -> None:
    v[a] += v[b]
    v[b] = _rotated(v[b], bits) ^ v[a]


def _rotated(words: Words, bits: int) -> Words:
    return (words << np.uint64(bits)) | (words >> np.uint64(64 - bits))
