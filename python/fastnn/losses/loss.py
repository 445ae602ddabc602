"""Loss: what a model is trained to make small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array, DTypeLike, Shape, float_dtype
from fastnn.autograd import Differentiable, raw
from fastnn.backend import cast
from fastnn.masks import mask_of
from fastnn.masks import table as _masks
from fastnn.registry import Registry
from fastnn.structure import Structural, is_ours

registry = Registry("losses")

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Structural):
    """Base class. A loss of your own implements call(y_true, y_pred) -> one value per sample.

    reduction: "sum_over_batch_size" or "mean" for the sum over all values divided by their number, "sum",
    "mean_with_sample_weight" for the sum divided by the sum of the weights, "none" for one value per sample.
    dtype: what predictions that are no floating arrays become, and floating arrays too if it is given.
    sample_weight: one weight per value, or per sample, or anything in between that fits from the first axis on.
    """

    #: Whether the same kernels run for all values of the same shapes.
    recordable = True

    #: Whether call() gets floating targets in the predictions' dtype: those of one's own do.
    _casts = False

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: DTypeLike | None = None
    ) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"[{type(self).__name__}] expected reduction to be one of {REDUCTIONS}, got {reduction!r}")
        self.name = name or type(self).__name__
        self.reduction = reduction
        self._asked = dtype is not None
        self._dtype = float_dtype(dtype, type(self).__name__)

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)
        cls._casts = not is_ours(cls)
        if "call" in cls.__dict__ and "value" not in cls.__dict__:  # rather than the fused one of its parent
            cls.value = Loss.value  # type: ignore[method-assign]

    @property
    def dtype(self) -> str:
        return self._dtype.name

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] expected call() to be implemented")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if _masks and (mask := mask_of(y_pred)) is not None:
            mean = self.reduction in ("mean", "sum_over_batch_size")
            sample_weight = masked_weight(self.name, sample_weight, mask, mean, raw(y_pred).dtype)
        return self.value(y_true, y_pred, sample_weight)

    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss. sample_weight: with y_pred's mask in it, if it has one."""
        y_pred = self.prediction(y_pred)
        if self._casts:
            y_true = _floating_as(y_true, y_pred.dtype)
        return self.reduce(self.call(y_true, y_pred), sample_weight)

    def prediction(self, y_pred: Any) -> Any:
        """y_pred as a Tensor or a floating array."""
        if isinstance(y_pred, Differentiable):
            return ops.cast(y_pred, self._dtype) if self._asked and y_pred.dtype != self._dtype else y_pred
        array = np.asarray(y_pred)
        if array.dtype.kind == "f" and isinstance(y_pred, (np.ndarray, np.generic)) and not self._asked:
            return array
        return cast(array, self._dtype)

    def fused(
        self,
        op: Callable[..., Any],
        y_pred: Any,
        y_true: Any,
        sample_weight: Any,
        rows: Shape,
        scale: float = 1.0,
        **options: Any,
    ) -> Any:
        """What reduce() would make of op's values, of shape `rows`, by op's own reduction. scale: of each value."""
        weight = None if sample_weight is None else fit_weight(self.name, sample_weight, rows, y_pred.dtype)
        reduction = self.reduction
        if reduction is None or reduction == "none":
            values = op(y_pred, y_true, weight, reduction="none", **options)
            return values if scale == 1 else values * scale
        if reduction == "sum" or (reduction == "mean_with_sample_weight" and weight is not None):
            total = op(y_pred, y_true, weight, reduction="sum", **options)
            if scale != 1:
                total = total * scale
            return total if reduction == "sum" else total / _or_one(ops.sum(weight))
        return op(y_pred, y_true, weight, reduction="mean", **options)

    def reduce(self, values: Any, sample_weight: Any) -> Any:
        """Weights and reduces values, one per sample or more."""
        if sample_weight is not None:
            weight = fit_weight(self.name, sample_weight, values.shape, values.dtype)
            values = ops.multiply(values, weight)
        if self.reduction in ("none", None):
            return values
        total = ops.sum(values)
        if self.reduction == "sum":
            return total
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            return total / _or_one(ops.sum(weight))
        return total / float(max(values.size, 1))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def _floating_as(y_true: Any, dtype: DTypeLike) -> Any:
    floating = isinstance(y_true, np.ndarray) and y_true.dtype.kind == "f"
    return cast(y_true, np.dtype(dtype)) if floating else y_true


def _or_one(divisor: Any) -> Any:
    """The divisor, 1 where it is 0."""
    return ops.where(ops.equal(divisor, 0.0), 1.0, divisor)


def fit_weight(name: str, sample_weight: Any, shape: Shape, dtype: DTypeLike) -> Array:
    """sample_weight in this shape, repeated along axes of length 1 and those it lacks at the end.

    Raises ValueError if it does not fit.
    """
    weight = cast(np.asarray(raw(sample_weight)), np.dtype(dtype))
    if weight.shape == shape:
        return weight
    given = weight.shape
    if weight.ndim == len(shape) + 1 and given[-1] == 1:
        weight = weight.reshape(given[:-1])
    if weight.ndim > len(shape) or any(n not in (1, m) for n, m in zip(weight.shape, shape, strict=False)):
        raise ValueError(f"[{name}] expected sample_weight that fits values of shape {shape}, got {given}")
    weight = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    return np.broadcast_to(weight, shape)


def masked_weight(name: str, sample_weight: Any, mask: Array, mean: bool, dtype: DTypeLike) -> Any:
    """sample_weight, or 1, where mask is True, else 0.

    mean: True for a mean over the values that count alone: the weights grow by the number of all values over theirs.
    """
    weight = ops.cast(mask, dtype)
    if mean:
        weight = ops.multiply(weight, ops.divide(float(mask.size), ops.add(ops.sum(weight), 1e-7)))
    if sample_weight is None:
        return weight
    given = np.asarray(raw(sample_weight))
    shape = mask.shape if given.ndim <= mask.ndim else given.shape
    return ops.multiply(fit_weight(name, given, shape, dtype), fit_weight(name, weight, shape, dtype))


def same_rank(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Target and prediction with one number of axes, where one of them has a last axis of length 1 too many.

    The longer one loses it, unless the shorter one has just one axis: then that gains it, as in Keras, so that there
    is a value per sample.
    """
    if not isinstance(y_true, (np.ndarray, Differentiable)):
        y_true = np.asarray(y_true)
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        if y_pred.ndim == 1:
            y_pred = _reshaped(y_pred, (*y_pred.shape, 1))
        else:
            y_true = _reshaped(y_true, y_true.shape[:-1])
    elif y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        if y_true.ndim == 1:
            y_true = _reshaped(y_true, (*y_true.shape, 1))
        else:
            y_pred = _reshaped(y_pred, y_pred.shape[:-1])
    return y_true, y_pred


def _reshaped(x: Any, shape: Shape) -> Any:
    return x.reshape(shape) if isinstance(x, np.ndarray) else ops.reshape(x, shape)


def same_shape(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Target, in the prediction's dtype, and prediction. Raises ValueError unless they have one shape."""
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"[{name}] expected y_true of y_pred's shape {y_pred.shape}, got {y_true.shape}")
    if not isinstance(y_true, Differentiable) and y_true.dtype != y_pred.dtype:
        if y_true.dtype.kind not in "fiub":
            raise TypeError(f"[{name}] expected y_true of real numbers, got {y_true.dtype}")
        y_true = cast(y_true, y_pred.dtype)
    return y_true, y_pred


def made_prediction(y_pred: Any) -> Any:
    """y_pred as a Tensor or a floating array, for a loss that is a function."""
    return _plain.prediction(y_pred)


_plain = Loss("function")
