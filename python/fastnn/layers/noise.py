"""Layers that disturb their input while training, and pass it through at any other time."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from fastnn import ops
from fastnn.layers.dropout import RandomLayer, checked_rate, filled_shape
from fastnn.ops.activation import SELU_ALPHA, SELU_SCALE


class GaussianNoise(RandomLayer):
    """Adds normally distributed noise: y = x + stddev z.

    seed: None for the next random stream of the program.
    """

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        if not 0 <= stddev <= 1:  # as in Keras
            raise ValueError(f"[GaussianNoise] expected stddev in [0, 1], got {stddev}")
        self.stddev = float(stddev)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0:
            return x
        return ops.add(x, ops.normal(x.shape, 0.0, self.stddev, x.dtype, self.seed_generator))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(RandomLayer):
    """Multiplies with normally distributed noise around 1: y = x (1 + sqrt(rate / (1 - rate)) z).

    rate: in [0, 1); the noise has the mean and the variance that Dropout(rate) has. seed: None for the next random
    stream of the program. Source: Srivastava et al., 2014.
    """

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.rate = checked_rate("GaussianDropout", rate)
        if self.rate == 1:
            raise ValueError(f"[GaussianDropout] expected rate in [0, 1), got {rate}")

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        stddev = sqrt(self.rate / (1 - self.rate))
        return ops.multiply(x, ops.normal(x.shape, 1.0, stddev, x.dtype, self.seed_generator))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class AlphaDropout(RandomLayer):
    """Dropout for layers with selu: dropped elements become selu's lowest value, and all are scaled and moved so that
    inputs of mean 0 and variance 1 keep both.

    rate: in [0, 1); rounded to a multiple of 2**-32, as in ops.dropout. noise_shape: shape of the mask, None where
    it has the input's length. seed: None for the next random stream of the program. Source: Klambauer et al., 2017.
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(seed, **options)
        self.rate = checked_rate("AlphaDropout", rate)
        if self.rate == 1:
            raise ValueError(f"[AlphaDropout] expected rate in [0, 1), got {rate}")
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        shape = filled_shape(self.name, self.noise_shape, x.shape)
        low = -SELU_ALPHA * SELU_SCALE
        dropped = min(int(self.rate * 2**32 + 0.5), 2**32 - 1) / 2**32  # the share that ops.dropout drops
        scale = 1 / sqrt((1 - dropped) * (1 + dropped * low**2))
        moved = ops.dropout(  # (x - low) / (1 - dropped), or 0
            ops.subtract(x, low), dropped, noise_shape=shape, seed=self.seed_generator
        )
        return ops.add(ops.multiply(moved, scale * (1 - dropped)), scale * low * (1 - dropped))

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": shape}
