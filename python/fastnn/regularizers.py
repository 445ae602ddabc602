"""Penalties of weights or outputs, which a model adds to its loss; names, arguments and defaults are Keras's."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.backend import constant
from fastnn.registry import Registry
from fastnn.registry import serialize as serialize
from fastnn.structure import Structural

_registry = Registry("regularizers")


class Regularizer(Structural):
    """Base class. A penalty of your own implements __call__(x) -> a scalar, made of fastnn.ops, and get_config."""

    def __init_subclass__(cls) -> None:
        _registry.add_own(cls)

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class L1L2(Regularizer):
    """l1 sum(|x|) + l2 sum(x^2). The gradient at 0 is 0. Where a text writes lambda / 2 sum(x^2), l2 is lambda / 2."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _factor(self, "l1", l1), _factor(self, "l2", l2)

    def __call__(self, x: Any) -> Any:
        return ops.penalty(x, self.l1, self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """l1 sum(|x|): drives weights to 0. The gradient at 0 is 0."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor(self, "l1", l1)

    def __call__(self, x: Any) -> Any:
        return ops.penalty(x, self.l1, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 sum(x^2): keeps weights small. Where a text writes lambda / 2 sum(x^2), l2 is lambda / 2."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor(self, "l2", l2)

    def __call__(self, x: Any) -> Any:
        return ops.penalty(x, 0.0, self.l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor times the mean |cosine| of the angles between the rows, or columns, of a matrix."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"[OrthogonalRegularizer] expected mode 'rows' or 'columns', got {mode!r}")
        self.factor, self.mode = _factor(self, "factor", factor), mode

    def __call__(self, x: Any) -> Any:
        if x.ndim != 2:
            raise ValueError(f"[OrthogonalRegularizer] expected a matrix, got shape {x.shape}")
        along = 1 if self.mode == "rows" else 0
        squares = ops.sum(ops.square(x), axis=along, keepdims=True)
        directions = ops.divide(x, ops.sqrt(ops.maximum(squares, 1e-14)))
        turned = ops.transpose(directions)
        products = ops.matmul(directions, turned) if along else ops.matmul(turned, directions)
        others = constant(1.0 - np.eye(products.shape[0], dtype=products.dtype))
        pairs = others.size - len(others)
        return ops.sum(ops.absolute(products * others)) * (self.factor / max(pairs, 1))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


def _factor(owner: Any, name: str, value: float | None) -> float:
    """value as a float, 0 for None. Raises ValueError unless it is finite and not negative."""
    found = 0.0 if value is None else float(value)
    if not isfinite(found) or found < 0:
        raise ValueError(f"[{type(owner).__name__}] expected {name} >= 0, got {value}")
    return found


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_registry.add(L1L2, "l1_l2")
get = _registry.get
deserialize = _registry.deserialize
