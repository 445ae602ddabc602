"""Metric: a figure gathered over batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.registry import Registry

registry = Registry("metrics")


class Metric:
    """Base class. A metric of your own implements update_state, result and reset_state."""

    def __init__(self, dtype: DTypeLike | None = None, name: str | None = None) -> None:
        self.name = name or type(self).__name__
        self.dtype = dtype

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"[{type(self).__name__}] expected update_state() to be implemented")

    def result(self) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] expected result() to be implemented")

    def reset_state(self) -> None:
        raise NotImplementedError(f"[{type(self).__name__}] expected reset_state() to be implemented")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return cls(**config)


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
        weights = _weights(self.name, array, sample_weight)
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


class MeanMetricWrapper(_Average):
    """Mean of fn(y_true, y_pred), one value per sample."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: DTypeLike | None = None, **options: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self._fn, self._options = fn, options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(self._fn(raw(y_true), raw(y_pred), **self._options), sample_weight)


def _weights(name: str, values: Array, sample_weight: Any) -> Array:
    """sample_weight, one per value or one per row of values, in the shape of values."""
    if sample_weight is None:
        return np.ones(values.shape)
    weights = np.asarray(raw(sample_weight), np.float64)
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.shape != values.shape[: weights.ndim]:
        raise ValueError(
            f"[{name}] expected sample_weight that fits values of shape {values.shape}, got {weights.shape}"
        )
    return np.broadcast_to(weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), values.shape)
