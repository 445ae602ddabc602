"""Counts of right and wrong yes-or-no answers by threshold, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.losses.loss import fit_weight, same_shape
from fastnn.losses.regression import EPSILON
from fastnn.metrics.metric import Metric, share

Thresholds = float | Sequence[float] | None


def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    num_classes: int | None = None,
    sample_weight: Any = None,
    normalize: str | None = None,
) -> Array:
    """How often class i was predicted to be class j: row i, column j.

    y_true, y_pred: integers (...), or scores (..., classes), whose largest counts. num_classes: one more than the
    largest class by default. normalize: "true", "pred" or "all" for shares of rows, columns or everything.
    Returns (classes, classes), int64, or float64 with weights or shares. Raises ValueError for negative classes and
    for those that are not below num_classes.
    """
    t, p = (_classes(name, y) for name, y in (("y_true", y_true), ("y_pred", y_pred)))
    if t.shape != p.shape:
        raise ValueError(f"[confusion_matrix] expected y_pred for y_true of shape {t.shape}, got {p.shape}")
    if normalize not in (None, "true", "pred", "all"):
        raise ValueError(f"[confusion_matrix] expected normalize 'true', 'pred' or 'all', got {normalize!r}")
    largest = int(max(t.max(initial=-1), p.max(initial=-1)))
    classes = largest + 1 if num_classes is None else int(num_classes)
    if largest >= classes or min(t.min(initial=0), p.min(initial=0)) < 0:
        wrong = largest if largest >= classes else min(t.min(), p.min())
        raise ValueError(f"[confusion_matrix] expected classes in [0, {classes}), got {wrong}")
    weight = None
    if sample_weight is not None:
        weight = fit_weight("confusion_matrix", sample_weight, t.shape, np.float64).reshape(-1)
    counts: Array = np.bincount((t * classes + p).reshape(-1), weight, classes * classes).reshape(classes, classes)
    if normalize is None:
        return counts
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    shares: Array = share(counts, np.sum(counts, axis=axis, keepdims=True))
    return shares


def _classes(name: str, y: Any) -> Array:
    """Classes as integers: of scores (n, classes) the one with the largest."""
    array = np.asarray(raw(y))
    if array.ndim > 1 and array.shape[-1] > 1 and array.dtype.kind == "f":
        largest: Array = np.argmax(array, axis=-1)
        return largest
    whole = array.astype(np.int64)
    if array.dtype.kind not in "iubf" or np.any(whole != array):
        raise ValueError(f"[confusion_matrix] expected {name} of whole numbers, got {array.dtype} {array.shape}")
    return whole[..., 0] if whole.ndim > 1 and whole.shape[-1] == 1 else whole


def _prepared(
    name: str, y_true: Any, y_pred: Any, sample_weight: Any, top_k: int | None, class_id: int | None
) -> tuple[Array, Array, Array]:
    """(labels as bool, predictions, weights), of one shape."""
    t, p = np.asarray(raw(y_true)), np.asarray(raw(y_pred), np.float64)
    t, p = same_shape(name, t.astype(np.float64) if t.dtype.kind in "biuf" else t, p)
    if t.size and not (t.min() >= 0 and t.max() <= 1):
        raise ValueError(f"[{name}] expected labels 0 and 1, got values from {t.min()} to {t.max()}")
    weights = np.ones(p.shape) if sample_weight is None else fit_weight(name, sample_weight, p.shape, np.float64)
    if top_k is not None:
        kth = np.sort(p, axis=-1)[..., max(p.shape[-1] - top_k, 0), None]
        above = np.sum(p > kth, axis=-1, keepdims=True)
        ties = np.cumsum(p == kth, axis=-1) + above <= top_k  # the first of equals, up to k
        p = np.where((p > kth) | ((p == kth) & ties), p, -np.inf)
    if class_id is not None:
        if p.ndim < 2:
            raise ValueError(f"[{name}] expected predictions (..., classes) with class_id, got shape {p.shape}")
        if not 0 <= class_id < p.shape[-1]:
            raise ValueError(f"[{name}] expected class_id in [0, {p.shape[-1]}), got {class_id}")
        t, p, weights = t[..., class_id], p[..., class_id], weights[..., class_id]
    return t != 0, p, weights


def _count_above(positive: Array, p: Array, weights: Array, thresholds: Array) -> tuple[Array, Array]:
    """Sums of the weights of positives and of negatives above each threshold, after those of all."""
    order = np.argsort(thresholds, kind="stable")
    # how many thresholds lie below each prediction; none below a NaN
    below = np.searchsorted(thresholds[order], np.where(np.isnan(p), -np.inf, p), side="left")
    found = []
    for chosen in (positive, ~positive):
        at = np.bincount(below[chosen], weights[chosen], len(thresholds) + 1)
        above = np.cumsum(at[::-1])[::-1]  # above[j]: of those with at least j thresholds below
        unsorted = np.empty(len(thresholds))
        unsorted[order] = above[1:]
        found.append(np.concatenate([above[:1], unsorted]))
    return found[0], found[1]


class _Counts(Metric):
    """True and false positives and negatives by threshold: the state of all metrics here. (thresholds,)"""

    def __init__(self, thresholds: Array, name: str | None, dtype: DTypeLike | None) -> None:
        super().__init__(dtype, name)
        self._levels = thresholds
        self.reset_state()

    def reset_state(self) -> None:
        self.true_positives, self.false_positives, self.true_negatives, self.false_negatives = np.zeros(
            (4, len(self._levels))
        )

    def _count(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        top_k: int | None = None,
        class_id: int | None = None,
        shares: bool = False,
    ) -> None:
        positive, p, weights = _prepared(self.name, y_true, y_pred, sample_weight, top_k, class_id)
        if shares:
            require_shares(self.name, p)
        self._add(positive.reshape(-1), p.reshape(-1), weights.reshape(-1))

    def _add(self, positive: Array, p: Array, weights: Array) -> None:
        right, wrong = _count_above(positive, p, weights, self._levels)
        self.true_positives = self.true_positives + right[1:]
        self.false_negatives = self.false_negatives + (right[0] - right[1:])
        self.false_positives = self.false_positives + wrong[1:]
        self.true_negatives = self.true_negatives + (wrong[0] - wrong[1:])

    def _figure(self, values: Array) -> Any:
        return float(values[0]) if len(self._levels) == 1 else values


def require_shares(name: str, p: Array) -> None:
    """Raises ValueError for predictions outside [0, 1]."""
    if p.size and (np.nanmin(p) < -1e-3 or np.nanmax(p) > 1 + 1e-3):
        raise ValueError(
            f"[{name}] expected probabilities in [0, 1], got values from {np.nanmin(p)} to {np.nanmax(p)}; "
            "put logits through a sigmoid first"
        )


def _levels(name: str, thresholds: Thresholds, default: float = 0.5) -> Array:
    if thresholds is None:
        return np.array([default])
    levels = np.atleast_1d(np.asarray(thresholds, np.float64))
    if not (np.all(levels >= 0) and np.all(levels <= 1)):
        raise ValueError(f"[{name}] expected thresholds in [0, 1], got {thresholds}")
    return levels


class _OneCount(_Counts):
    """One of the four counts. thresholds: a number or several; predictions above are a yes. 0.5 by default."""

    _counted = ""

    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        self.thresholds = thresholds
        super().__init__(_levels(type(self).__name__, thresholds), name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight)

    def result(self) -> Any:
        return self._figure(getattr(self, self._counted))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.thresholds}


class TruePositives(_OneCount):
    """Number of yes labels predicted as yes. thresholds: predictions above are a yes; 0.5 by default."""

    _counted = "true_positives"


class TrueNegatives(_OneCount):
    """Number of no labels predicted as no. thresholds: predictions above are a yes; 0.5 by default."""

    _counted = "true_negatives"


class FalsePositives(_OneCount):
    """Number of no labels predicted as yes. thresholds: predictions above are a yes; 0.5 by default."""

    _counted = "false_positives"


class FalseNegatives(_OneCount):
    """Number of yes labels predicted as no. thresholds: predictions above are a yes; 0.5 by default."""

    _counted = "false_negatives"


class _Quality(_Counts):
    """What Precision and Recall share."""

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        if top_k is not None and top_k < 1:
            raise ValueError(f"[{type(self).__name__}] expected top_k >= 1, got {top_k}")
        self.thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        lowest = 0.5 if top_k is None else -np.finfo(np.float64).max
        super().__init__(_levels(type(self).__name__, thresholds, lowest), name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight, self.top_k, self.class_id)

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


class Precision(_Quality):
    """Share of the yes answers that are right: tp / (tp + fp), 0 without any.

    thresholds: predictions above are a yes; 0.5 by default. top_k: only the k largest of a row can be a yes.
    class_id: look at this column alone.
    """

    def result(self) -> Any:
        return self._figure(share(self.true_positives, self.true_positives + self.false_positives))


class Recall(_Quality):
    """Share of the yes labels that are found: tp / (tp + fn), 0 without any.

    thresholds: predictions above are a yes; 0.5 by default. top_k: only the k largest of a row can be a yes.
    class_id: look at this column alone.
    """

    def result(self) -> Any:
        return self._figure(share(self.true_positives, self.true_positives + self.false_negatives))


class _BestUnder(_Counts):
    """The best of one figure among the thresholds at which another reaches a value."""

    _argument = ""

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: DTypeLike | None
    ) -> None:
        where = type(self).__name__
        if not 0 <= value <= 1:
            raise ValueError(f"[{where}] expected {self._argument} in [0, 1], got {value}")
        if num_thresholds < 1:
            raise ValueError(f"[{where}] expected num_thresholds >= 1, got {num_thresholds}")
        self.value, self.num_thresholds, self.class_id = float(value), int(num_thresholds), class_id
        super().__init__(np.array([0.5]) if num_thresholds == 1 else np.linspace(0, 1, num_thresholds), name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight, class_id=self.class_id, shares=True)

    def _best(self, constrained: Array, wanted: Array) -> float:
        return float(np.max(wanted[constrained >= self.value], initial=0.0))

    @property
    def _sensitivity(self) -> Array:
        found: Array = share(self.true_positives, self.true_positives + self.false_negatives)
        return found

    @property
    def _specificity(self) -> Array:
        found: Array = share(self.true_negatives, self.true_negatives + self.false_positives)
        return found

    @property
    def _precision(self) -> Array:
        found: Array = share(self.true_positives, self.true_positives + self.false_positives)
        return found

    def get_config(self) -> dict[str, Any]:
        own = {self._argument: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return {**super().get_config(), **own}


class SensitivityAtSpecificity(_BestUnder):
    """Best sensitivity tp / (tp + fn) at a threshold where specificity tn / (tn + fp) >= specificity; 0 if none."""

    _argument = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        return self._best(self._specificity, self._sensitivity)


class SpecificityAtSensitivity(_BestUnder):
    """Best specificity tn / (tn + fp) at a threshold where sensitivity tp / (tp + fn) >= sensitivity; 0 if none."""

    _argument = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        return self._best(self._sensitivity, self._specificity)


class PrecisionAtRecall(_BestUnder):
    """Best precision tp / (tp + fp) at a threshold where recall tp / (tp + fn) >= recall; 0 if there is none."""

    _argument = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        return self._best(self._sensitivity, self._precision)


class RecallAtPrecision(_BestUnder):
    """Best recall tp / (tp + fn) at a threshold where precision tp / (tp + fp) >= precision; 0 if there is none."""

    _argument = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        return self._best(self._precision, self._sensitivity)


class AUC(_Counts):
    """Area under the curve of answers at many thresholds, by Riemann's sum over those.

    num_thresholds: evenly spaced in [0, 1], with one below and one above. thresholds: inner ones of your own instead.
    curve: "ROC" for the share of yes labels found over that of no labels called yes, "PR" for precision over recall,
    "PRGAIN" for the gains of precision and recall over calling everything a yes (Flach and Kull, 2015).
    summation_method: "interpolation", which for PR is that of true positives (Davis and Goadrich, 2006), "minoring"
    for the lower and "majoring" for the higher side of each step.
    multi_label: one curve per column (num_labels of them), whose mean, weighted by label_weights, is the result.
    Without it, label_weights weigh the columns' samples. from_logits: put predictions through a sigmoid first.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypeLike | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        if str(curve).upper() not in ("ROC", "PR", "PRGAIN"):
            raise ValueError(f"[AUC] expected curve 'ROC', 'PR' or 'PRGAIN', got {curve!r}")
        methods = ("interpolation", "minoring", "majoring")
        if str(summation_method).lower() not in methods:
            raise ValueError(f"[AUC] expected summation_method to be one of {methods}, got {summation_method!r}")
        if thresholds is None and num_thresholds < 2:
            raise ValueError(f"[AUC] expected num_thresholds >= 2, got {num_thresholds}")
        inner = np.linspace(0, 1, num_thresholds)[1:-1] if thresholds is None else np.sort(_levels("AUC", thresholds))
        self.curve, self.summation_method = str(curve).upper(), str(summation_method).lower()
        self._inner = None if thresholds is None else inner.tolist()
        self.num_thresholds = len(inner) + 2
        self.multi_label, self.num_labels = bool(multi_label), num_labels
        self.label_weights = None if label_weights is None else np.asarray(label_weights, np.float64)
        self.from_logits = bool(from_logits)
        if self.label_weights is not None and np.any(self.label_weights < 0):
            raise ValueError(f"[AUC] expected label_weights >= 0, got {label_weights}")
        super().__init__(np.concatenate([[-EPSILON], inner, [1 + EPSILON]]), name, dtype)

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, the one below 0 and the one above 1 included."""
        found: list[float] = self._levels.tolist()
        return found

    def reset_state(self) -> None:
        super().reset_state()
        self._by_label: list[_Counts] = []

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if self.from_logits:
            y_pred = ops.sigmoid(np.asarray(raw(y_pred), np.float64))
        positive, p, weights = _prepared(self.name, y_true, y_pred, sample_weight, None, None)
        require_shares(self.name, p)
        if self.label_weights is not None and self.label_weights.shape != p.shape[-1:]:
            raise ValueError(f"[{self.name}] expected {self.label_weights.size} columns, got shape {p.shape}")
        if not self.multi_label:
            if self.label_weights is not None:
                weights = weights * self.label_weights
            return self._add(positive.reshape(-1), p.reshape(-1), weights.reshape(-1))
        if p.ndim != 2 or self.num_labels not in (None, p.shape[1]) or len(self._by_label) not in (0, p.shape[1]):
            wanted = self.num_labels or len(self._by_label) or "labels"
            raise ValueError(f"[{self.name}] expected predictions of shape (n, {wanted}), got {p.shape}")
        if not self._by_label:
            self._by_label = [_Counts(self._levels, "label", self.dtype) for _ in range(p.shape[1])]
        for column, counts in enumerate(self._by_label):
            counts._add(positive[:, column], p[:, column], weights[:, column])

    def result(self) -> float:
        if not self.multi_label:
            return self._area(self)
        areas = [self._area(counts) for counts in self._by_label]
        return float(np.average(areas, weights=self.label_weights)) if areas else 0.0

    def _area(self, counts: _Counts) -> float:
        tp, fp = counts.true_positives, counts.false_positives
        tn, fn = counts.true_negatives, counts.false_negatives
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_precision(tp, fp, fn)
        x, y = self._coordinates(tp, fp, tn, fn)
        lower, upper = np.minimum(y[:-1], y[1:]), np.maximum(y[:-1], y[1:])
        heights = {"interpolation": (lower + upper) / 2, "minoring": lower, "majoring": upper}
        return float(np.sum((x[:-1] - x[1:]) * heights[self.summation_method]))

    def _coordinates(self, tp: Array, fp: Array, tn: Array, fn: Array) -> tuple[Array, Array]:
        """(x, y) of the curve at each threshold."""
        if self.curve == "ROC":
            return share(fp, fp + tn), share(tp, tp + fn)
        if self.curve == "PR":
            return share(tp, tp + fn), share(tp, tp + fp)
        odds = share(tp + fn, tn + fp)
        recall_gain = np.where(tp == 0, 0.0, 1 - odds * share(fn, tp))
        return np.maximum(recall_gain, 0.0), np.where(tp == 0, 1.0, 1 - odds * share(fp, tp))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "thresholds": self._inner,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }


def _interpolated_precision(tp: Array, fp: Array, fn: Array) -> float:
    """Area under precision over recall, with true positives linear in the number of yes answers between thresholds.

    tp = slope p + intercept for p = tp + fp between p0 <= p1 has the integral of (tp / p) dtp
    = slope ((tp1 - tp0) + intercept ln(p1 / p0)).
    """
    p = tp + fp
    rise = tp[:-1] - tp[1:]
    slope = share(rise, p[:-1] - p[1:])
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    ratio = np.divide(p[:-1], p[1:], out=np.ones(len(rise)), where=both)
    return float(np.sum(share(slope * (rise + intercept * np.log(ratio)), tp[1:] + fn[1:])))
