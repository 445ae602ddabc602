"""Counter-based random streams, and numbers drawn from them.

Every random thing (a layer, an initializer, a shuffle) owns a stream: its number is the count of streams made since
set_random_seed, so that the same program draws the same numbers, whatever the number of threads.
"""

from __future__ import annotations

import os
import random as _python_random
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, float_dtype
from fastnn.operators import dispatch

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

    seed: None for the next stream of the program, or an integer for a stream of its own. name: for Keras's sake.
    state: uint64, (3,). Seed, stream and step, in memory so that kernels read the step when they run.
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(f"[SeedGenerator] expected seed to be None or an integer >= 0, got {seed!r}")
        self.seed, self.name = seed, name or "seed_generator"
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
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


def as_generator(seed: int | SeedGenerator | None) -> SeedGenerator:
    """seed itself if it is a SeedGenerator, else a new one."""
    return seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)


# ---- draws -----------------------------------------------------------------------------------------------------------
# seed: a SeedGenerator, which moves on by one step; an integer, which gives the same numbers each time; or None for the
# next stream of the program.

Seed = int | SeedGenerator | None


def uniform(
    shape: Sequence[int], minval: float = 0.0, maxval: float = 1.0, dtype: DTypeLike | None = None, seed: Seed = None
) -> Array:
    """Numbers evenly distributed in [minval, maxval)."""
    kind = float_dtype(dtype, "random.uniform")
    if not minval <= maxval:
        raise ValueError(f"[random.uniform] expected minval <= maxval, got {minval} and {maxval}")
    drawn = as_generator(seed).numpy().random(tuple(shape), kind.type) * kind.type(maxval - minval)
    below = np.nextafter(kind.type(maxval), kind.type(minval))  # which rounding must not lead beyond
    return np.asarray(np.minimum(drawn + kind.type(minval), below))


def normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: DTypeLike | None = None, seed: Seed = None
) -> Array:
    """Normally distributed numbers."""
    drawn = as_generator(seed).numpy().normal(mean, stddev, tuple(shape))
    return np.asarray(drawn, float_dtype(dtype, "random.normal"))


def truncated_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: DTypeLike | None = None, seed: Seed = None
) -> Array:
    """Normally distributed numbers, drawn again beyond two standard deviations from the mean."""
    drawn = within_two(as_generator(seed).numpy(), tuple(shape))
    return np.asarray(mean + stddev * drawn, float_dtype(dtype, "random.truncated_normal"))


def within_two(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers, drawn again beyond two standard deviations."""
    drawn = generator.standard_normal(shape)
    while np.any(outside := np.abs(drawn) > 2):
        drawn[outside] = generator.standard_normal(int(np.sum(outside)))
    return np.asarray(drawn)


def randint(shape: Sequence[int], minval: int, maxval: int, dtype: DTypeLike = "int32", seed: Seed = None) -> Array:
    """Whole numbers evenly distributed in [minval, maxval)."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise ValueError(f"[random.randint] expected dtype of whole numbers, got {kind}")
    return as_generator(seed).numpy().integers(int(minval), int(maxval), tuple(shape), kind)


def categorical(logits: Any, num_samples: int, dtype: DTypeLike = "int32", seed: Seed = None) -> Array:
    """Classes drawn by the probabilities softmax(logits). logits: (n, classes). Returns (n, num_samples)."""
    scores = np.asarray(logits, np.float64)
    if scores.ndim != 2:
        raise ValueError(f"[random.categorical] expected logits (n, classes), got {scores.shape}")
    # the largest of logits and Gumbel's numbers is class i by the probability of i
    noise = as_generator(seed).numpy().gumbel(size=(len(scores), int(num_samples), scores.shape[1]))
    return np.asarray(np.argmax(scores[:, None, :] + noise, axis=-1), dtype)


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Array:
    """x with its slices along axis in another order."""
    return np.asarray(as_generator(seed).numpy().permutation(np.asarray(x), axis))


def gamma(shape: Sequence[int], alpha: Any, dtype: DTypeLike | None = None, seed: Seed = None) -> Array:
    """Numbers of the gamma distribution of shape alpha and scale 1. alpha: numbers that fit `shape`."""
    drawn = as_generator(seed).numpy().gamma(np.asarray(alpha), size=tuple(shape))
    return np.asarray(drawn, float_dtype(dtype, "random.gamma"))


def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: DTypeLike | None = None, seed: Seed = None) -> Array:
    """Numbers of the beta distribution. alpha, beta: numbers that fit `shape`."""
    drawn = as_generator(seed).numpy().beta(np.asarray(alpha), np.asarray(beta), size=tuple(shape))
    return np.asarray(drawn, float_dtype(dtype, "random.beta"))


def binomial(
    shape: Sequence[int], counts: Any, probabilities: Any, dtype: DTypeLike | None = None, seed: Seed = None
) -> Array:
    """How many of `counts` trials succeed, each by one of `probabilities`; both fit `shape`."""
    trials = np.asarray(counts).astype(np.int64)
    drawn = as_generator(seed).numpy().binomial(trials, np.asarray(probabilities), size=tuple(shape))
    return np.asarray(drawn, float_dtype(dtype, "random.binomial"))


def dropout(inputs: Any, rate: float, noise_shape: Sequence[int] | None = None, seed: Seed = None) -> Any:
    """Drops elements at random and scales the others, so that the mean stays; see ops.dropout."""
    return dispatch["dropout"](inputs, rate, noise_shape=noise_shape, seed=seed)
