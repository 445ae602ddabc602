"""How far predictions rise and fall with the targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.losses.loss import same_shape
from fastnn.losses.regression import EPSILON
from fastnn.metrics.metric import MeanMetricWrapper


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Correlation coefficient of y_true and y_pred along axis; 0 where one of them does not vary."""
    a, b = _centred("pearson_correlation", y_true, y_pred, axis)
    lengths = [np.maximum(np.sqrt(np.sum(x * x, axis=axis)), EPSILON) for x in (a, b)]
    found: Array = np.sum(a * b, axis=axis) / (lengths[0] * lengths[1])
    return found


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Concordance coefficient 2 cov / (var + var + (difference of means)^2) along axis. Source: Lin, 1989."""
    a, b = _centred("concordance_correlation", y_true, y_pred, axis)
    y_true, y_pred = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    spread = np.mean(a * a, axis=axis) + np.mean(b * b, axis=axis)
    apart = (np.mean(y_true, axis=axis) - np.mean(y_pred, axis=axis)) ** 2
    found: Array = 2 * np.mean(a * b, axis=axis) / (spread + apart + EPSILON)
    return found


def _centred(name: str, y_true: Any, y_pred: Any, axis: int) -> tuple[Array, Array]:
    y_true, y_pred = same_shape(name, np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64))
    return y_true - np.mean(y_true, axis=axis, keepdims=True), y_pred - np.mean(y_pred, axis=axis, keepdims=True)


class PearsonCorrelation(MeanMetricWrapper):
    """Mean correlation coefficient along axis, one per sample. 1 for a rising line, -1 for a falling one."""

    def __init__(
        self, name: str | None = "pearson_correlation", dtype: DTypeLike | None = None, axis: int = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}


class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean concordance coefficient along axis, one per sample. 1 for equality alone."""

    def __init__(
        self, name: str | None = "concordance_correlation", dtype: DTypeLike | None = None, axis: int = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}
