"""Control flow under Keras's names: Python's own, as calls are made one after the other.

On symbolic tensors a loop of known length is one node of their graph, whose function gets arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn.autograd import composite, raw
from fastnn.ops.concatenate import stack
from fastnn.ops.getitem import getitem


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """true_fn() if pred, else false_fn(). Only the one is called."""
    return true_fn() if bool(raw(pred)) else false_fn()


@composite
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """branches[index](*operands), the first or last one for an index out of range."""
    return branches[min(max(int(raw(index)), 0), len(branches) - 1)](*operands)


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """loop_vars = body(*loop_vars) as long as cond(*loop_vars), at most maximum_iterations times.

    loop_vars: a list or tuple, or a single value, as body returns it. Returns the last ones.
    """
    many = isinstance(loop_vars, (list, tuple))
    held = list(loop_vars) if many else [loop_vars]
    steps = 0
    while (maximum_iterations is None or steps < maximum_iterations) and bool(raw(cond(*held))):
        made = body(*held)
        held = list(made) if isinstance(made, (list, tuple)) else [made]
        steps += 1
    return type(loop_vars)(held) if many else held[0]


@composite
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """val = body_fun(i, val) for i from lower to upper - 1, from init_val on. Returns the last one."""
    val = init_val
    for i in range(int(raw(lower)), int(raw(upper))):
        val = body_fun(i, val)
    return val


@composite
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> tuple[Any, Any]:
    """carry, y = f(carry, x) for every x along the first axis. Returns the last carry and all y, along a first axis.

    init: the first carry. xs: an array, or a nesting of them, of one length; None for `length` calls with x None.
    reverse: from the last x to the first; y in the order of x. unroll: of Keras, changes nothing.
    """
    count = len(_first(xs)) if xs is not None else length
    if count is None or (length is not None and count != length):
        raise ValueError(f"[scan] expected xs or a length that agree, got {count} and {length}")
    carry, made = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, _at(xs, i))
        made.append(y)
    return carry, _stacked(made[::-1] if reverse else made)


@composite
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of every x along the first axis, along a first axis. xs: an array or a nesting of them, of one length."""
    return _stacked([f(_at(xs, i)) for i in range(len(_first(xs)))])


@composite
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """As map(): function of every element along the first axis."""
    return map(function, elements)


def _first(xs: Any) -> Any:
    while isinstance(xs, (list, tuple, dict)):
        xs = next(iter(xs.values() if isinstance(xs, dict) else xs))
    return raw(xs)


def _at(xs: Any, i: int) -> Any:
    if isinstance(xs, dict):
        return {key: _at(part, i) for key, part in xs.items()}
    if isinstance(xs, (list, tuple)):
        return type(xs)(_at(part, i) for part in xs)
    return None if xs is None else getitem(xs, i)


def _stacked(made: list[Any]) -> Any:
    """One nesting of arrays of many of them, each along a new first axis."""
    if not made or made[0] is None:
        return None
    one = made[0]
    if isinstance(one, dict):
        return {key: _stacked([y[key] for y in made]) for key in one}
    if isinstance(one, (list, tuple)):
        return type(one)(_stacked([y[k] for y in made]) for k in range(len(one)))
    return stack([y if hasattr(y, "shape") else np.asarray(y) for y in made], 0)
