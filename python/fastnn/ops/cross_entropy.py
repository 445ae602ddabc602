"""Cross-entropy from logits, fused with softmax or sigmoid and with the reduction over rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import I64, Array, normalize_axes
from fastnn.autograd import Differentiable, Needs, composite, primitive, raw
from fastnn.backend import cast, floats, kernels
from fastnn.ops.elementwise import clip, log, subtract
from fastnn.ops.transpose import to_last_axis

#: What a loss does with its values, as the kernels number it.
REDUCTIONS = {"none": 0, "sum": 1, "mean": 2}


def reduction_number(reduction: str | None, where: str) -> int:
    """The number of a reduction; None is "none". Raises ValueError for an unknown one."""
    number = REDUCTIONS.get(reduction or "none")
    if number is None:
        raise ValueError(f"[{where}] expected reduction to be one of {tuple(REDUCTIONS)}, got {reduction!r}")
    return number


def check_smoothing(label_smoothing: float, where: str) -> float:
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"[{where}] expected label_smoothing in [0, 1], got {label_smoothing}")
    return float(label_smoothing)


def weights_like(sample_weight: Any, x: Array) -> Array | None:
    """sample_weight in x's dtype, None as it is."""
    return None if sample_weight is None else cast(np.asarray(sample_weight), x.dtype)


def require_probabilities(p: Any) -> None:
    """Raises ValueError if a value lies outside [0, 1] by more than a thousandth, as logits do. NaN passes."""
    array = floats(raw(p))
    kernels(array).require_probabilities(array)


@primitive
def softmax_cross_entropy(
    logits: Any,
    labels: Any,
    sample_weight: Any = None,
    *,
    reduction: str | None = "none",
    axis: int = -1,
    label_smoothing: float = 0.0,
    ignore_class: int | None = None,
) -> Any:
    """Cross-entropy of softmax(logits): y_r = -w_r sum_k t_rk ln(softmax(x_r)_k), with t the labels, smoothed.

    logits: real, (..., k) with the k classes along axis. labels: integers (...), for which t is 1 at the label and 0
        elsewhere; or floating (..., k), probabilities as a rule. Floating labels (...) that are whole numbers count as
        integers.
    sample_weight: real, (...), or None for ones.
    reduction: "none" for one value per row; "sum"; or "mean", the sum divided by the number of rows, or of the rows
        that ignore_class leaves. label_smoothing s: t becomes (1 - s) t + s / k.
    ignore_class: an integer label whose rows give loss 0 and gradient 0; it may lie outside [0, k).
    Returns logits' dtype, (...) or a scalar array. The gradient goes to logits alone.
    Raises ValueError for shapes that do not fit, for labels outside [0, k), and for labels that are NaN or infinite.
    """
    where = "softmax_cross_entropy"
    x = floats(logits)
    if axis != -1 and axis != x.ndim - 1:
        return _over_axis(x, labels, sample_weight, reduction, axis, label_smoothing, ignore_class)
    number = reduction_number(reduction, where)
    smoothing = check_smoothing(label_smoothing, where)
    targets = _labels_of(labels, x)
    weight = weights_like(sample_weight, x)
    run = kernels(x)
    loss, y, scale = run.softmax_cross_entropy(x, targets, weight, number, smoothing, ignore_class)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, None, None]:
        if needs[0] is None:
            return None, None, None
        back = run.softmax_cross_entropy_backward
        return back(y, targets, weight, scale, dy, number, smoothing, ignore_class), None, None

    return loss, pullback


def _labels_of(labels: Any, x: Array) -> Array:
    """Labels as integers by row, or as targets of x's shape and dtype."""
    t = labels if type(labels) is np.ndarray else np.asarray(labels)
    if t.ndim == x.ndim:
        return cast(t, x.dtype)
    if t.dtype.kind == "f":
        return _whole(t, x)
    if t.dtype.kind not in "iub":
        raise TypeError(f"[softmax_cross_entropy] expected integer or floating labels, got {t.dtype}")
    return cast(t, I64)


def _whole(t: Array, x: Array) -> Array:
    """Floating labels that are whole numbers as integers."""
    where = "softmax_cross_entropy"
    if t.shape != x.shape[:-1]:
        wanted = f"integer labels {x.shape[:-1]} or floating ones {x.shape}"
        raise ValueError(f"[{where}] expected {wanted}, got {t.dtype} {t.shape}")
    spoiled = np.flatnonzero(~np.isfinite(t))
    if spoiled.size:
        raise ValueError(f"[{where}] expected finite labels, got {t.flat[spoiled[0]]} at row {spoiled[0]}")
    whole = t.astype(np.int64)
    differs = np.flatnonzero(whole != t)
    if differs.size:
        raise ValueError(
            f"[{where}] expected whole numbers as labels, or one-hot labels of shape {x.shape}, "
            f"got {t.flat[differs[0]]} at row {differs[0]}"
        )
    return whole


def _over_axis(x: Array, labels: Any, weight: Any, reduction: Any, axis: int, smoothing: float, ignored: Any) -> Any:
    """softmax_cross_entropy with the classes along an axis that is not the last."""
    where = "softmax_cross_entropy"
    rows, restore = to_last_axis(x, normalize_axes(int(axis), x.ndim, where), where)
    t = np.asarray(labels)
    targets = to_last_axis(t, axis, where)[0] if t.ndim == x.ndim else t
    forward = softmax_cross_entropy.__wrapped__  # type: ignore[attr-defined]
    loss, back = forward(rows, targets, weight, reduction=reduction, label_smoothing=smoothing, ignore_class=ignored)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, None, None]:
        dx, *_ = back(dy, needs)
        return None if dx is None else restore(dx), None, None

    return loss, pullback


@primitive
def sigmoid_cross_entropy(
    logits: Any,
    labels: Any,
    sample_weight: Any = None,
    *,
    reduction: str | None = "none",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy of yes-or-no labels: y = w (max(x, 0) - x z + ln(1 + e^-|x|)), with z the labels, smoothed.

    logits: real, any shape. labels: real, logits' shape, in [0, 1] as a rule. sample_weight: real, logits' shape with
    or without its last axis, or None for ones. reduction: "none" for one value per element, "sum", or "mean" over all
    elements. label_smoothing s: z becomes (1 - s) z + s / 2.
    Returns logits' dtype and shape, or a scalar array. The gradient goes to logits alone.
    Raises ValueError for shapes that do not fit, and for labels that are NaN or infinite.
    """
    where = "sigmoid_cross_entropy"
    x = floats(logits)
    number = reduction_number(reduction, where)
    smoothing = check_smoothing(label_smoothing, where)
    z = floats(labels)
    targets = cast(z, x.dtype)
    weight = weights_like(sample_weight, x)
    run = kernels(x)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, None, None]:
        if needs[0] is None:
            return None, None, None
        return run.sigmoid_cross_entropy_backward(x, targets, weight, dy, number, smoothing), None, None

    return run.sigmoid_cross_entropy(x, targets, weight, number, smoothing), pullback


# ---- Keras's functions of targets and outputs ------------------------------------------------------------------------

_EPSILON = 1e-7


@composite
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Cross-entropy with probabilities as targets, one value per row: y = -sum_k target_k ln(output_k).

    target, output: (..., classes), the classes along axis; outputs are divided by their sum, or logits. Raises
    ValueError for shapes that differ, and for outputs outside [0, 1] that are no logits.
    """
    output, labels = _given(output), np.asarray(raw(target))
    if labels.shape != output.shape:
        raise ValueError(f"[categorical_crossentropy] expected target {output.shape}, got {labels.shape}")
    logits = output if from_logits else _logits(output)
    return softmax_cross_entropy(logits, cast(labels, logits.dtype), axis=axis)


@composite
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Cross-entropy with classes as targets, one value per row: y = -ln(output[target]).

    target: integers, (...) or (..., 1). output: (..., classes), divided by their sum, or logits. Raises ValueError for
    targets that are no classes, and for outputs outside [0, 1] that are no logits.
    """
    output, labels = _given(output), np.asarray(raw(target))
    if labels.ndim == output.ndim and labels.shape[-1:] == (1,):
        labels = labels[..., 0]
    return softmax_cross_entropy(output if from_logits else _logits(output), labels, axis=axis)


@composite
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Cross-entropy of each yes-or-no target: y = -target ln(output) - (1 - target) ln(1 - output).

    target, output: one shape; outputs are probabilities or logits. Raises ValueError for shapes that differ, and for
    outputs outside [0, 1] that are no logits.
    """
    output, labels = _given(output), np.asarray(raw(target))
    if labels.shape != output.shape:
        raise ValueError(f"[binary_crossentropy] expected target {output.shape}, got {labels.shape}")
    logits = output
    if not from_logits:
        require_probabilities(output)
        p = clip(output, _EPSILON, 1 - _EPSILON)
        logits = subtract(log(p), log(subtract(1.0, p)))
    return sigmoid_cross_entropy(logits, cast(labels, logits.dtype))


def _given(output: Any) -> Any:
    return output if isinstance(output, Differentiable) else floats(np.asarray(output))


def _logits(p: Any) -> Any:
    """Logits whose softmax is p, divided by its sum."""
    require_probabilities(p)
    return log(clip(p, _EPSILON, 1.0))
