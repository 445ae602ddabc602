from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import DTypeLike, PartialShape
from fastnn.layers.layer import Layer
from fastnn.symbolic import SymbolicTensor


class InputLayer(Layer):
    """States a model's input. shape: without the batch; batch_shape: with it. Passes its input through."""

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        if (shape is None) == (batch_shape is None):
            raise ValueError(f"[InputLayer] expected either shape or batch_shape, got {shape} and {batch_shape}")
        given = batch_shape if shape is None else shape
        if not isinstance(given, (tuple, list)):
            raise ValueError(f"[InputLayer] expected a shape such as (64,), got {given!r}")
        for length in given:
            if length is not None and (not isinstance(length, (int, np.integer)) or length < 0):
                raise ValueError(f"[InputLayer] expected lengths that are None or integers >= 0, got {tuple(given)}")
        super().__init__(dtype=dtype, name=name, trainable=trainable)
        self.batch_shape: PartialShape = (batch_size, *shape) if shape is not None else tuple(batch_shape or ())
        self.built = True

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self.batch_shape

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> SymbolicTensor:
    """The shape of a model's input, for the front of a Sequential. shape: without the batch."""
    layer = InputLayer(shape, batch_size, dtype, batch_shape, name)
    return SymbolicTensor(layer.batch_shape, dtype, layer.name)
