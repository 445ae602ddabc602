"""Circle loss: embeddings of one class close together, those of different classes apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.autograd import raw
from fastnn.backend import constant
from fastnn.losses.loss import Loss, made_prediction, masked_weight

_NONE = -1e30  # a logit that stands for no pair; minus infinity would make the gradient NaN where a row has none


class Circle(Loss):
    """ln(1 + sum(exp(gamma a_n (margin_n - d_n))) sum(exp(-gamma a_p (margin - d_p)))) for each sample, with the
    distances d = 1 - cosine to the samples of its class, p, and of others, n.

    a_p = margin + d_p and a_n = 1 + margin - d_n weigh the pairs by how far they are from where they should be;
    margin_n = 1 - margin. y_true: integers, (n,) or (n, 1). y_pred: embeddings of length 1, (n, c). remove_diagonal: a
    sample is no pair with itself. Samples that have no pair of their class do not count in a mean.
    Source: Sun et al., 2020.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        values = self.call(y_true, self.prediction(y_pred))
        paired = ops.greater(raw(values), 0.0)
        mean = self.reduction in ("mean", "sum_over_batch_size")
        return self.reduce(values, masked_weight(self.name, sample_weight, paired, mean, values.dtype))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return circle(y_true, y_pred, None, None, self.remove_diagonal, self.gamma, self.margin)

    def get_config(self) -> dict[str, Any]:
        own = {"gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}
        return {**super().get_config(), **own}


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """The circle loss of each sample, (n,); see Circle.

    ref_labels, ref_embeddings: other samples to make pairs with, (m,) and (m, c), by default the same.
    """
    y_pred = made_prediction(y_pred)
    others = y_pred if ref_embeddings is None else made_prediction(ref_embeddings)
    labels = _labels(y_true, y_pred)
    ref = labels if ref_labels is None else _labels(ref_labels, others)
    same = ops.equal(labels[:, None], ref[None, :])
    different = ops.logical_not(same)
    if remove_diagonal:
        same = ops.logical_and(same, constant(~np.eye(len(labels), len(ref), dtype=bool)))

    distances = ops.maximum(ops.subtract(1.0, ops.matmul(y_pred, ops.transpose(others))), 0.0)
    towards = ops.multiply(ops.add(distances, margin), ops.multiply(ops.subtract(distances, margin), gamma))
    weights = ops.maximum(ops.subtract(1.0 + margin, distances), 0.0)
    away = ops.multiply(weights, ops.multiply(ops.subtract(1.0 - margin, distances), gamma))
    pulls = ops.logsumexp(ops.where(same, towards, _NONE), axis=1)
    pushes = ops.logsumexp(ops.where(different, away, _NONE), axis=1)
    return ops.softplus(ops.add(pulls, pushes))


def _labels(y: Any, embeddings: Any) -> Any:
    labels = np.asarray(raw(y))
    if embeddings.ndim != 2 or labels.size != embeddings.shape[0]:
        raise ValueError(f"[circle] expected labels (n,) and embeddings (n, c), got {labels.shape}, {embeddings.shape}")
    return labels.reshape(-1)
