"""Operators and NumPy functions that lead to ops by name, for what is no array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Ops by name; the ops package fills it.
dispatch: dict[str, Callable[..., Any]] = {}

# Where NumPy's name of a ufunc is not ours.
_UFUNCS = {"true_divide": "divide", "fabs": "absolute"}


class Operators:
    """What arithmetic, comparisons, indexing and NumPy's functions do with such an operand: the op of that name."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        op = dispatch.get(_UFUNCS.get(ufunc.__name__, ufunc.__name__))
        if method != "__call__" or op is None:
            raise TypeError(
                f"[numpy.{ufunc.__name__}] expected arrays, got a {type(self).__name__}; use fastnn.ops or .numpy()"
            )
        out = options.pop("out", None)
        if out is not None:
            options["out"] = out[0] if isinstance(out, tuple) else out
        return op(*inputs, **options)

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        op = dispatch.get(func.__name__)
        if op is None:
            raise TypeError(
                f"[numpy.{func.__name__}] expected arrays, got a {type(self).__name__}; use fastnn.ops or .numpy()"
            )
        return op(*args, **options)

    def __getitem__(self, key: Any) -> Any:
        return dispatch["getitem"](self, key=key)

    def __neg__(self) -> Any:
        return dispatch["negative"](self)

    def __abs__(self) -> Any:
        return dispatch["absolute"](self)

    def __add__(self, other: Any) -> Any:
        return dispatch["add"](self, other)

    def __radd__(self, other: Any) -> Any:
        return dispatch["add"](other, self)

    def __sub__(self, other: Any) -> Any:
        return dispatch["subtract"](self, other)

    def __rsub__(self, other: Any) -> Any:
        return dispatch["subtract"](other, self)

    def __mul__(self, other: Any) -> Any:
        return dispatch["multiply"](self, other)

    def __rmul__(self, other: Any) -> Any:
        return dispatch["multiply"](other, self)

    def __truediv__(self, other: Any) -> Any:
        return dispatch["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return dispatch["divide"](other, self)

    def __floordiv__(self, other: Any) -> Any:
        return dispatch["floor_divide"](self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return dispatch["floor_divide"](other, self)

    def __mod__(self, other: Any) -> Any:
        return dispatch["mod"](self, other)

    def __rmod__(self, other: Any) -> Any:
        return dispatch["mod"](other, self)

    def __pow__(self, other: Any) -> Any:
        return dispatch["power"](self, other)

    def __rpow__(self, other: Any) -> Any:
        return dispatch["power"](other, self)

    def __matmul__(self, other: Any) -> Any:
        return dispatch["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return dispatch["matmul"](other, self)

    def __and__(self, other: Any) -> Any:
        return dispatch["logical_and"](self, other)

    def __rand__(self, other: Any) -> Any:
        return dispatch["logical_and"](other, self)

    def __or__(self, other: Any) -> Any:
        return dispatch["logical_or"](self, other)

    def __ror__(self, other: Any) -> Any:
        return dispatch["logical_or"](other, self)

    def __xor__(self, other: Any) -> Any:
        return dispatch["logical_xor"](self, other)

    def __rxor__(self, other: Any) -> Any:
        return dispatch["logical_xor"](other, self)

    def __invert__(self) -> Any:
        return dispatch["logical_not"](self)

    def __lt__(self, other: Any) -> Any:
        return dispatch["less"](self, other)

    def __le__(self, other: Any) -> Any:
        return dispatch["less_equal"](self, other)

    def __gt__(self, other: Any) -> Any:
        return dispatch["greater"](self, other)

    def __ge__(self, other: Any) -> Any:
        return dispatch["greater_equal"](self, other)

    # == and != stay identity, so that Tensors and Variables can be keys; use ops.equal.

    def reshape(self, *shape: Any) -> Any:
        return dispatch["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return dispatch["sum"](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        return dispatch["mean"](self, axis=axis, keepdims=keepdims)

    @property
    def T(self) -> Any:
        return dispatch["transpose"](self)
