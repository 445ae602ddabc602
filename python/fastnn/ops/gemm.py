"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import float_pair, kernels
from fastnn.ops import direct
from fastnn.ops.integers import by_numpy, integral
from fastnn.ops.reduce import sum_to


@primitive
def gemm(a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False, out: Array | None = None) -> Any:
    """Matrix product: c[..., i, j] = sum_p a[..., i, p] b[..., p, j].

    a: real, (..., m, k), or (..., k, m) if transpose_a. b: (..., k, n), or (..., n, k) if transpose_b. Leading axes
    broadcast. Returns (..., m, n). Raises ValueError if the sizes do not fit.
    """
    a, b = float_pair(a, b)
    run = kernels(a)
    c = run.gemm(a, b, transpose_a, transpose_b, out)

    def pullback(dc: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        da = db = None
        if needs[0]:
            da = run.gemm(b, dc, transpose_b, True) if transpose_a else run.gemm(dc, b, False, not transpose_b)
        if needs[1]:
            db = run.gemm(dc, a, True, transpose_a) if transpose_b else run.gemm(a, dc, not transpose_a, False)
        return da if da is None else sum_to(da, a.shape), db if db is None else sum_to(db, b.shape)

    return c, pullback


@direct.binary("matmul", axes=2)
@primitive
def matmul(x1: Any, x2: Any, *, out: Array | None = None) -> Any:
    """Matrix product as numpy.matmul: y[..., i, j] = sum_p x1[..., i, p] x2[..., p, j].

    x1: real, (..., m, k) or (k,). x2: (..., k, n) or (k,). Leading axes broadcast. Returns (..., m, n), without the
    axis that a vector lacks; integers are NumPy's. Raises ValueError if sizes do not fit or an argument is a scalar.
    """
    if integral(x1, x2):
        return by_numpy("matmul", x1, x2, out=out), None
    a, b = float_pair(x1, x2)
    if a.ndim < 2 or b.ndim < 2:
        return _with_vectors(a, b, out)
    run = kernels(a)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        da = _gradient(run, dy, b, False, True, a.shape) if needs[0] else None
        if not needs[1]:
            return da, None
        if b.ndim == 2 and a.ndim > 2:  # one matrix for all of x1: (..., m, k) is (m', k)
            rows, drows = run.dense(a).reshape(-1, a.shape[-1]), run.dense(dy).reshape(-1, dy.shape[-1])
            return da, run.gemm(rows, drows, True, False, needs[1].out)
        return da, _gradient(run, a, dy, True, False, b.shape, needs[1].out)

    return run.matmul(a, b, out), pullback


def _gradient(
    run: Any, a: Array, b: Array, transpose_a: bool, transpose_b: bool, shape: tuple[int, ...], out: Array | None = None
) -> Array:
    """The product of a and b, summed to shape over axes that were broadcast."""
    if a.ndim == b.ndim == len(shape) == 2:
        product: Array = run.gemm(a, b, transpose_a, transpose_b, out)
        return product
    return sum_to(run.gemm(a, b, transpose_a, transpose_b), shape)


def _with_vectors(a: Array, b: Array, out: Array | None) -> Any:
    """matmul where an operand is a vector: a row on the left, a column on the right."""
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"[matmul] expected x1 and x2 with at least 1 axis, got {a.shape} and {b.shape}")
    rows, cols = a.ndim == 1, b.ndim == 1
    left, right = (a[None] if rows else a), (b[:, None] if cols else b)
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"[matmul] expected x2 with {left.shape[-1]} rows for x1 {a.shape}, got {b.shape}")
    axes = (*((-2,) if rows else ()), *((-1,) if cols else ()))
    run = kernels(a)
    full = run.matmul(left, right, None if out is None else np.expand_dims(out, axes))
    y = np.squeeze(full, axes) if out is None else out

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        dfull = np.expand_dims(dy, axes)
        da = _gradient(run, dfull, right, False, True, left.shape).reshape(a.shape) if needs[0] else None
        db = _gradient(run, left, dfull, True, False, right.shape).reshape(b.shape) if needs[1] else None
        return da, db

    return y, pullback
