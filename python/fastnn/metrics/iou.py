"""Intersection over union of classes, for segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.losses.loss import fit_weight
from fastnn.metrics.confusion import confusion_matrix
from fastnn.metrics.metric import Metric, share


class IoU(Metric):
    """Mean over target classes of intersection over union: tp / (tp + fp + fn). Classes never seen do not count, nor
    do elements whose label or prediction is negative or num_classes and more.

    y_true, y_pred: integers below num_classes, or, where sparse_y_true or sparse_y_pred is False, scores with the
    classes along axis, the largest of which counts. ignore_class: a label whose elements do not count.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        self.num_classes = int(num_classes)
        self.target_class_ids = [int(c) for c in target_class_ids]
        if not all(0 <= c < self.num_classes for c in self.target_class_ids):
            raise ValueError(f"[{self.name}] expected target classes in [0, {num_classes}), got {target_class_ids}")
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = bool(sparse_y_true), bool(sparse_y_pred)
        self.reset_state()

    def reset_state(self) -> None:
        self.total_cm: Array = np.zeros((self.num_classes, self.num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = np.asarray(raw(y_true)), np.asarray(raw(y_pred))
        if not self.sparse_y_true:
            t = np.argmax(t, axis=self.axis)
        if not self.sparse_y_pred:
            p = np.argmax(p, axis=self.axis)
        t, p = t.reshape(-1), p.reshape(-1)
        if t.shape != p.shape:
            raise ValueError(f"[{self.name}] expected as many labels as predictions, got {t.size} and {p.size}")
        weights = np.ones(len(t)) if sample_weight is None else self._weights(sample_weight, y_pred)
        kept = (t >= 0) & (t < self.num_classes) & (p >= 0) & (p < self.num_classes)
        if self.ignore_class is not None:
            kept &= t != self.ignore_class
        if not np.all(kept):
            t, p, weights = t[kept], p[kept], weights[kept]
        self.total_cm = self.total_cm + confusion_matrix(t, p, self.num_classes, weights)

    def _weights(self, sample_weight: Any, y_pred: Any) -> Array:
        shape = list(np.shape(raw(y_pred)))
        if not self.sparse_y_pred:
            del shape[self.axis]
        return fit_weight(self.name, sample_weight, tuple(shape), np.float64).reshape(-1)

    def result(self) -> float:
        right = np.diag(self.total_cm)[self.target_class_ids]
        union = (self.total_cm.sum(axis=0) + self.total_cm.sum(axis=1))[self.target_class_ids] - right
        return float(share(np.sum(share(right, union)), np.sum(union > 0)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


class BinaryIoU(IoU):
    """IoU of no (0) and yes (1), a prediction being a yes from threshold on; None for integers 0 and 1."""

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float | None = 0.5,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        p = np.asarray(raw(y_pred))
        super().update_state(y_true, p if self.threshold is None else p >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        own = {"target_class_ids": self.target_class_ids, "threshold": self.threshold}
        return {"name": self.name, "dtype": self.dtype, **own}


class MeanIoU(IoU):
    """Mean IoU of all classes. See IoU."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["target_class_ids"]
        return config


class OneHotIoU(IoU):
    """IoU of one-hot labels. See IoU."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class OneHotMeanIoU(MeanIoU):
    """Mean IoU of all classes with one-hot labels. See IoU."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["sparse_y_true"]
        return config
