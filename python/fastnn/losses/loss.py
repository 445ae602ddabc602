"""Loss: what a model is trained to make small."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import DTypeLike, float_dtype
from fastnn.autograd import Differentiable, raw
from fastnn.backend import cast
from fastnn.registry import Registry
from fastnn.structure import Structural

registry = Registry("losses")

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Structural):
    """Base class. A loss of your own implements call(y_true, y_pred) -> one value per sample.

    reduction: "sum_over_batch_size" or "mean" for the sum over all values divided by their number, "sum",
    "mean_with_sample_weight" for the sum divided by the sum of the weights, "none" for one value per sample.
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: DTypeLike | None = None
    ) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"[{type(self).__name__}] expected reduction to be one of {REDUCTIONS}, got {reduction!r}")
        self.name = name or type(self).__name__
        self.reduction = reduction
        self._dtype = float_dtype(dtype, type(self).__name__)

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] expected call() to be implemented")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = self.prediction(y_pred)
        return self.reduce(self.call(y_true, y_pred), sample_weight)

    def prediction(self, y_pred: Any) -> Any:
        """y_pred as a Tensor or a floating array."""
        if isinstance(y_pred, Differentiable):
            return y_pred
        array = np.asarray(y_pred)
        if array.dtype.kind == "f" and isinstance(y_pred, (np.ndarray, np.generic)):
            return array
        return array.astype(self._dtype)

    def reduce(self, values: Any, sample_weight: Any) -> Any:
        """Weights and reduces values, one per sample or more."""
        if sample_weight is not None:
            weight = cast(np.asarray(raw(sample_weight)), values.dtype)
            if weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
                weight = weight[..., 0]
            if any(n not in (1, values.shape[axis]) for axis, n in enumerate(weight.shape[: values.ndim])) or (
                weight.ndim > values.ndim
            ):
                raise ValueError(
                    f"[{self.name}] expected sample_weight that fits losses of shape {values.shape}, got {weight.shape}"
                )
            weight = weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
            values = values * weight
        if self.reduction in ("none", None):
            return values
        total = ops.sum(values)
        if self.reduction == "sum":
            return total
        count = float(max(values.size, 1))
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            count = float(np.sum(np.broadcast_to(weight, values.shape))) or 1.0
        return total / count

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return cls(**config)


def same_rank(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Target and prediction with one number of axes, where one of them has a last axis of length 1 too many."""
    if not isinstance(y_true, (np.ndarray, Differentiable)):
        y_true = np.asarray(y_true)
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    elif y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        y_true = ops.reshape(y_true, (*y_true.shape, 1))
    return y_true, y_pred


def same_shape(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Target, in the prediction's dtype, and prediction. Raises ValueError unless they have one shape."""
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"[{name}] expected y_true of y_pred's shape {y_pred.shape}, got {y_true.shape}")
    if not isinstance(y_true, Differentiable) and y_true.dtype != y_pred.dtype:
        y_true = cast(y_true, y_pred.dtype)
    return y_true, y_pred
