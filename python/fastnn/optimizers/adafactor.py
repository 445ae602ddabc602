from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array, Shape
from fastnn.backend import constant, kernels
from fastnn.optimizers.by_variable import ByVariable
from fastnn.optimizers.optimizer import LearningRate
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Adafactor(ByVariable):
    """Steps as large as a share of the weights, by averages of g^2 that are kept for rows and columns alone.

    With b = 1 - step^beta_2_decay: r = b r + (1 - b) mean of (g^2 + epsilon_1) over the last axis, c the same over the
    last but one, v = r c / mean(r) over the last two axes; of vectors v itself is kept. u = g / sqrt(v), divided by
    max(1, rms(u) / clip_threshold); w -= max(epsilon_2, rms(w)) min(learning_rate, 1 / sqrt(step)) u.
    relative_step is there for Keras's sake: the rate is limited so in any case. Source: Shazeer and Stern, 2018.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_2_decay = float(beta_2_decay)
        self.epsilon_1 = in_range("epsilon_1", "Adafactor", epsilon_1, 0.0, float("inf"))
        self.epsilon_2 = in_range("epsilon_2", "Adafactor", epsilon_2, 0.0, float("inf"))
        if not clip_threshold > 0:
            raise ValueError(f"[Adafactor] expected clip_threshold > 0, got {clip_threshold}")
        self.clip_threshold, self.relative_step = float(clip_threshold), bool(relative_step)

    def slot_names(self) -> tuple[str, ...]:
        return ("rows", "columns")  # of a vector its averages themselves stand in "rows"

    def update(self, part: Part) -> None:
        u = self._decayed(part)
        clip = self._limits()[0]
        kernels(u).sgd(
            u, part.grads, None, part.runs, part.scales, self._minus_one, clip, 0.0, 0.0, 0.0, False
        )  # u = g, clipped and scaled
        step = ops.cast(self._step, np.float64)
        share = ops.cast(ops.power(step, self.beta_2_decay), u.dtype)  # 1 - b
        for (offset, _, _), shape in zip(part.runs.tolist(), part.shapes, strict=True):
            if prod(shape):
                self._normalize(part, u, share, offset, shape)
        sizes = constant(np.array([max(prod(shape), 1) for shape in part.shapes], np.float64))
        of_weights = ops.sqrt(ops.divide(self._squares(part, part.values), sizes))
        of_updates = ops.sqrt(ops.divide(self._squares(part, u), sizes))
        rate = ops.minimum(self._rate, ops.divide(1.0, ops.sqrt(step)))
        largest = ops.maximum(ops.divide(of_updates, self.clip_threshold), 1.0)
        factors = ops.divide(ops.multiply(ops.maximum(of_weights, self.epsilon_2), rate), largest)
        self._move(part, u, factors, self._one)

    def _normalize(self, part: Part, u: Array, share: Any, offset: int, shape: Shape) -> None:
        """Divides the gradients of one variable in u by the root of their averages, which it brings up to date."""
        factored = len(shape) > 1
        g = _cut(u, offset, shape)
        rows = _cut(part.slots["rows"], offset, shape[:-1] if factored else shape)
        squares = ops.add(ops.square(g), self.epsilon_1)
        _follow(rows, ops.mean(squares, axis=-1) if factored else squares, share)
        v = rows
        if factored:
            columns = _cut(part.slots["columns"], offset, (*shape[:-2], shape[-1]))
            _follow(columns, ops.mean(squares, axis=-2), share)
            shares = ops.divide(rows, ops.mean(rows, axis=-1, keepdims=True))
            v = ops.multiply(ops.expand_dims(shares, -1), ops.expand_dims(columns, -2))
        kernels(u).assign(ops.divide(g, ops.sqrt(v)), g)

    def get_config(self) -> dict[str, Any]:
        names = "beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _cut(buffer: Array, offset: int, shape: Shape) -> Array:
    """The part of a flat buffer that begins at offset."""
    return buffer.reshape(-1)[offset : offset + prod(shape)].reshape(shape)


def _follow(average: Array, value: Any, share: Any) -> None:
    """average += share (value - average), as (1 - share) average + share value."""
    kept = ops.multiply(ops.subtract(1.0, share), ops.reshape(average, (-1,)))
    now = ops.add(kept, ops.multiply(share, ops.reshape(value, (-1,))))
    kernels(average).assign(ops.reshape(now, average.shape), average)
