from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.backend import constant
from fastnn.losses.loss import Loss, made_prediction
from fastnn.masks import mask_of

_INT64 = np.dtype(np.int64)


def _lengths(truth: Any) -> Array:
    """The place behind the last true element of each row, 0 where there is none: (n, t) -> (n,) int64, by kernels."""
    n, t = truth.shape
    places = constant(np.arange(1, t + 1, dtype=np.float32))
    padded = [constant(np.zeros((n, 1), np.float32)), ops.multiply(ops.cast(truth, np.float32), places)]
    found: Array = ops.cast(ops.argmax(ops.concatenate(padded, axis=1), axis=-1), _INT64)
    return found


class CTC(Loss):
    """Connectionist temporal classification, class 0 being the blank; see ops.ctc_loss.

    y_true: integers, (n, l), 0 beyond a sample's labels. y_pred: logits, (n, t, classes). All steps count, or those of
    y_pred's mask, which has to hide the last ones alone.
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return self.reduce(ctc(y_true, y_pred), sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ctc(y_true, y_pred)


def ctc(y_true: Any, y_pred: Any) -> Any:
    """The CTC loss of each sample, (n,). Arguments as of CTC."""
    mask, y_pred, labels = mask_of(y_pred), made_prediction(y_pred), np.asarray(raw(y_true))
    if labels.ndim != 2 or y_pred.ndim != 3:
        raise ValueError(f"[ctc] expected y_true (n, l) and y_pred (n, t, classes), got {labels.shape}, {y_pred.shape}")
    lengths = constant(np.full(len(labels), y_pred.shape[1], _INT64)) if mask is None else _lengths(mask)
    return ops.ctc_loss(labels, y_pred, _lengths(ops.not_equal(labels, 0)), lengths)
