"""Counter-based random streams.

Every random thing (a layer, an initializer, a shuffle) owns a stream: its number is the count of streams made since
set_random_seed, so that the same program draws the same numbers, whatever the number of threads.
"""

from __future__ import annotations

import os
import random as _python_random
from typing import Any

import numpy as np

from fastnn.arrays import Array

_seed = int.from_bytes(os.urandom(7), "little")
_streams = 0


def set_random_seed(seed: int) -> None:
    """Starts all random streams anew from `seed`, and seeds Python's and NumPy's generators as Keras does.

    seed: integer in [0, 2**32). Raises ValueError otherwise.
    """
    global _seed, _streams
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"[set_random_seed] expected an integer in [0, 2**32), got {seed!r}")
    _seed, _streams = int(seed), 0
    _python_random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002 (users of the old generator expect it, as in Keras)


def next_stream() -> tuple[int, int]:
    """(seed, stream) of a new stream."""
    global _streams
    _streams += 1
    return _seed, _streams


class SeedGenerator:
    """A random stream and how far it has been used.

    seed: None for the next stream of the program, or an integer for a stream of its own.
    state: uint64, (3,). Seed, stream and step, in memory so that kernels read the step when they run.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(f"[SeedGenerator] expected seed to be None or an integer >= 0, got {seed!r}")
        self.seed = seed
        self.state: Array = np.array([*(next_stream() if seed is None else (int(seed), 0)), 0], np.uint64)

    def next(self) -> Array:
        """The state for one draw, uint64, (3,); the generator moves on by one step."""
        now = self.state.copy()
        self.state[2] += np.uint64(1)
        return now

    def numpy(self) -> np.random.Generator:
        """A NumPy generator for one draw, keyed by seed, stream and step."""
        seed, stream, step = (int(part) for part in self.next())
        return np.random.Generator(np.random.Philox(counter=[0, 0, 0, step], key=[seed, stream]))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


def as_generator(seed: int | SeedGenerator | None) -> SeedGenerator:
    """seed itself if it is a SeedGenerator, else a new one."""
    return seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)
