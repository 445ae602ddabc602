"""Cross-entropy losses. From logits, and from a softmax whose logits the tape still knows, they are one fused op."""

from __future__ import annotations

import warnings
from inspect import unwrap
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import F64, Array, DTypeLike, Shape, normalize_axes
from fastnn.autograd import Tensor, raw
from fastnn.backend import cast
from fastnn.losses.loss import Loss, fit_weight, same_shape
from fastnn.losses.regression import EPSILON
from fastnn.ops.cross_entropy import require_probabilities

#: What Tensors made by softmax and by sigmoid say they were made by.
_SOFTMAX, _SIGMOID = unwrap(ops.softmax), unwrap(ops.sigmoid)


class _Probabilistic(Loss):
    """What the cross-entropies share."""

    def __init__(
        self,
        from_logits: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = bool(from_logits)
        self.axis = axis

    def _logits(self, y_pred: Any) -> Any:
        """y_pred itself, the logits it was made of, or logits that have it as their softmax."""
        if self.from_logits:
            if type(y_pred) is Tensor and (y_pred.forward is _SOFTMAX or y_pred.forward is _SIGMOID):
                _warn_of_probabilities(self.name, y_pred)
            return y_pred
        if isinstance(y_pred, Tensor) and y_pred.forward is _SOFTMAX:
            logits, axis = y_pred.inputs[0], y_pred.options.get("axis", -1)
            if isinstance(logits, Tensor) and axis == self.axis and len(y_pred.inputs) == 1:
                return logits
        require_probabilities(y_pred)
        return ops.log(ops.clip(y_pred, EPSILON, 1.0))

    def _rows(self, y_pred: Any) -> Shape:
        """The shape of one value per sample."""
        if self.axis == -1:
            return y_pred.shape[:-1]  # type: ignore[no-any-return]
        axis = normalize_axes(self.axis, y_pred.ndim, self.name)[0]
        shape: Shape = y_pred.shape
        return shape[:axis] + shape[axis + 1 :]


def _warn_of_probabilities(name: str, y_pred: Tensor) -> None:
    made_by = getattr(y_pred.forward, "__name__", "an activation")
    warnings.warn(
        f"[{name}] expected logits, as from_logits=True says, got the output of {made_by}; leave out one of the two",
        stacklevel=4,
    )


class SparseCategoricalCrossentropy(_Probabilistic):
    """Cross-entropy with integer labels: -ln p[label], or -ln softmax(y_pred)[label] from logits.

    y_true: integers (...), or (..., 1). y_pred: (..., classes). ignore_class: a label whose samples do not count.
    Raises ValueError for labels outside [0, classes).
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, axis, reduction, name, dtype)
        self.ignore_class = ignore_class

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if type(y_pred) is not Tensor:
            y_pred = self.prediction(y_pred)
        labels, rows = self._labels(y_true, y_pred), self._rows(y_pred)
        if self.ignore_class is not None and sample_weight is not None and self.reduction == "mean_with_sample_weight":
            weight = fit_weight(self.name, sample_weight, rows, y_pred.dtype)  # that of ignored samples does not count
            ignored = ops.equal(cast(labels, F64), float(self.ignore_class))
            sample_weight = ops.where(ignored, 0.0, weight)
        options: dict[str, Any] = {"axis": self.axis, "ignore_class": self.ignore_class}
        return self.fused(ops.softmax_cross_entropy, self._logits(y_pred), labels, sample_weight, rows, **options)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels = self._labels(y_true, y_pred)
        return ops.softmax_cross_entropy(
            self._logits(y_pred), labels, reduction="none", axis=self.axis, ignore_class=self.ignore_class
        )

    def _labels(self, y_true: Any, y_pred: Any) -> Array:
        labels = np.asarray(raw(y_true))
        if labels.ndim != raw(y_pred).ndim:
            return labels
        if labels.shape[-1:] == (1,):
            labels = labels[..., 0]
        else:
            raise ValueError(
                f"[{self.name}] expected integer labels {y_pred.shape[:-1]}, got {labels.shape}; "
                "for one-hot labels use CategoricalCrossentropy"
            )
        return labels

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "ignore_class": self.ignore_class, "axis": self.axis}
        return {**super().get_config(), **own}


class CategoricalCrossentropy(_Probabilistic):
    """Cross-entropy with one-hot labels: -sum(y_true ln p), with p = y_pred, or softmax(y_pred) from logits.

    y_true, y_pred: (..., classes). label_smoothing s: y_true becomes (1 - s) y_true + s / classes.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, axis, reduction, name, dtype)
        self.label_smoothing = float(label_smoothing)

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = self.prediction(y_pred)
        labels, rows = self._labels(y_true, y_pred), self._rows(y_pred)
        options = {"axis": self.axis, "label_smoothing": self.label_smoothing}
        return self.fused(ops.softmax_cross_entropy, self._logits(y_pred), labels, sample_weight, rows, **options)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.softmax_cross_entropy(
            self._logits(y_pred),
            self._labels(y_true, y_pred),
            reduction="none",
            axis=self.axis,
            label_smoothing=self.label_smoothing,
        )

    def _labels(self, y_true: Any, y_pred: Any) -> Array:
        labels = np.asarray(raw(y_true))
        if labels.shape != y_pred.shape:
            raise ValueError(
                f"[{self.name}] expected one-hot labels {y_pred.shape}, got {labels.shape}; "
                "for integer labels use SparseCategoricalCrossentropy"
            )
        return cast(labels, y_pred.dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **own}


class BinaryCrossentropy(_Probabilistic):
    """Cross-entropy of independent yes-or-no labels: -mean(y ln p + (1 - y) ln(1 - p)) over the last axis.

    y_true, y_pred: (..., outputs); p = y_pred, or sigmoid(y_pred) from logits. label_smoothing s: y becomes
    (1 - s) y + s / 2.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, axis, reduction, name, dtype)
        self.label_smoothing = float(label_smoothing)

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, logits = same_shape(self.name, y_true, self._logits(self.prediction(y_pred)))
        if self.reduction in ("none", None) or self.axis not in (-1, logits.ndim - 1) or not logits.ndim:
            return self.reduce(self._values(y_true, logits), sample_weight)
        rows, scale = logits.shape[:-1], 1 / max(logits.shape[-1], 1)
        smoothing = self.label_smoothing
        return self.fused(
            ops.sigmoid_cross_entropy, logits, y_true, sample_weight, rows, scale, label_smoothing=smoothing
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._values(*same_shape(self.name, y_true, self._logits(y_pred)))

    def _values(self, y_true: Any, logits: Any) -> Any:
        values = ops.sigmoid_cross_entropy(logits, y_true, reduction="none", label_smoothing=self.label_smoothing)
        return ops.mean(values, axis=self.axis)

    def _logits(self, y_pred: Any) -> Any:
        if self.from_logits:
            if type(y_pred) is Tensor and (y_pred.forward is _SOFTMAX or y_pred.forward is _SIGMOID):
                _warn_of_probabilities(self.name, y_pred)
            return y_pred
        if isinstance(y_pred, Tensor) and y_pred.forward is _SIGMOID and isinstance(y_pred.inputs[0], Tensor):
            return y_pred.inputs[0]
        return binary_logits(y_pred)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **own}


def binary_logits(p: Any) -> Any:
    """Logits that have the probabilities p, kept from 0 and 1, as their sigmoid."""
    require_probabilities(p)
    p = ops.clip(p, EPSILON, 1 - EPSILON)
    return ops.log(p) - ops.log(1.0 - p)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """Cross-entropy with integer labels, one value per sample; see SparseCategoricalCrossentropy."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class, "none", axis)
    return loss(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Cross-entropy with one-hot labels, one value per sample; see CategoricalCrossentropy."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis, "none")(y_true, y_pred)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Cross-entropy of independent yes-or-no labels, averaged over axis; see BinaryCrossentropy."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis, "none")(y_true, y_pred)
