from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.layer import Layer
from fastnn.random import SeedGenerator


class Dropout(Layer):
    """Sets a random share of the elements to 0 while training, and scales the others by 1 / (1 - rate).

    rate: in [0, 1]. noise_shape: shape of the mask, None where it has the input's length. seed: None for the next
    random stream of the program. Outside training it passes its input through. Source: Srivastava et al., 2014.
    """

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if not 0 <= rate <= 1:
            raise ValueError(f"[Dropout] expected rate in [0, 1], got {rate}")
        self.rate, self.seed = float(rate), seed
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed_generator = SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        if self.rate == 1:
            return x * 0.0
        return ops.dropout(x, self.rate, noise_shape=self._noise_shape(x.shape), seed=self.seed_generator)

    def _noise_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        if self.noise_shape is None:
            return None
        if len(self.noise_shape) != len(shape):
            raise ValueError(f"[{self.name}] expected noise_shape with {len(shape)} axes, got {self.noise_shape}")
        return tuple(length if own is None else own for length, own in zip(shape, self.noise_shape, strict=True))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": shape, "seed": self.seed}
