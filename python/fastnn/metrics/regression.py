"""Errors of numbers, and how much of their spread is explained."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import raw
from fastnn.losses import regression as losses
from fastnn.losses.loss import same_shape
from fastnn.metrics.metric import MeanMetricWrapper, MeanOverOutputs, Metric, weights_of


class MeanSquaredError(MeanOverOutputs):
    """Mean of (y_true - y_pred)^2."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class RootMeanSquaredError(MeanOverOutputs):
    """Square root of the mean of (y_true - y_pred)^2."""

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)

    def result(self) -> float:
        return float(super().result() ** 0.5)


class MeanAbsoluteError(MeanOverOutputs):
    """Mean of |y_true - y_pred|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanOverOutputs):
    """Mean of 100 |y_true - y_pred| / max(|y_true|, 1e-7)."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanOverOutputs):
    """Mean of (ln(1 + y_true) - ln(1 + y_pred))^2."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanOverOutputs):
    """Mean of ln(cosh(y_pred - y_true))."""

    def __init__(self, name: str | None = "logcosh", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between y_true and y_pred along axis: 1 for one direction. The loss is minus this."""

    def __init__(self, name: str | None = "cosine_similarity", dtype: DTypeLike | None = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Cosine of the angle between y_true and y_pred along axis, one value per sample."""
    found: Array = -np.asarray(losses.cosine_similarity(y_true, y_pred, axis))
    return found


class R2Score(Metric):
    """Coefficient of determination: 1 - sum((y_true - y_pred)^2) / sum((y_true - mean(y_true))^2), by output.

    y_true, y_pred: (n,) or (n, outputs). class_aggregation: "uniform_average" for the mean over outputs,
    "variance_weighted_average" for the mean weighted by the spread of y_true, None for one score per output.
    num_regressors p: if not 0, the score is adjusted to 1 - (1 - r2) (n - 1) / (n - p - 1), where n counts all values
    of y_true, those of several outputs too, as Keras does; with too few of them it is left alone, with a warning.
    An output whose y_true are all the same scores 1 if it is predicted exactly and 0 if not.
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(dtype, name)
        known = ("uniform_average", "variance_weighted_average", None)
        if class_aggregation not in known:
            raise ValueError(f"[R2Score] expected class_aggregation to be one of {known}, got {class_aggregation!r}")
        if num_regressors < 0:
            raise ValueError(f"[R2Score] expected num_regressors >= 0, got {num_regressors}")
        self.class_aggregation, self.num_regressors = class_aggregation, int(num_regressors)
        self.reset_state()

    def reset_state(self) -> None:
        self._samples = 0
        self._weight = np.zeros(1)  # by output: sums of weights, mean of y_true, spread about it, squared residuals
        self._mean = np.zeros(1)
        self._spread = np.zeros(1)
        self._residual = np.zeros(1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = np.asarray(raw(y_true), np.float64), np.asarray(raw(y_pred), np.float64)
        if y_true.ndim == y_pred.ndim == 1:
            y_pred = y_pred[:, None]
        y_true, y_pred = same_shape(self.name, y_true, y_pred)
        if y_pred.ndim != 2:
            raise ValueError(f"[{self.name}] expected y_true of shape (n, outputs), got {y_pred.shape}")
        if self._samples and len(self._mean) not in (1, y_pred.shape[1]):
            raise ValueError(f"[{self.name}] expected {len(self._mean)} outputs, got {y_pred.shape[1]}")
        if not len(y_true):
            return
        weights = weights_of(self.name, y_true, sample_weight)
        weight = np.sum(weights, axis=0)
        mean = np.sum(weights * y_true, axis=0) / np.where(weight, weight, 1)
        # Two sets at a time, so that no digits are lost where the mean is large beside the spread (Chan et al., 1979)
        both = self._weight + weight
        step = mean - self._mean
        part = weight / np.where(both, both, 1)
        self._spread = self._spread + np.sum(weights * (y_true - mean) ** 2, axis=0) + step * step * self._weight * part
        self._mean = self._mean + step * part
        self._weight = both
        self._residual = self._residual + np.sum(weights * (y_true - y_pred) ** 2, axis=0)
        self._samples += len(y_true)

    def result(self) -> Any:
        if not self._samples:
            return 0.0
        constant = self._spread == 0
        scores: Any = 1 - self._residual / np.where(constant, 1, self._spread)
        scores = np.where(constant, np.where(self._residual == 0, 1.0, 0.0), scores)
        if self.class_aggregation == "uniform_average":
            scores = np.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            total = np.sum(self._spread)
            scores = np.sum(scores * self._spread) / total if total else np.mean(scores)
        if self.num_regressors:
            n, p = self._samples * len(self._mean), self.num_regressors
            if p >= n - 1:
                message = f"[{self.name}] expected more than {p + 1} values for {p} regressors, got {n}; not adjusted"
                warnings.warn(message, stacklevel=2)
            else:
                scores = 1 - (1 - scores) * (n - 1) / (n - p - 1)
        return scores if self.class_aggregation is None else float(scores)

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
