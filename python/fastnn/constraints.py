"""Limits that weights are put back into after each step; names, arguments and defaults are Keras's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import ops
from fastnn.registry import Registry
from fastnn.registry import serialize as serialize
from fastnn.structure import Structural

_registry = Registry("constraints")

Axes = int | Sequence[int]
_EPSILON = 1e-7


class Constraint(Structural):
    """Base class. A limit of your own implements __call__(w) -> the array to put in w's place, and get_config."""

    def __init_subclass__(cls) -> None:
        _registry.add_own(cls)

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def _lengths(w: Any, axis: Axes) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _scaled(w: Any, wanted: Any, lengths: Any) -> Any:
    return ops.multiply(w, ops.divide(wanted, ops.add(lengths, _EPSILON)))


class MaxNorm(Constraint):
    """w scaled down to length max_value along axis where it is longer. axis 0: the weights into one unit of Dense."""

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        lengths = _lengths(w, self.axis)
        return _scaled(w, ops.clip(lengths, 0.0, float(self.max_value)), lengths)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """w with 0 in place of what is negative."""

    def __call__(self, w: Any) -> Any:
        return ops.relu(w)


class UnitNorm(Constraint):
    """w scaled to length 1 along axis. axis 0: the weights into one unit of Dense."""

    def __init__(self, axis: Axes = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return ops.divide(w, ops.add(_lengths(w, self.axis), _EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """w scaled to a length in [min_value, max_value] along axis, by the share `rate` of the way each time."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        lengths = _lengths(w, self.axis)
        inside = ops.clip(lengths, float(self.min_value), float(self.max_value))
        wanted = ops.add(ops.multiply(inside, self.rate), ops.multiply(lengths, 1.0 - self.rate))
        return _scaled(w, wanted, lengths)

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
get = _registry.get
deserialize = _registry.deserialize
