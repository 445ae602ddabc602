"""NaN in the memory that calls are given next: an element that an op reads or returns without writing it shows."""

from __future__ import annotations

import numpy as np

from fastnn import backend

#: Bytes of the blocks that are soiled, every size of the pool's up to half a megabyte, and how many of each.
SIZES = [(4 + k % 4 << k // 4) * 16 for k in range(52)]
BLOCKS = 3


def soil_memory() -> None:
    """Leaves blocks full of NaN, float32, in the pool, from which outputs and scratch memory are taken.

    On one thread: where tests run side by side, OpenMP's regions would wait for each other at every block.
    """
    float32 = np.dtype(np.float32)
    with backend.threads(1):
        held = [backend.full((size // 4,), np.nan, float32) for size in SIZES for _ in range(BLOCKS)]
    held.clear()
