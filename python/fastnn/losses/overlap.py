"""Losses of how far two sets overlap, for segmentation: Dice and Tversky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.losses.loss import Loss, made_prediction, same_shape
from fastnn.losses.regression import EPSILON

Axes = int | Sequence[int] | None


class Dice(Loss):
    """1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred)) over axis, all axes by default. Values in [0, 1]."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axes = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return dice(y_true, y_pred, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Tversky(Loss):
    """1 - s / (s + alpha sum(y_true (1 - y_pred)) + beta sum((1 - y_true) y_pred)) over axis, s = sum(y_true y_pred).

    alpha weighs what y_pred misses and beta what it invents: as Keras computes it, though its documentation has it the
    other way round. With 0.5 and 0.5 it is the Dice loss. Source: Salehi et al., 2017.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axes = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha, self.beta, self.axis = float(alpha), float(beta), axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return tversky(y_true, y_pred, self.alpha, self.beta, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta, "axis": self.axis}


def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> Any:
    """1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred) + 1e-7) over axis; a scalar for all axes."""
    y_true, y_pred = same_shape("dice", y_true, made_prediction(y_pred))
    both = ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * both / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + EPSILON)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None) -> Any:
    """Tversky's loss over axis, a scalar for all axes; see Tversky."""
    y_true, y_pred = same_shape("tversky", y_true, made_prediction(y_pred))
    both = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis=axis)
    invented = ops.sum(ops.subtract(1.0, y_true) * y_pred, axis=axis)
    return 1.0 - both / (both + alpha * missed + beta * invented + EPSILON)
