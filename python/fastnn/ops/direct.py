"""Short cuts for plain arrays: from a public op straight to its kernel, where all else would take most of the time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from numpy import ndarray

from fastnn import backend
from fastnn.arrays import F32, F64

Op = Callable[..., Any]

#: From the value of a setting to the name of a kernel and its parameters; None: let the op itself see to it.
Choice = Callable[[Any], tuple[str, tuple[float, ...]] | None]


def unary(name: str, *parameters: float, setting: str = "", choose: Choice | None = None) -> Callable[[Op], Op]:
    """Decorates an op of one array: one plain floating array alone goes straight to the kernel of that name.

    parameters: the kernel's, for the op's defaults. setting: the argument that may be given by its name as well;
    choose says what it comes to.
    """
    kernel = backend.function(name)

    def decorate(general: Op) -> Op:
        @wraps(general)
        def op(*args: Any, **options: Any) -> Any:
            if len(args) == 1:
                x = args[0]
                if type(x) is ndarray and (x.dtype is F32 or x.dtype is F64):
                    if not options:
                        return kernel(x, *parameters)
                    if choose and len(options) == 1 and setting in options:
                        choice = choose(options[setting])
                        if choice:
                            return backend.function(choice[0])(x, *choice[1])
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
