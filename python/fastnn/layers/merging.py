"""Layers that make one array of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.autograd import raw
from fastnn.layers.layer import Layer


def _shapes(given: Any, name: str, least: int = 1) -> list[PartialShape]:
    """The shapes of a list of inputs. Raises ValueError for what is no list of at least so many."""
    if not isinstance(given, (list, tuple)) or not all(isinstance(shape, (list, tuple)) for shape in given):
        raise ValueError(f"[{name}] expected a list of inputs, got one of shape {given}; write layer([a, b])")
    if len(given) < least:
        raise ValueError(f"[{name}] expected a list of at least {least} inputs, got {len(given)}")
    return [tuple(shape) for shape in given]


class _Merge(Layer):
    """An elementwise function of several inputs, which broadcast behind the batch.

    An input with fewer axes than another gets axes of length 1 behind the batch.
    """

    supports_masking = True
    _least = 1

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Sequence[Any]) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"[{self.name}] expected a list of inputs, got {type(inputs).__name__}")
        most = max(len(x.shape) for x in inputs)
        parts = [x if len(x.shape) == most else ops.expand_dims(x, _behind_batch(x, most)) for x in inputs]
        return self._merged(parts)

    def _merged(self, parts: list[Any]) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> PartialShape:
        first, *others = _shapes(input_shape, self.name, self._least)
        batch, lengths = first[:1], first[1:]
        for shape in others:
            batch = batch if batch != (None,) else shape[:1]
            lengths = self._together(lengths, shape[1:], input_shape)
        self._require_one_batch(input_shape)
        return (*batch, *lengths)

    def _together(self, a: PartialShape, b: PartialShape, shapes: Any) -> PartialShape:
        longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
        lead = len(longer) - len(shorter)
        found = list(longer[:lead])
        for one, other in zip(longer[lead:], shorter, strict=True):
            if one is not None and other is not None and 1 not in (one, other) and one != other:
                raise ValueError(
                    f"[{self.name}] expected inputs whose shapes broadcast together, got {_joined(shapes)}: "
                    f"an axis of {one} meets one of {other}; bring one input to the other's shape first, with "
                    "Dense or a 1x1 convolution as a rule"
                )
            if one is None or other is None:
                found.append(None)
            else:
                found.append(other if one == 1 else one)
        return tuple(found)

    def _require_one_batch(self, shapes: Any) -> None:
        batches = {shape[0] for shape in shapes if shape} - {None}
        if len(batches) > 1:
            raise ValueError(f"[{self.name}] expected inputs of one batch size, got {_joined(shapes)}")

    _makes_masks = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """A step counts where it does in one of the inputs; no mask if one has none."""
        if previous_mask is None:
            return None
        _check_masks(inputs, previous_mask, self.name)
        if any(mask is None for mask in previous_mask):
            return None
        return np.logical_or.reduce(previous_mask)


def _check_masks(inputs: Any, masks: Any, name: str) -> None:
    """Raises ValueError unless masks are as many as inputs, both in lists."""
    if not (isinstance(inputs, (list, tuple)) and isinstance(masks, (list, tuple)) and len(inputs) == len(masks)):
        a, b = (len(x) if isinstance(x, (list, tuple)) else type(x).__name__ for x in (inputs, masks))
        raise ValueError(f"[{name}] expected a list of inputs and one of as many masks, got {a} and {b}")


def _behind_batch(x: Any, axes: int) -> list[int]:
    return list(range(1, 1 + axes - len(x.shape)))


def _joined(shapes: Any) -> str:
    return " and ".join(str(tuple(shape)) for shape in shapes)


def _folded(op: Callable[[Any, Any], Any], parts: list[Any]) -> Any:
    merged, *others = parts
    for part in others:
        merged = op(merged, part)
    return merged


class Add(_Merge):
    """Sum of the inputs: y = x1 + x2 + ..., from left to right."""

    def _merged(self, parts: list[Any]) -> Any:
        return _folded(ops.add, parts)


class Subtract(_Merge):
    """Difference of two inputs: y = x1 - x2."""

    _least = 2

    def compute_output_shape(self, input_shape: Any) -> PartialShape:
        if len(_shapes(input_shape, self.name)) != 2:
            raise ValueError(f"[{self.name}] expected a list of 2 inputs, got {len(input_shape)}")
        return super().compute_output_shape(input_shape)

    def _merged(self, parts: list[Any]) -> Any:
        if len(parts) != 2:
            raise ValueError(f"[{self.name}] expected a list of 2 inputs, got {len(parts)}")
        return ops.subtract(*parts)


class _MaskedMerge(_Merge):
    """One that leaves out what the inputs' masks take away."""

    def call(self, inputs: Sequence[Any], mask: Sequence[Any] | None = None) -> Any:
        if mask is None:
            return super().call(inputs)
        return self._merged_where([None if m is None else ops.expand_dims(m, -1) for m in mask], list(inputs))

    def _merged_where(self, masks: list[Any], parts: list[Any]) -> Any:
        raise NotImplementedError


class Multiply(_MaskedMerge):
    """Product of the inputs: y = x1 x2 ..., from left to right. Masked elements count as 1, and as 0 where all are."""

    def _merged(self, parts: list[Any]) -> Any:
        return _folded(ops.multiply, parts)

    def _merged_where(self, masks: list[Any], parts: list[Any]) -> Any:
        product = self._merged([x if m is None else ops.where(m, x, 1.0) for m, x in zip(masks, parts, strict=True)])
        if any(m is None for m in masks):
            return product
        return ops.where(_folded(ops.logical_or, masks), product, 0.0)


class Average(_Merge):
    """Mean of the inputs: y = (x1 + x2 + ...) / (number of inputs)."""

    def _merged(self, parts: list[Any]) -> Any:
        return ops.divide(_folded(ops.add, parts), float(len(parts)))


class _Extremum(_MaskedMerge):
    _op: Callable[[Any, Any], Any]

    def _merged(self, parts: list[Any]) -> Any:
        return _folded(type(self)._op, parts)

    def _merged_where(self, masks: list[Any], parts: list[Any]) -> Any:
        """From left to right: where only one of two counts it stands for both."""
        merged, known = parts[0], masks[0]
        for x, mask in zip(parts[1:], masks[1:], strict=True):
            x = x if mask is None else ops.where(mask, x, merged)
            merged = merged if known is None else ops.where(known, merged, x)
            merged = type(self)._op(merged, x)
            known = None if known is None or mask is None else ops.logical_or(known, mask)
        return merged


class Maximum(_Extremum):
    """Largest of the inputs: y = max(x1, x2, ...). Where two are equal, each gets half the gradient."""

    _op = staticmethod(ops.maximum)


class Minimum(_Extremum):
    """Smallest of the inputs: y = min(x1, x2, ...). Where two are equal, each gets half the gradient."""

    _op = staticmethod(ops.minimum)


class Concatenate(Layer):
    """The inputs one after the other along axis, whose lengths add up; all others have to be the same."""

    supports_masking = True

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = int(axis)

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Sequence[Any]) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"[{self.name}] expected a list of inputs, got {type(inputs).__name__}")
        return ops.concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> PartialShape:
        shapes = _shapes(input_shape, self.name)
        ndim = len(shapes[0])
        if any(len(shape) != ndim for shape in shapes):
            raise ValueError(
                f"[{self.name}] expected inputs of one number of axes, got {_joined(shapes)}; insert Flatten() or "
                "Reshape() before it"
            )
        if not -ndim <= self.axis < ndim:
            raise ValueError(f"[{self.name}] expected axis in [{-ndim}, {ndim}), got {self.axis}")
        at = self.axis % ndim
        found: list[int | None] = []
        for axis, lengths in enumerate(zip(*shapes, strict=True)):
            known = {length for length in lengths if length is not None}
            if axis == at:
                found.append(None if None in lengths else sum(length for length in lengths if length is not None))
            elif len(known) > 1:
                raise ValueError(
                    f"[{self.name}] expected inputs that differ in axis {at} alone, got {_joined(shapes)}, which "
                    f"differ in axis {axis}; bring them to one shape first, or choose another axis"
                )
            else:
                found.append(known.pop() if known else None)
        return tuple(found)

    _makes_masks = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Masks one after the other where steps are; along the features, a step counts where it does in one input."""
        if previous_mask is None:
            return None
        _check_masks(inputs, previous_mask, self.name)
        if all(mask is None for mask in previous_mask):
            return None
        known = next(mask for mask in previous_mask if mask is not None)
        at = self.axis % len(inputs[0].shape)
        masks = [
            np.ones(raw(x).shape[: known.ndim], bool) if mask is None else mask
            for x, mask in zip(inputs, previous_mask, strict=True)
        ]
        return np.concatenate(masks, at) if at < known.ndim else np.logical_or.reduce(masks)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


#: The least squared norm that Dot(normalize=True) divides by the root of.
_LEAST_SQUARE = 1e-14


class Dot(Layer):
    """Scalar products of two inputs along axes, sample by sample: y[n, a, b] = sum_k x1[n, a, k] x2[n, k, b].

    axes: one axis of both inputs, or one of each; not the batch. What is left of both shapes is joined; (n, 1) if
    nothing is left. normalize: divide by the norms first, which gives cosines.
    """

    supports_masking = True

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(axes, (int, np.integer)):
            self.axes: Any = int(axes)
        elif isinstance(axes, (list, tuple)):
            if len(axes) != 2 or not all(isinstance(axis, (int, np.integer)) for axis in axes):
                raise ValueError(f"[Dot] expected axes as an integer or two of them, got {axes}")
            self.axes = [int(axis) for axis in axes]
        else:
            raise TypeError(f"[Dot] expected axes as an integer or two of them, got {axes!r}")
        self.normalize = bool(normalize)

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Sequence[Any]) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise ValueError(f"[{self.name}] expected a list of 2 inputs, got {type(inputs).__name__}")
        x1, x2 = inputs
        a1, a2 = self._axes(x1.shape, x2.shape)
        if self.normalize:
            x1, x2 = _normalized(x1, a1), _normalized(x2, a2)
        left, right = _without(x1.shape, a1), _without(x2.shape, a2)
        rows = ops.transpose(x1, (*(a for a in range(len(x1.shape)) if a != a1), a1))
        columns = ops.transpose(x2, (0, a2, *(a for a in range(1, len(x2.shape)) if a != a2)))
        n, k = x1.shape[0], x1.shape[a1]
        y = ops.matmul(ops.reshape(rows, (n, prod(left), k)), ops.reshape(columns, (n, k, prod(right))))
        return ops.reshape(y, (n, *(left + right or (1,))))

    def _axes(self, shape1: PartialShape, shape2: PartialShape) -> tuple[int, int]:
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        found = []
        for axis, shape in zip(given, (shape1, shape2), strict=True):
            if not -len(shape) < axis < len(shape) or axis == 0:
                raise ValueError(f"[{self.name}] expected axes in [1, {len(shape)}) for {tuple(shape)}, got {axis}")
            found.append(axis % len(shape))
        one, other = shape1[found[0]], shape2[found[1]]
        if one is not None and other is not None and one != other:
            raise ValueError(
                f"[{self.name}] expected axes of one length, got {one} at axis {found[0]} of {tuple(shape1)} and "
                f"{other} at axis {found[1]} of {tuple(shape2)}; choose other axes"
            )
        return found[0], found[1]

    def compute_output_shape(self, input_shape: Any) -> PartialShape:
        shapes = _shapes(input_shape, self.name)
        if len(shapes) != 2:
            raise ValueError(f"[{self.name}] expected a list of 2 inputs, got {len(shapes)}")
        a1, a2 = self._axes(*shapes)
        batch = shapes[0][0] if shapes[0][0] is not None else shapes[1][0]
        return (batch, *(_without(shapes[0], a1) + _without(shapes[1], a2) or (1,)))

    _makes_masks = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _without(shape: Any, axis: int) -> Any:
    """The lengths behind the batch, without that of axis."""
    return tuple(length for a, length in enumerate(shape) if a not in (0, axis))


def _normalized(x: Any, axis: int) -> Any:
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return ops.divide(x, ops.sqrt(ops.maximum(square, _LEAST_SQUARE)))


def add(inputs: Sequence[Any], **options: Any) -> Any:
    """Sum of several inputs, by a layer Add."""
    return Add(**options)(inputs)


def subtract(inputs: Sequence[Any], **options: Any) -> Any:
    """Difference of two inputs, by a layer Subtract."""
    return Subtract(**options)(inputs)


def multiply(inputs: Sequence[Any], **options: Any) -> Any:
    """Product of several inputs, by a layer Multiply."""
    return Multiply(**options)(inputs)


def average(inputs: Sequence[Any], **options: Any) -> Any:
    """Mean of several inputs, by a layer Average."""
    return Average(**options)(inputs)


def maximum(inputs: Sequence[Any], **options: Any) -> Any:
    """Largest of several inputs, by a layer Maximum."""
    return Maximum(**options)(inputs)


def minimum(inputs: Sequence[Any], **options: Any) -> Any:
    """Smallest of several inputs, by a layer Minimum."""
    return Minimum(**options)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Any) -> Any:
    """Several inputs one after the other along axis, by a layer Concatenate."""
    return Concatenate(axis, **options)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **options: Any) -> Any:
    """Scalar products of two inputs along axes, by a layer Dot."""
    return Dot(axes, **options)(inputs)
