"""Metric: a figure gathered over batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn import initializers
from fastnn.arrays import Array, DTypeLike, floatx
from fastnn.autograd import Variable, raw
from fastnn.losses.loss import fit_weight, masked_weight
from fastnn.masks import mask_of, masked
from fastnn.registry import Registry, snake_case, unique_name

registry = Registry("metrics")


class Metric:
    """Base class. A metric of your own implements update_state and result, and reset_state for state of other kinds.

    class Largest(Metric):
        def __init__(self, name="largest"):
            super().__init__(name=name)
            self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")
        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(max(float(self.largest), np.max(y_pred)))
        def result(self):
            return float(self.largest)
    """

    #: "up" if more is better, "down" if less is, None if that is not known.
    direction: str | None = None

    def __init__(self, dtype: DTypeLike | None = None, name: str | None = None) -> None:
        self.name = name or unique_name(snake_case(type(self).__name__))
        self.dtype = floatx() if dtype is None else np.dtype(dtype).name
        self._variables: list[Variable] = []

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)

    def add_variable(
        self, shape: Sequence[int], initializer: Any = "zeros", dtype: DTypeLike | None = None, name: str | None = None
    ) -> Variable:
        """A new Variable for the state, which reset_state sets to zero."""
        kind, begin = np.dtype(dtype or self.dtype), initializers.get(initializer)
        value = begin if kind.kind == "f" else np.asarray(begin(tuple(shape))).astype(kind)
        variable = Variable(value, tuple(shape), kind, False, name)
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ) -> Variable:
        """add_variable under another name."""
        return self.add_variable(shape, initializer, dtype, name)

    @property
    def variables(self) -> list[Variable]:
        """What add_variable made."""
        return list(self._variables)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"[{type(self).__name__}] expected update_state() to be implemented")

    def result(self) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] expected result() to be implemented")

    def reset_state(self) -> None:
        if not self._variables:
            raise NotImplementedError(f"[{type(self).__name__}] expected reset_state() to be implemented")
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def weights_of(name: str, values: Array, sample_weight: Any) -> Array:
    """sample_weight, one per value or one per row of values, in the shape of values. Ones for None."""
    if sample_weight is None:
        return np.ones(values.shape)
    return fit_weight(name, sample_weight, values.shape, np.float64)


def share(part: Any, whole: Any) -> Any:
    """part / whole, 0 where whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole != 0)


class _Average(Metric):
    """Weighted mean of all values added. 0 before the first."""

    def __init__(self, name: str | None, dtype: DTypeLike | None) -> None:
        super().__init__(dtype, name)
        self.total = 0.0
        self.count = 0.0

    def add(self, total: float, count: float) -> None:
        """Adds `count` values whose sum is `total`."""
        self.total += total
        self.count += count

    def _add(self, values: Any, sample_weight: Any) -> None:
        array = np.asarray(raw(values), np.float64)
        if sample_weight is None:
            return self.add(float(np.sum(array)), array.size)
        weights = weights_of(self.name, array, sample_weight)
        self.add(float(np.sum(array * weights)), float(np.sum(weights)))

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        self.total = self.count = 0.0


class Mean(_Average):
    """Weighted mean of all values seen. 0 before the first."""

    def __init__(self, name: str | None = "mean", dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        self._add(values, sample_weight)


class Sum(Metric):
    """Weighted sum of all values seen."""

    def __init__(self, name: str | None = "sum", dtype: DTypeLike | None = None) -> None:
        super().__init__(dtype, name)
        self.total = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        array = np.asarray(raw(values), np.float64)
        self.total += float(np.sum(array * weights_of(self.name, array, sample_weight)))

    def result(self) -> float:
        return self.total

    def reset_state(self) -> None:
        self.total = 0.0


class MeanMetricWrapper(_Average):
    """Mean of fn(y_true, y_pred, **options), one value per sample."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: DTypeLike | None = None, **options: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self._fn, self._options = fn, options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = mask_of(y_pred)
        if mask is not None:
            sample_weight = masked_weight(self.name, sample_weight, mask, False, np.float64)
        self._add(self._fn(raw(y_true), raw(y_pred), **self._options), sample_weight)


class MeanOverOutputs(MeanMetricWrapper):
    """Mean of a loss that is a mean over the last axis: numbers in one axis are samples of one output."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask, y_true, y_pred = mask_of(y_pred), np.asarray(raw(y_true)), np.asarray(raw(y_pred))
        if y_true.ndim == y_pred.ndim == 1:
            y_pred = y_pred[:, None]
        y_pred = masked(y_pred, mask)
        super().update_state(y_true, y_pred, sample_weight)
