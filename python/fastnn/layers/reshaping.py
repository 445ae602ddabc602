"""Layers that change the shape and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fastnn import ops
from fastnn.arrays import PartialShape
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
                f"[{self.name}] expected {self.target_shape} to hold the {size} elements of a sample {shape}"
            )
        return tuple(size // known if length == -1 else length for length in self.target_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}
