"""Hinge losses: of labels -1 and 1, or of one-hot labels, and scores of any size."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.losses.loss import Loss, made_prediction, same_shape


class Hinge(Loss):
    """Mean over the last axis of max(1 - y_true y_pred, 0). y_true: -1 or 1; 0 and 1 are taken for these."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return hinge(y_true, y_pred)


class SquaredHinge(Loss):
    """Mean over the last axis of max(1 - y_true y_pred, 0)^2. y_true: -1 or 1; 0 and 1 are taken for these."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return squared_hinge(y_true, y_pred)


class CategoricalHinge(Loss):
    """max(1 + max((1 - y_true) y_pred) - sum(y_true y_pred), 0) over the last axis. y_true: one-hot (..., classes)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_hinge(y_true, y_pred)


def _signs(y_true: Any) -> Any:
    """2 y - 1 if all labels are 0 or 1, else the labels. Decided by kernels, so that a recorded step decides anew."""
    others = ops.sum(ops.absolute(ops.subtract(ops.square(y_true), y_true)))
    return ops.where(ops.equal(others, 0.0), ops.subtract(ops.multiply(y_true, 2.0), 1.0), y_true)


def _shortfall(name: str, y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = same_shape(name, y_true, made_prediction(y_pred))
    return ops.relu(1.0 - _signs(y_true) * y_pred)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y_true y_pred, 0) over the last axis, one value per sample; see Hinge."""
    return ops.mean(_shortfall("hinge", y_true, y_pred), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y_true y_pred, 0)^2 over the last axis, one value per sample; see SquaredHinge."""
    return ops.mean(ops.square(_shortfall("squared_hinge", y_true, y_pred)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(1 + best score of a wrong class - score of the right one, 0), one value per sample."""
    y_true, y_pred = same_shape("categorical_hinge", y_true, made_prediction(y_pred))
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max(ops.subtract(1.0, y_true) * y_pred, axis=-1)
    return ops.relu(wrong - right + 1.0)
