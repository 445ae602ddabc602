"""Losses of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import DTypeLike
from fastnn.losses.loss import Loss, made_prediction, same_shape

#: What keeps divisors and logarithms from 0, as in Keras.
EPSILON = 1e-7


class _Residual(Loss):
    """What the losses of y_pred - y_true share. Their kernels take the mean over outputs, weights and reduction in."""

    _op: Callable[..., Any]

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, y_pred = same_shape(self.name, y_true, self.prediction(y_pred))
        return self.fused(self._op, y_pred, y_true, sample_weight, y_pred.shape[:-1], **self._options(y_pred))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = same_shape(self.name, y_true, y_pred)
        return self._op(y_pred, y_true, reduction="none", **self._options(y_pred))

    def _options(self, y_pred: Any) -> dict[str, Any]:
        return {}


class _Scaled(_Residual):
    """Adds factor and over_outputs."""

    def __init__(
        self,
        reduction: str | None,
        name: str | None,
        dtype: DTypeLike | None,
        factor: float,
        over_outputs: str,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if over_outputs not in ("mean", "sum"):
            raise ValueError(f"[{self.name}] expected over_outputs to be 'mean' or 'sum', got {over_outputs!r}")
        self.factor = float(factor)
        self.over_outputs = over_outputs

    def _options(self, y_pred: Any) -> dict[str, Any]:
        outputs = y_pred.shape[-1] if self.over_outputs == "sum" and y_pred.ndim else 1
        return {"factor": self.factor * outputs}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "over_outputs": self.over_outputs}


class MeanSquaredError(_Scaled):
    """Mean of squares: factor * mean((y_true - y_pred)^2) over the last axis. y_true, y_pred: (..., outputs).

    over_outputs: "sum" for the sum over the last axis instead of the mean. With factor=0.5, over_outputs="sum" and
    reduction="sum" it is half the sum of squares, as courses like to write the error of a network.
    """

    _op = staticmethod(ops.mean_squared_error)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: DTypeLike | None = None,
        *,
        factor: float = 1.0,
        over_outputs: str = "mean",
    ) -> None:
        super().__init__(reduction, name, dtype, factor, over_outputs)


class MeanAbsoluteError(_Scaled):
    """Mean of absolute values: factor * mean(|y_true - y_pred|) over the last axis. The gradient of equal values is 0.

    over_outputs: "sum" for the sum over the last axis instead of the mean.
    """

    _op = staticmethod(ops.mean_absolute_error)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: DTypeLike | None = None,
        *,
        factor: float = 1.0,
        over_outputs: str = "mean",
    ) -> None:
        super().__init__(reduction, name, dtype, factor, over_outputs)


class RootMeanSquaredError(Loss):
    """Square root of the mean squared error of the same reduction; its gradient at 0 is 0.

    With reduction "sum_over_batch_size" that is the root of the mean over the whole batch, with "none" one root per
    sample. Keras has it as a metric alone.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "root_mean_squared_error",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, y_pred = same_shape(self.name, y_true, self.prediction(y_pred))
        return _root(self.fused(ops.mean_squared_error, y_pred, y_true, sample_weight, y_pred.shape[:-1]))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return root_mean_squared_error(y_true, y_pred)


class Huber(_Residual):
    """Huber's loss: mean over the last axis of d^2 / 2 where |d| <= delta, delta |d| - delta^2 / 2 beyond.

    d = y_pred - y_true. Source: Huber, 1964.
    """

    _op = staticmethod(ops.huber)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = float(delta)

    def _options(self, y_pred: Any) -> dict[str, Any]:
        return {"delta": self.delta}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


class LogCosh(_Residual):
    """Mean over the last axis of ln(cosh(y_pred - y_true)): a square for small differences, linear for large ones."""

    _op = staticmethod(ops.log_cosh)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsolutePercentageError(Loss):
    """Mean over the last axis of 100 |y_true - y_pred| / max(|y_true|, 1e-7)."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(Loss):
    """Mean over the last axis of (ln(1 + y_true) - ln(1 + y_pred))^2, where values below 1e-7 count as 1e-7."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_squared_logarithmic_error(y_true, y_pred)


class CosineSimilarity(Loss):
    """Minus the cosine of the angle between y_true and y_pred along axis: -1 for one direction, 1 for opposite ones."""

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return cosine_similarity(y_true, y_pred, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


# ---- one value per sample ----------------------------------------------------------------------------------------


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squares over the last axis: mean((y_true - y_pred)^2), one value per sample."""
    y_true, y_pred = same_shape("mean_squared_error", y_true, made_prediction(y_pred))
    return ops.mean_squared_error(y_pred, y_true, reduction="none")


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute values over the last axis: mean(|y_true - y_pred|), one value per sample."""
    y_true, y_pred = same_shape("mean_absolute_error", y_true, made_prediction(y_pred))
    return ops.mean_absolute_error(y_pred, y_true, reduction="none")


def root_mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Root of the mean of squares over the last axis: mean((y_true - y_pred)^2)^(1/2), one value per sample."""
    return _root(mean_squared_error(y_true, y_pred))


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Huber's loss, one value per sample; see Huber."""
    y_true, y_pred = same_shape("huber", y_true, made_prediction(y_pred))
    return ops.huber(y_pred, y_true, delta=delta, reduction="none")


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of ln(cosh(y_pred - y_true)) over the last axis, one value per sample."""
    y_true, y_pred = same_shape("log_cosh", y_true, made_prediction(y_pred))
    return ops.log_cosh(y_pred, y_true, reduction="none")


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of 100 |y_true - y_pred| / max(|y_true|, 1e-7) over the last axis, one value per sample."""
    y_true, y_pred = same_shape("mean_absolute_percentage_error", y_true, made_prediction(y_pred))
    share = ops.absolute(y_true - y_pred) / ops.maximum(ops.absolute(y_true), EPSILON)
    return 100.0 * ops.mean(share, axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (ln(1 + y_true) - ln(1 + y_pred))^2 over the last axis, one value per sample."""
    y_true, y_pred = same_shape("mean_squared_logarithmic_error", y_true, made_prediction(y_pred))
    logs = [ops.log(ops.add(ops.maximum(y, EPSILON), 1.0)) for y in (y_pred, y_true)]
    return ops.mean_squared_error(*logs, reduction="none")


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between y_true and y_pred along axis; 0 where one of them is 0."""
    y_true, y_pred = same_shape("cosine_similarity", y_true, made_prediction(y_pred))
    return -ops.sum(_directed(y_true, axis) * _directed(y_pred, axis), axis=axis)


def _directed(x: Any, axis: int) -> Any:
    """x with length 1 along axis; 0 stays 0, with a finite gradient."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return ops.divide(x, ops.sqrt(ops.maximum(squares, EPSILON**2)))


def _root(x: Any) -> Any:
    """Square root of a mean of squares, as x / sqrt(x): a finite slope at 0, where each difference makes it 0."""
    smallest = float(np.finfo(x.dtype).tiny)
    return ops.divide(x, ops.sqrt(ops.maximum(x, smallest)))
