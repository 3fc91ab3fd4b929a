"""64-bit digests of many strings at once, to find equal ones without keeping them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.compiler import kernel

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(33)


@kernel
def hash_strings(offsets: NDArray[np.int64], text: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """FNV-1a (Fowler, Noll, Vo 1991) of each string, finished by one xor-multiply round (Murmur3's first).

    :param offsets: int64[n + 1], the strings' bounds in `text` (an Arrow large_string's buffers).
    :return: uint64[n]; equal strings have equal digests, different ones nearly always different ones.
    """
    n = offsets.shape[0] - 1
    out = np.empty(n, np.uint64)
    for k in range(n):
        digest = _OFFSET
        for position in range(offsets[k], offsets[k + 1]):
            digest = (digest ^ np.uint64(text[position])) * _PRIME
        digest = (digest ^ (digest >> _SHIFT)) * _MIX
        out[k] = digest ^ (digest >> _SHIFT)
    return out
