"""Short cuts for plain arrays: from a public op straight to its kernel, where all else would take most of the time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from numpy import ndarray

from fastnn import backend
from fastnn.arrays import F32, F64

Op = Callable[..., Any]


def unary(name: str, *parameters: float) -> Callable[[Op], Op]:
    """Decorates an op of one array: one plain floating array alone goes straight to the kernel of that name.

    parameters: the kernel's, for the op's defaults.
    """
    kernel = backend.function(name)

    def decorate(general: Op) -> Op:
        @wraps(general)
        def op(*args: Any, **options: Any) -> Any:
            if len(args) == 1 and not options:
                x = args[0]
                if type(x) is ndarray and (x.dtype is F32 or x.dtype is F64):
                    return kernel(x, *parameters)
            return general(*args, **options)

        return op

    return decorate


def binary(name: str, axes: int = 0) -> Callable[[Op], Op]:
    """The same for two plain arrays of one floating dtype with at least so many axes."""
    kernel = backend.function(name)

    def decorate(general: Op) -> Op:
        @wraps(general)
        def op(*args: Any, **options: Any) -> Any:
            if len(args) == 2 and not options:
                a, b = args
                if type(a) is ndarray and type(b) is ndarray:
                    dtype = a.dtype
                    if dtype is b.dtype and (dtype is F32 or dtype is F64) and a.ndim >= axes <= b.ndim:
                        return kernel(a, b)
            return general(*args, **options)

        return op

    return decorate
