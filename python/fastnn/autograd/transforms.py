"""Functions of functions: a value with its gradient, a value with its pullback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy import ndarray

from fastnn.autograd.tape import GradientTape
from fastnn.autograd.tensors import Variable, raw


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of fn and its pullback: `y, pullback = vjp(fn, *arrays)`.

    fn: a layer, a model, or any function of arrays made of fastnn.ops, returning one array or a tuple of them.
    pullback(dy): one gradient per array, always a tuple; dy has the shape of y. pullback(dy, variables=vs) returns
    (grads, dvs). Gradients that do not depend on an input are zeros. May be called more than once.
    """
    with GradientTape(persistent=True) as tape:
        inputs = tuple(tape.watch(x) for x in arrays)
        y = fn(*inputs)

    def pullback(dy: Any, variables: Sequence[Variable] | None = None) -> Any:
        grads = tape.gradient(y, [*inputs, *(variables or ())], dy, "zero")
        own = tuple(grads[: len(inputs)])
        return own if variables is None else (own, grads[len(inputs) :])

    value = tuple(raw(part) for part in y) if isinstance(y, (tuple, list)) else raw(y)
    return value, pullback


def value_and_grad(fn: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns (fn(*args), gradient of it with respect to the arguments at argnums).

    fn returns a scalar. argnums: one position, for one gradient, or several, for a tuple of gradients.
    """
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(fn)
    def both(*args: Any, **options: Any) -> Any:
        with GradientTape() as tape:
            inputs = [tape.watch(a) if i in positions else a for i, a in enumerate(args)]
            y = fn(*inputs, **options)
        value = raw(y)
        if (value.size if type(value) is ndarray else np.size(value)) != 1:
            raise ValueError(
                f"[value_and_grad] expected a scalar from {getattr(fn, '__name__', fn)}, got shape {np.shape(value)}"
            )
        grads = tape.gradient(y, [inputs[i] for i in positions], None, "zero")
        return value, grads[0] if isinstance(argnums, int) else tuple(grads)

    return both
