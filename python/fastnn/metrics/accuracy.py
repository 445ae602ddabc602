"""Shares of right answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.losses.loss import same_rank
from fastnn.metrics.metric import MeanMetricWrapper
from fastnn.ops import count_correct


def accuracy(y_true: Any, y_pred: Any) -> Array:
    """1 where y_true equals y_pred, 0 elsewhere, averaged over the last axis beyond the first."""
    y_true, y_pred = _of_one_shape("accuracy", y_true, y_pred)
    return _over_outputs(np.equal(y_true, y_pred))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """1 where y_true equals (y_pred > threshold), 0 elsewhere, averaged over the last axis."""
    y_true, y_pred = _of_one_shape("binary_accuracy", y_true, y_pred)
    return _over_outputs(np.equal(y_true, y_pred > threshold))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """1 where the largest of y_pred stands where the largest of one-hot y_true does. y_true, y_pred: (..., classes)."""
    y_true, y_pred = _of_one_shape("categorical_accuracy", y_true, y_pred)
    return np.asarray(np.argmax(y_true, -1) == np.argmax(y_pred, -1), np.float64)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """1 where the largest of y_pred stands at the label. y_true: (...) or (..., 1), y_pred: (..., classes)."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"[sparse_categorical_accuracy] expected labels of shape {y_pred.shape[:-1]}, got {y_true.shape}"
        )
    return np.asarray(y_true == np.argmax(y_pred, -1), np.float64)


def _of_one_shape(name: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    y_true, y_pred = same_rank(np.asarray(y_true), np.asarray(y_pred))
    if y_true.shape != y_pred.shape:
        raise ValueError(f"[{name}] expected y_true of y_pred's shape {y_pred.shape}, got {y_true.shape}")
    return y_true, y_pred


def _plain(labels: Any, scores: Any) -> bool:
    """True for integer labels (n,) and floating scores (n, classes)."""
    arrays = type(labels) is np.ndarray and type(scores) is np.ndarray
    return arrays and labels.ndim == 1 and scores.ndim == 2 and labels.dtype.kind == "i" and scores.dtype.kind == "f"


def _over_outputs(right: Array) -> Array:
    return np.asarray(right if right.ndim < 2 else np.mean(right, axis=-1), np.float64)


class Accuracy(MeanMetricWrapper):
    """Share of predictions equal to the labels."""

    def __init__(self, name: str | None = "accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """Share of yes-or-no labels on whose side of threshold the prediction lies."""

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: DTypeLike | None = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest output is the one-hot label's class."""

    def __init__(self, name: str | None = "categorical_accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest output is the integer label."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, scores = raw(y_true), raw(y_pred)
        if sample_weight is None and _plain(labels, scores):  # one kernel, no arrays in between
            self.add(float(count_correct(scores, labels)), len(labels))
        else:
            super().update_state(labels, scores, sample_weight)


def by_shape(y_true: Any, y_pred: Any) -> type[MeanMetricWrapper]:
    """The accuracy that "accuracy" means for labels and predictions of these shapes."""
    true_shape, pred_shape = np.shape(raw(y_true)), np.shape(raw(y_pred))
    if pred_shape[-1:] in ((1,), ()) or len(pred_shape) < 2:
        return BinaryAccuracy
    sparse = len(true_shape) < len(pred_shape) or true_shape[-1] == 1
    return SparseCategoricalAccuracy if sparse else CategoricalAccuracy
