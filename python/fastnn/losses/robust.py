"""A loss that wrong labels mislead less than they do the cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.autograd import raw
from fastnn.losses.loss import Loss, made_prediction
from fastnn.ops.cross_entropy import require_probabilities

_SMALLEST = 1e-30  # of a probability: its logarithm and the gradient stay finite


class CategoricalGeneralizedCrossEntropy(Loss):
    """(1 - p^q) / q for the probability p of the label: the cross-entropy as q nears 0, the absolute error at 1.

    y_true: integers, (...) or (..., 1). y_pred: probabilities, (..., classes). q: in (0, 1).
    Source: Zhang and Sabuncu, 2018.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"[CategoricalGeneralizedCrossEntropy] expected q in (0, 1), got {q}")
        super().__init__(name, reduction, dtype)
        self.q = float(q)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_generalized_cross_entropy(y_true, y_pred, self.q)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "q": self.q}


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - p^q) / q for the probability p of the label, one value per sample.

    Raises ValueError for labels outside [0, classes).
    """
    labels, y_pred = np.asarray(raw(y_true)), made_prediction(y_pred)
    require_probabilities(y_pred)
    if labels.ndim == y_pred.ndim and labels.shape[-1:] == (1,):
        labels = labels[..., 0]
    logs = ops.log(ops.clip(y_pred, _SMALLEST, 1.0))
    # the cross-entropy with softmax(ln p) finds p at the label, divided by the sum of all, and checks the label
    log_p = ops.logsumexp(logs, axis=-1) - ops.softmax_cross_entropy(logs, labels, reduction="none")
    return ops.multiply(ops.subtract(1.0, ops.exp(ops.multiply(log_p, q))), 1.0 / q)
