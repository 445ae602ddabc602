"""What a layer says about its inputs, checked when a graph is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.arrays import DTypeLike, PartialShape

#: Letters for axes in messages, as in docs/notation.md, by number of axes.
_AXES = {1: "(n)", 2: "(n, i)", 3: "(n, t, i)", 4: "(n, h, w, c)", 5: "(n, d, h, w, c)"}


class InputSpec:
    """The axes, shape and dtype that an input has to have; None where anything will do.

    shape: the batch first. axes: {axis: length}. allow_last_axis_squeeze: take one axis more or less, if it has length
    1. name: the key of the input in a dict of them. optional: take None.
    """

    def __init__(
        self,
        dtype: DTypeLike | None = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else np.dtype(dtype).name
        self.shape: PartialShape | None = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim, self.name, self.optional = max_ndim, min_ndim, name, optional
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        try:
            self.axes = {int(axis): length for axis, length in dict(axes or {}).items()}
        except (TypeError, ValueError):
            raise TypeError(f"[InputSpec] expected axes as a dict with integer keys, got {axes!r}") from None
        most = self.ndim if self.ndim is not None else max_ndim
        if self.axes and most is not None and max(self.axes) >= most:
            raise ValueError(f"[InputSpec] expected axes below {most}, got {max(self.axes)}")

    def __repr__(self) -> str:
        given = ((name, getattr(self, name)) for name in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes"))
        return f"InputSpec({', '.join(f'{name}={value}' for name, value in given if value)})"

    def get_config(self) -> dict[str, Any]:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def check(self, shape: PartialShape, where: str) -> None:
        """Raises ValueError if an input of that shape does not fit."""
        found = _letters(shape)
        if self.ndim is not None and len(shape) != self.ndim and not self._may_squeeze(shape):
            fix = _fix(len(shape), self.ndim)
            raise ValueError(f"[{where}] expected an input with {_count(self.ndim)}, got {len(shape)}: {found}{fix}")
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            fix = _fix(len(shape), self.max_ndim)
            raise ValueError(f"[{where}] expected an input with at most {_count(self.max_ndim)}, got {found}{fix}")
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            fix = _fix(len(shape), self.min_ndim)
            raise ValueError(f"[{where}] expected an input with at least {_count(self.min_ndim)}, got {found}{fix}")
        for axis, length in self._lengths(shape).items():
            if -len(shape) <= axis < len(shape) and length is not None and shape[axis] not in (length, None):
                name = _letter(axis, len(shape))
                raise ValueError(
                    f"[{where}] expected {name} = {length}, got {name} = {shape[axis]} in {found}; "
                    f"it was built for {length}: give it such an input, or use another layer here"
                )

    def _may_squeeze(self, shape: PartialShape) -> bool:
        if not self.allow_last_axis_squeeze or self.ndim is None:
            return False
        longer = len(shape) == self.ndim + 1 and shape[-1] == 1
        return longer or (len(shape) == self.ndim - 1 and self.shape is not None and self.shape[-1] == 1)

    def _lengths(self, shape: PartialShape) -> dict[int, int | None]:
        own = dict(enumerate(self.shape or ()))
        return {**own, **self.axes} if len(shape) == self.ndim or not own else dict(self.axes)


def check_inputs(spec: Any, shapes: Any, where: str) -> None:
    """Checks one spec against one shape, or a list or dict of specs against that of shapes."""
    if spec is None or shapes is None:
        return
    if isinstance(spec, InputSpec):
        if _is_shape(shapes):
            spec.check(tuple(shapes), where)
    elif isinstance(spec, Mapping):
        for key, part in spec.items():
            check_inputs(part, shapes.get(key) if isinstance(shapes, Mapping) else None, where)
    else:
        given = [shapes] if _is_shape(shapes) else list(shapes.values() if isinstance(shapes, Mapping) else shapes)
        if len(given) != len(spec):
            raise ValueError(f"[{where}] expected {len(spec)} inputs, got {len(given)}")
        for part, shape in zip(spec, given, strict=True):
            check_inputs(part, shape, where)


def _fix(axes: int, wanted: int) -> str:
    """What usually helps where an input has other axes than wanted."""
    if axes > wanted:
        return "; insert Flatten() before it" if wanted == 2 else "; insert Reshape() or pooling before it"
    if wanted == 4 and axes == 3:
        return "; images of one channel need a last axis of length 1: insert Reshape((h, w, 1)) before it"
    if wanted == 3 and axes == 2:
        return "; sequences need an axis of steps: insert Reshape((t, i)) or RepeatVector(t) before it"
    return "; insert Reshape() before it"


def _is_shape(shapes: Any) -> bool:
    return isinstance(shapes, (tuple, list)) and all(length is None or isinstance(length, int) for length in shapes)


def _count(axes: int) -> str:
    return f"{axes} axes {_AXES[axes]}" if axes in _AXES else f"{axes} axes"


def _letters(shape: PartialShape) -> str:
    """(None, 28, 28) as "(n, t = 28, i = 28)"."""
    named = _AXES.get(len(shape), "")
    names = named.strip("()").split(", ") if named else [f"axis {axis}" for axis in range(len(shape))]
    parts = (name if length is None else f"{name} = {length}" for name, length in zip(names, shape, strict=True))
    return f"({', '.join(parts)})"


def _letter(axis: int, ndim: int) -> str:
    named = _AXES.get(ndim)
    return named.strip("()").split(", ")[axis] if named else f"the length of axis {axis}"
