"""Mean losses of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import DTypeLike
from fastnn.autograd import raw
from fastnn.losses import crossentropy, probabilistic
from fastnn.metrics.metric import MeanMetricWrapper, MeanOverOutputs, weights_of


class KLDivergence(MeanMetricWrapper):
    """Mean of sum(y_true ln(y_true / y_pred))."""

    def __init__(self, name: str | None = "kl_divergence", dtype: DTypeLike | None = None) -> None:
        super().__init__(probabilistic.kl_divergence, name, dtype)


class Poisson(MeanOverOutputs):
    """Mean of y_pred - y_true ln(y_pred + 1e-7)."""

    def __init__(self, name: str | None = "poisson", dtype: DTypeLike | None = None) -> None:
        super().__init__(probabilistic.poisson, name, dtype)


class BinaryCrossentropy(MeanOverOutputs):
    """Mean cross-entropy of yes-or-no labels."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(crossentropy.binary_crossentropy, name, dtype, **options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}


class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy with one-hot labels."""

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(crossentropy.categorical_crossentropy, name, dtype, **options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy with integer labels. ignore_class: a label whose samples count as 0, or with sample_weight
    not at all.
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(crossentropy.sparse_categorical_crossentropy, name, dtype, **options)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        ignored = self._options["ignore_class"]
        if ignored is not None and sample_weight is not None:
            y_true, p = np.asarray(raw(y_true)), np.asarray(raw(y_pred))
            labels = y_true[..., 0] if y_true.ndim == p.ndim and y_true.shape[-1] == 1 else y_true
            sample_weight = weights_of(self.name, labels, sample_weight) * (labels != ignored)
        super().update_state(y_true, y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}


def by_shape(y_true: Any, y_pred: Any) -> type[MeanMetricWrapper]:
    """The cross-entropy that "crossentropy" means for labels and predictions of these shapes."""
    true_shape, pred_shape = np.shape(raw(y_true)), np.shape(raw(y_pred))
    if pred_shape[-1:] in ((1,), ()) or len(pred_shape) < 2:
        return BinaryCrossentropy
    sparse = len(true_shape) < len(pred_shape) or true_shape[-1] == 1
    return SparseCategoricalCrossentropy if sparse else CategoricalCrossentropy
