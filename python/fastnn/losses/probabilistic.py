"""Losses of distributions other than cross-entropy: Kullback-Leibler divergence and Poisson."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.losses.loss import Loss, made_prediction, same_shape
from fastnn.losses.regression import EPSILON


class KLDivergence(Loss):
    """Sum over the last axis of y_true ln(y_true / y_pred), both kept in [1e-7, 1]."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return kl_divergence(y_true, y_pred)


class Poisson(Loss):
    """Mean over the last axis of y_pred - y_true ln(y_pred + 1e-7): counts y_true, expected counts y_pred."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return poisson(y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Sum of y_true ln(y_true / y_pred) over the last axis, one value per sample; see KLDivergence."""
    y_true, y_pred = same_shape("kl_divergence", y_true, made_prediction(y_pred))
    p, q = ops.clip(y_true, EPSILON, 1.0), ops.clip(y_pred, EPSILON, 1.0)
    return ops.sum(p * ops.log(p / q), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of y_pred - y_true ln(y_pred + 1e-7) over the last axis, one value per sample."""
    y_true, y_pred = same_shape("poisson", y_true, made_prediction(y_pred))
    return ops.mean(y_pred - y_true * ops.log(y_pred + EPSILON), axis=-1)
