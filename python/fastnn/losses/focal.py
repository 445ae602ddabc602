"""Focal cross-entropies, which make little of what is already predicted well (Lin et al., 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.backend import constant
from fastnn.losses.crossentropy import binary_logits
from fastnn.losses.loss import Loss, made_prediction, same_shape
from fastnn.losses.regression import EPSILON
from fastnn.ops.cross_entropy import check_smoothing, require_probabilities


class BinaryFocalCrossentropy(Loss):
    """Mean over axis of (1 - p_t)^gamma times the binary cross-entropy, p_t = p where y_true is 1 and 1 - p where 0.

    apply_class_balancing: multiply with alpha where y_true is 1 and 1 - alpha where it is 0. y_true, y_pred: (...,
    outputs); p = y_pred, or sigmoid(y_pred) from logits. label_smoothing s: y becomes (1 - s) y + s / 2.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.options = {
            "apply_class_balancing": bool(apply_class_balancing),
            "alpha": float(alpha),
            "gamma": float(gamma),
            "from_logits": bool(from_logits),
            "label_smoothing": check_smoothing(label_smoothing, "BinaryFocalCrossentropy"),
            "axis": axis,
        }

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return binary_focal_crossentropy(y_true, y_pred, **self.options)  # type: ignore[arg-type]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}


class CategoricalFocalCrossentropy(Loss):
    """Sum over axis of alpha (1 - p)^gamma times -y_true ln(p), with p = y_pred, or softmax(y_pred) from logits.

    y_true, y_pred: (..., classes). alpha: a number, or one per class. label_smoothing s: y becomes (1 - s) y + s /
    classes.
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.options = {
            "alpha": alpha,
            "gamma": float(gamma),
            "from_logits": bool(from_logits),
            "label_smoothing": check_smoothing(label_smoothing, "CategoricalFocalCrossentropy"),
            "axis": axis,
        }

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_focal_crossentropy(y_true, y_pred, **self.options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Focal cross-entropy of yes-or-no labels, averaged over axis; see BinaryFocalCrossentropy."""
    y_true, y_pred = same_shape("binary_focal_crossentropy", y_true, made_prediction(y_pred))
    if label_smoothing:
        y_true = _smoothed(y_true, label_smoothing, 2)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    values = ops.sigmoid_cross_entropy(y_pred if from_logits else binary_logits(y_pred), y_true)
    others = ops.subtract(1.0, y_true)
    missed = y_true * (1.0 - p) + others * p  # 1 - p_t
    values = ops.power(missed, gamma) * values
    if apply_class_balancing:
        values = ops.add(ops.multiply(y_true, alpha), ops.multiply(others, 1.0 - alpha)) * values
    return ops.mean(values, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Focal cross-entropy with one-hot labels, summed over axis; see CategoricalFocalCrossentropy."""
    y_true, y_pred = same_shape("categorical_focal_crossentropy", y_true, made_prediction(y_pred))
    if label_smoothing:
        y_true = _smoothed(y_true, label_smoothing, y_pred.shape[axis])
    if from_logits:
        p = ops.softmax(y_pred, axis=axis)
    else:
        require_probabilities(y_pred)
        p = y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, EPSILON, 1.0 - EPSILON)
    weight = constant(np.asarray(alpha, y_pred.dtype))
    return ops.sum(ops.power(1.0 - p, gamma) * (y_true * -ops.log(p)) * weight, axis=axis)


def _smoothed(y_true: Any, label_smoothing: float, classes: int) -> Any:
    return ops.add(ops.multiply(y_true, 1.0 - label_smoothing), label_smoothing / classes)
