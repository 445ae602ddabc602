"""Shares of right answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.losses.loss import same_rank
from fastnn.masks import mask_of
from fastnn.metrics.metric import MeanMetricWrapper
from fastnn.ops import argmax, count_correct


def accuracy(y_true: Any, y_pred: Any) -> Array:
    """1 where y_true equals y_pred, 0 elsewhere, in their shape."""
    y_true, y_pred = _of_one_shape("accuracy", y_true, y_pred)
    return np.asarray(np.equal(y_true, y_pred), np.float64)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """1 where y_true equals (y_pred > threshold), 0 elsewhere, in their shape."""
    y_true, y_pred = _of_one_shape("binary_accuracy", y_true, y_pred)
    return np.asarray(np.equal(y_true, y_pred > threshold), np.float64)


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


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Array:
    """1 where one-hot y_true's class is among the k largest of y_pred; of equals all count. (..., classes)."""
    y_true, y_pred = _of_one_shape("top_k_categorical_accuracy", y_true, y_pred)
    return sparse_top_k_categorical_accuracy(np.argmax(y_true, -1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Array:
    """1 where the label is among the k largest of y_pred; of equals all count. y_true: (...), y_pred: (..., classes).

    from_sorted_ids: y_pred holds classes already, the best first. A score that is not finite is never among them.
    """
    name = "sparse_top_k_categorical_accuracy"
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1:] == (1,):
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(f"[{name}] expected labels of shape {y_pred.shape[:-1]}, got {y_true.shape}")
    labels = y_true.astype(np.int64)[..., None]
    if from_sorted_ids:
        return np.asarray(np.any(y_pred[..., :k] == labels, axis=-1), np.float64)
    classes = y_pred.shape[-1]
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"[{name}] expected labels in [0, {classes}), got {labels.min()} to {labels.max()}")
    score = np.take_along_axis(y_pred, labels, axis=-1)
    better = np.sum(y_pred > score, axis=-1)
    return np.asarray((better < k) & np.isfinite(score[..., 0]), np.float64)


def _of_one_shape(name: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    y_true, y_pred = same_rank(np.asarray(y_true), np.asarray(y_pred))
    if y_true.shape != y_pred.shape:
        raise ValueError(f"[{name}] expected y_true of y_pred's shape {y_pred.shape}, got {y_true.shape}")
    return y_true, y_pred


def _plain(labels: Any, scores: Any, axes: int) -> bool:
    """True for floating scores (n, classes), classes > 0, and integer labels (n,) or one-hot ones (n, classes)."""
    if type(labels) is not np.ndarray or type(scores) is not np.ndarray or scores.ndim != 2 or labels.ndim != axes:
        return False
    if scores.dtype.kind != "f" or scores.shape[1] == 0:
        return False
    return bool(labels.dtype.kind == "i" if axes == 1 else labels.shape == scores.shape)


def _column(x: Any) -> bool:
    """True for an array (n,) or (n, 1)."""
    return type(x) is np.ndarray and (x.ndim == 1 or (x.ndim == 2 and x.shape[1] == 1))


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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, p = raw(y_true), raw(y_pred)
        plain = sample_weight is None and mask_of(y_pred) is None
        if plain and _column(labels) and _column(p) and len(labels) == len(p):
            self.add(float(np.count_nonzero((p > self.threshold).ravel() == labels.ravel())), len(p))
        else:
            super().update_state(labels, y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest output is the one-hot label's class."""

    def __init__(self, name: str | None = "categorical_accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        one_hot, scores = raw(y_true), raw(y_pred)
        plain = sample_weight is None and mask_of(y_pred) is None
        if plain and _plain(one_hot, scores, 2):  # kernels, and no arrays in between but the labels
            self.add(float(count_correct(scores, argmax(one_hot, axis=-1))), len(scores))
        else:
            super().update_state(one_hot, y_pred, sample_weight)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest output is the integer label."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: DTypeLike | None = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, scores = raw(y_true), raw(y_pred)
        plain = sample_weight is None and mask_of(y_pred) is None
        if plain and _plain(labels, scores, 1):  # one kernel, no arrays in between
            self.add(float(count_correct(scores, labels)), len(labels))
        else:
            super().update_state(labels, y_pred, sample_weight)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose one-hot label's class is among the k largest outputs."""

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose integer label is among the k largest outputs.

    from_sorted_ids: predictions hold classes already, the best first.
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: DTypeLike | None = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k, self.from_sorted_ids = k, from_sorted_ids

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k, "from_sorted_ids": self.from_sorted_ids}


def by_shape(y_true: Any, y_pred: Any) -> type[MeanMetricWrapper]:
    """The accuracy that "accuracy" means for labels and predictions of these shapes."""
    true_shape, pred_shape = np.shape(raw(y_true)), np.shape(raw(y_pred))
    if pred_shape[-1:] in ((1,), ()) or len(pred_shape) < 2:
        return BinaryAccuracy
    sparse = len(true_shape) < len(pred_shape) or true_shape[-1] == 1
    return SparseCategoricalAccuracy if sparse else CategoricalAccuracy
