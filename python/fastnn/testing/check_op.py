"""One call that holds an op to its reference: values, gradients, dtypes, strides and manners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Tensor, vjp
from fastnn.testing.differences import slopes
from fastnn.testing.soiled_memory import soil_memory

#: Tolerances by dtype, relative and absolute: some tens of roundings.
TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
#: Step of the central differences, which are taken of the reference in float64.
STEP = 1e-6
GRADIENT_TOLERANCE = {"float32": 2e-4, "float64": 2e-7}


def check_op(
    op: Callable[..., Any],
    reference: Callable[..., Any],
    *inputs: Any,
    tol: float | None = None,
    wrt: Sequence[int] | None = None,
    linear: Sequence[int] = (),
    **options: Any,
) -> None:
    """Asserts that op agrees with reference on inputs, in float32 and float64, on dense, strided and read-only arrays.

    The first time the pool's memory is full of NaN, forward and backward, so that what is left unwritten shows.

    reference: the same function in plain NumPy, called once in float64 as reference(*inputs, **options). Its central
        differences are the expected gradients: one element after the other up to 64 elements, else along eight seeded
        directions.
    inputs: floating arrays are tried in both dtypes; others (labels, conditions) are passed as they are.
    tol: relative and absolute tolerance of values in float32, 2e-5 by default; gradients get ten times that.
    wrt: the positions whose gradients are checked; all floating inputs by default.
    linear: positions in which op is linear: there the identity <op(x), dy> = <x, dx> has to hold as well.
    """
    arrays = [np.asarray(x) for x in inputs]
    floating = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    checked = list(floating if wrt is None else wrt)
    exact = [x.astype(np.float64) if i in floating else x for i, x in enumerate(arrays)]
    expected = np.asarray(reference(*exact, **options))
    name = getattr(op, "__name__", str(op))

    dy = np.random.default_rng(0).standard_normal(expected.shape)
    differences = {i: _differences(reference, exact, i, dy, options) for i in checked}
    for dtype in ("float32", "float64"):
        limit = TOLERANCE[dtype] if tol is None or dtype == "float64" else tol
        gradient_limit = GRADIENT_TOLERANCE[dtype] if tol is None or dtype == "float64" else 10 * tol
        for layout in (_dense, _strided, _read_only):
            given = [layout(x.astype(dtype)) if i in floating else x for i, x in enumerate(arrays)]
            before = [x.copy() for x in given]
            what = f"{name}, {dtype}, {layout.__name__[1:]} inputs"

            soiled = dtype == "float32" and layout is _dense
            if soiled:
                soil_memory()
            y = op(*given, **options)
            assert isinstance(y, np.ndarray) and not isinstance(y, Tensor), f"{what}: expected an array, got {type(y)}"
            if expected.dtype.kind == "f":
                assert y.dtype == dtype, f"{what}: expected dtype {dtype}, got {y.dtype}"
            _close(y, expected, limit, f"{what}: value")
            if checked:
                _check_gradients(
                    op, given, dy, differences, checked, linear, expected, gradient_limit, options, what, soiled
                )
            for position, (now, then) in enumerate(zip(given, before, strict=True)):
                np.testing.assert_array_equal(now, then, err_msg=f"{what}: input {position} was changed")


def _differences(
    reference: Callable[..., Any], exact: Sequence[Array], i: int, dy: Array, options: dict[str, Any]
) -> tuple[Array, Array]:
    """Directions, one a row, and the derivative of sum(dy reference) along each."""
    found = list(slopes(lambda *xs: reference(*xs, **options), exact, i, dy, STEP))
    directions = np.array([direction.ravel() for direction, _ in found]).reshape(len(found), exact[i].size)
    return directions, np.array([slope for _, slope in found])


def _check_gradients(
    op: Callable[..., Any],
    given: list[Array],
    dy: Array,
    differences: dict[int, tuple[Array, Array]],
    checked: list[int],
    linear: Sequence[int],
    expected: Array,
    limit: float,
    options: dict[str, Any],
    what: str,
    soiled: bool,
) -> None:
    def of_checked(*xs: Any) -> Any:
        arguments: list[Any] = list(given)
        for i, x in zip(checked, xs, strict=True):
            arguments[i] = x
        return op(*arguments, **options)

    y, pullback = vjp(of_checked, *(given[i] for i in checked))
    if soiled:
        soil_memory()
    grads = pullback(dy.astype(y.dtype))
    alone = [  # each gradient on its own: a pullback must not lean on another one being wanted
        vjp(lambda x, i=i: op(*(x if j == i else g for j, g in enumerate(given)), **options), given[i])[1](
            dy.astype(y.dtype)
        )[0]
        for i in checked
    ]
    for i, dx, dx_alone in zip(checked, grads, alone, strict=True):
        assert dx.shape == given[i].shape and dx.dtype == given[i].dtype, (
            f"{what}: gradient {i} is {dx.dtype}{dx.shape}"
        )
        np.testing.assert_array_equal(dx, dx_alone, err_msg=f"{what}: gradient {i} depends on which others are wanted")
        directions, expected_slopes = differences[i]
        terms = directions * np.asarray(dx, np.float64).ravel()
        scale = np.maximum(1.0, np.sqrt(np.sum(terms**2, axis=1)))
        _close(np.sum(terms, axis=1) / scale, expected_slopes / scale, limit, f"{what}: gradient {i}")
        if i in linear:
            products = expected * dy
            scale = float(np.sqrt(np.sum(products**2))) + 1e-3
            _close(
                np.sum(np.asarray(dx, np.float64) * given[i]), np.sum(products), limit * scale, f"{what}: adjoint {i}"
            )


def _close(got: Any, expected: Any, limit: float, what: str) -> None:
    np.testing.assert_allclose(got, expected, rtol=limit, atol=limit, err_msg=what)


def _dense(x: Array) -> Array:
    return x


def _strided(x: Array) -> Array:
    """The same values with gaps between them, filled with NaN, and the axes stored in reverse order."""
    padded = np.full(tuple(2 * length for length in x.shape[::-1]), np.nan, x.dtype).T
    every_second: tuple[Any, ...] = (..., *(slice(None, None, 2) for _ in x.shape))  # the dots: a view even of a scalar
    view: Array = padded[every_second]
    view[...] = x
    return view


def _read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x
