"""Shapes without data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.arrays import DTypeLike, PartialShape, float_dtype


class SymbolicTensor:
    """What a model's input will be. shape: the batch first; None where a length is not known yet."""

    def __init__(self, shape: Sequence[int | None], dtype: DTypeLike | None = None, name: str | None = None) -> None:
        self.shape: PartialShape = tuple(shape)
        self.dtype = float_dtype(dtype, "Input")
        self.name = name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "[SymbolicTensor] expected an array, got a symbolic input, which has no values; put it into a model"
        )

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"
