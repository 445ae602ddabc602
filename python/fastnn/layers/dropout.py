from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import PartialShape, Shape
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.layer import Layer
from fastnn.random import SeedGenerator


class RandomLayer(Layer):
    """Base class of layers without weights that draw random numbers while training and keep the shape.

    seed: an integer, or None for the next random stream of the program. The numbers of a step are the same at any
    number of threads, and a saved model goes on with the stream where it was.
    """

    supports_masking = True

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.built = True

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


class Dropout(RandomLayer):
    """Sets a random share of the elements to 0 while training, and scales the others by 1 / (1 - rate).

    rate: in [0, 1]. noise_shape: shape of the mask, None where it has the input's length. seed: None for the next
    random stream of the program. Outside training it passes its input through. Source: Srivastava et al., 2014.
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(seed, **options)
        self.rate = checked_rate("Dropout", rate)
        self.noise_shape = _noise_shape(noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x
        if self.rate == 1:
            return x * 0.0
        return ops.dropout(x, self.rate, noise_shape=self._mask_shape(x.shape), seed=self.seed_generator)

    def _mask_shape(self, shape: Shape) -> Shape | None:
        return filled_shape(self.name, self.noise_shape, shape)

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {**super().get_config(), "rate": self.rate, "noise_shape": shape}


def _noise_shape(given: Any) -> tuple[int | None, ...] | None:
    if given is None:
        return None
    lengths = tuple(given) if isinstance(given, (tuple, list)) else None
    if lengths is None or not all(n is None or (isinstance(n, (int, np.integer)) and n > 0) for n in lengths):
        raise ValueError(f"[Dropout] expected noise_shape a tuple of positive integers and None, got {given!r}")
    return lengths


class _SpatialDropout(RandomLayer):
    """Drops whole channels: all places of one are kept or set to 0 together. Source: Tompson et al., 2015."""

    _axes = 0  # of places

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        if data_format not in (None, "channels_last"):
            raise ValueError(f"[{type(self).__name__}] expected data_format 'channels_last', got {data_format!r}")
        self.rate = checked_rate(type(self).__name__, rate)
        self.input_spec = InputSpec(ndim=self._axes + 2)

    def call(self, x: Any, training: bool = False) -> Any:
        if x.ndim != self._axes + 2:
            raise ValueError(f"[{self.name}] expected an input of {self._axes + 2} axes, got shape {x.shape}")
        if not training or self.rate == 0:
            return x
        if self.rate == 1:
            return x * 0.0
        shape = (x.shape[0], *[1] * self._axes, x.shape[-1])
        return ops.dropout(x, self.rate, noise_shape=shape, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class SpatialDropout1D(_SpatialDropout):
    """Drops whole channels of sequences (n, t, c). rate: in [0, 1]. Source: Tompson et al., 2015."""

    _axes = 1

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed=seed, **options)


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of images (n, h, w, c). rate: in [0, 1]. Source: Tompson et al., 2015."""

    _axes = 2


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of volumes (n, d, h, w, c). rate: in [0, 1]. Source: Tompson et al., 2015."""

    _axes = 3


def checked_rate(where: str, rate: float) -> float:
    """rate as a float. Raises ValueError unless it lies in [0, 1]."""
    if not 0 <= rate <= 1:
        raise ValueError(f"[{where}] expected rate in [0, 1], got {rate}")
    return float(rate)


def filled_shape(name: str, noise_shape: Sequence[int | None] | None, shape: Shape) -> Shape | None:
    """noise_shape with the input's lengths where it has None. Raises ValueError for another number of axes."""
    if noise_shape is None:
        return None
    if len(noise_shape) != len(shape):
        raise ValueError(f"[{name}] expected noise_shape with {len(shape)} axes, got {tuple(noise_shape)}")
    return tuple(length if own is None else own for length, own in zip(shape, noise_shape, strict=True))
