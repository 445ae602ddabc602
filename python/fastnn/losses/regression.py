"""Losses of numbers."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.losses.loss import Loss, same_shape


class MeanSquaredError(Loss):
    """Mean of squares: mean((y_true - y_pred)^2) over the last axis. y_true, y_pred: (..., outputs)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = self.prediction(y_pred)
        if sample_weight is None and self.reduction in ("sum_over_batch_size", "mean"):
            y_true, y_pred = same_shape(self.name, y_true, y_pred)
            return ops.mean_squared_error(y_pred, y_true, reduction="mean")
        return self.reduce(self.call(y_true, y_pred), sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_squared_error(y_true, y_pred)


class MeanAbsoluteError(Loss):
    """Mean of absolute values: mean(|y_true - y_pred|) over the last axis. The gradient of equal values is 0."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_absolute_error(y_true, y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squares over the last axis: mean((y_true - y_pred)^2), one value per sample."""
    y_true, y_pred = same_shape("mean_squared_error", y_true, y_pred)
    return ops.mean_squared_error(y_pred, y_true, reduction="none")


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute values over the last axis: mean(|y_true - y_pred|), one value per sample."""
    y_true, y_pred = same_shape("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.absolute(y_pred - y_true), axis=-1)
