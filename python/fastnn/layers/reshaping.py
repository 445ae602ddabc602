"""Layers that change the shape and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.layer import Layer, size_of


class Flatten(Layer):
    """All axes but the batch in one: (n, ...) -> (n, product). A batch of numbers becomes (n, 1)."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise ValueError(f"[Flatten] expected data_format 'channels_last', got {data_format!r}")
        self.built = True

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (input_shape[0], size_of(tuple(input_shape[1:])))


class Reshape(Layer):
    """Another shape for each sample: (n, ...) -> (n, *target_shape); one -1 stands for what is left."""

    def __init__(self, target_shape: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(int(length) for length in target_shape)
        if sum(length == -1 for length in self.target_shape) > 1:
            raise ValueError(f"[Reshape] expected at most one -1, got {self.target_shape}")
        if min(self.target_shape, default=0) < -1:
            raise ValueError(f"[Reshape] expected lengths >= 0 or -1, got {self.target_shape}")
        self.built = True

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], *self._target(x.shape[1:])))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (input_shape[0], *self._target(tuple(input_shape[1:])))

    def _target(self, shape: PartialShape) -> PartialShape:
        size = size_of(shape)
        known = prod(length for length in self.target_shape if length != -1)
        if size is None:
            return tuple(None if length == -1 else length for length in self.target_shape)
        if (size % known if known else size) if -1 in self.target_shape else size != known:
            raise ValueError(
                f"[{self.name}] expected {self.target_shape} to hold the {size} elements of a sample {shape}; "
                "a -1 in it stands for what is left"
            )
        return tuple(size // known if length == -1 else length for length in self.target_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(Layer):
    """The axes of each sample in another order: axis i of the output is axis dims[i - 1] of the input.

    dims: 1, 2, ... each once; the batch, axis 0, stays in front.
    """

    def __init__(self, dims: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.dims = tuple(int(axis) for axis in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"[Permute] expected each of 1 to {len(self.dims)} once, got {self.dims}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)
        self.built = True

    def call(self, x: Any) -> Any:
        if len(x.shape) != len(self.dims) + 1:
            raise ValueError(f"[{self.name}] expected x with {len(self.dims) + 1} axes, got {tuple(x.shape)}")
        return ops.transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(Layer):
    """Each sample n times, as steps: (batch, i) -> (batch, n, i)."""

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"[RepeatVector] expected n to be an integer, got {n!r}")
        if n < 1:
            raise ValueError(f"[RepeatVector] expected n >= 1, got {n}")
        self.n = int(n)
        self.input_spec = InputSpec(ndim=2)
        self.built = True

    def call(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ValueError(f"[{self.name}] expected x with 2 axes (n, i), got {tuple(x.shape)}")
        return ops.broadcast_to(ops.expand_dims(x, 1), (x.shape[0], self.n, x.shape[1]))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class Identity(Layer):
    """Its input as it is: a place with a name."""

    supports_masking = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.built = True

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return input_shape
