"""F scores: precision and recall in one figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.losses.loss import fit_weight
from fastnn.metrics.metric import Metric, share


class FBetaScore(Metric):
    """Weighted harmonic mean of precision and recall: (1 + b^2) precision recall / (b^2 precision + recall).

    y_true, y_pred: (n, classes), one-hot or several labels a sample. threshold: predictions above are a yes; None for
    the largest of a row, of equals all. average: None for one score per class, "micro" for all counts together,
    "macro" for the mean over classes, "weighted" for the mean weighted by the number of labels.
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"[{self.name}] expected average None, 'micro', 'macro' or 'weighted', got {average!r}")
        if not (_is_number(beta) and beta > 0):
            raise ValueError(f"[{self.name}] expected beta > 0, got {beta!r}")
        if threshold is not None and not (_is_number(threshold) and 0 < threshold <= 1):
            raise ValueError(f"[{self.name}] expected threshold in (0, 1], got {threshold!r}")
        self.average, self.beta, self.threshold = average, float(beta), threshold
        self.reset_state()

    def reset_state(self) -> None:
        self._counts: Array | None = None  # true positives, false positives, false negatives; (3, classes)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = np.asarray(raw(y_true), np.float64), np.asarray(raw(y_pred), np.float64)
        if t.ndim != 2 or t.shape != p.shape:
            raise ValueError(f"[{self.name}] expected y_true and y_pred (n, classes), got {t.shape} and {p.shape}")
        if self._counts is not None and self._counts.shape[1] != p.shape[1]:
            raise ValueError(f"[{self.name}] expected {self._counts.shape[1]} classes, got {p.shape[1]}")
        if self.threshold is None:
            yes = (p >= np.max(p, axis=-1, keepdims=True)) & (np.abs(p) > 1e-9)  # a row of zeros says nothing
        else:
            yes = p > self.threshold
        weights = np.ones(len(p)) if sample_weight is None else fit_weight(self.name, sample_weight, p.shape[:1], "f8")
        counts = np.stack([weights @ (yes * t), weights @ (yes * (1 - t)), weights @ (~yes * t)])
        self._counts = counts if self._counts is None else self._counts + counts

    def result(self) -> Any:
        if self._counts is None:
            return 0.0
        right, extra, missed = np.sum(self._counts, axis=1) if self.average == "micro" else self._counts
        square = self.beta**2
        scores = share((1 + square) * right, (1 + square) * right + square * missed + extra)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return float(np.sum(scores * share(right + missed, np.sum(right + missed))))
        return float(np.mean(scores))

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool)


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall: 2 precision recall / (precision + recall). See FBetaScore."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
