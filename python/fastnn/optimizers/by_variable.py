"""What the rules share that look at whole variables: lengths of them, not at single weights alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array
from fastnn.backend import full, kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part


class ByVariable(Optimizer):
    """A rule that makes its updates u first, then subtracts for each variable a factor of its own times u.

    Every variable is a run of its own.
    """

    per_variable = True

    def __init__(self, learning_rate: LearningRate, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self._one, self._minus_one = np.ones(1), -np.ones(1)  # rates, as kernels read them

    def _decayed(self, part: Part) -> Array:
        """Applies weight decay. Returns zeros, where updates are to be written."""
        u = full(part.values.shape, 0.0, part.values.dtype)
        decay = self._limits()[1]
        if decay:
            kernels(u).sgd(part.values, u, None, part.runs, None, self._rate, 0.0, decay, 0.0, 0.0, False)
        return u

    def _squares(self, part: Part, buffer: Array) -> Array:
        """The squared length of each variable's part of a buffer, float64."""
        squares = full((len(part.runs),), 0.0, np.float64)
        kernels(buffer).squared_norms(buffer, squares, part.runs)
        return squares

    def _move(self, part: Part, u: Array, factors: Any, rate: Array) -> None:
        """values -= rate factors u."""
        kernels(u).sgd(part.values, u, None, part.runs, ops.cast(factors, np.float64), rate, 0.0, 0.0, 0.0, 0.0, False)
