"""Mean errors of numbers."""

from __future__ import annotations

from fastnn.arrays import DTypeLike
from fastnn.losses.regression import mean_absolute_error, mean_squared_error
from fastnn.metrics.metric import MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """Mean of (y_true - y_pred)^2."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """Mean of |y_true - y_pred|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(mean_absolute_error, name, dtype)
