"""Random streams named by what they are for, so that no draw depends on how the work is cut."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """An independent PCG64 stream for a seed and a purpose, such as (7, "portfolio", "bond", 12)."""
    key = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in purpose]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *key])))
