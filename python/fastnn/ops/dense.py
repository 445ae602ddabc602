"""The dense layer as one primitive: product, bias and activation in one pass."""

from __future__ import annotations

from typing import Any

from fastnn import backend
from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import float_pair, floats, kernels
from fastnn.ops.activation import ROWS

#: What the layer computes in its own kernel: the activations that are a row of the elementwise table.
ACTIVATIONS = tuple(ROWS)

#: By name: the kernels' code, whether the derivative is computed from z rather than y, the parameters.
_RULES: dict[str | None, tuple[int, bool, tuple[float, ...]]] = {
    name: (backend.unary_codes[row], backend.unary_saved[row] == "x", parameters)
    for name, (row, parameters) in ROWS.items()
}
_RULES[None] = _RULES["linear"]


def epilogue(op: str, activation: str | None, negative_slope: float) -> tuple[int, bool, tuple[float, ...]]:
    """(the kernels' code, whether the derivative comes from z rather than y, the parameters). Raises ValueError."""
    try:
        code, from_z, parameters = _RULES[activation]
    except (KeyError, TypeError):
        raise ValueError(
            f"[{op}] expected activation None or one of {', '.join(ACTIVATIONS)}, got {activation!r}"
        ) from None
    return code, from_z, (negative_slope, 0.0, 0.0) if activation == "leaky_relu" else parameters


@primitive
def dense(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
) -> Any:
    """Dense layer: y = activation(x w + b).

    x: real, (..., i). w: (i, u). b: (u,) or None. activation: None or one of ACTIVATIONS, with its
    defaults, but for negative_slope, which is leaky_relu's. Returns (..., u). Raises ValueError if the sizes do not fit
    or the activation is unknown.
    """
    code, from_z, parameters = epilogue("dense", activation, negative_slope)
    x, w = float_pair(x, w)
    if b is not None:
        b = floats(b)
    run = kernels(x)
    if from_z and recording():
        y, saved = run.dense_forward(x, w, b, code, *parameters, True, out)
    else:
        y = saved = run.dense_forward(x, w, b, code, *parameters, False, out)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None, Array | None]:
        need_x, need_w, need_b = needs if len(needs) == 3 else (*needs, None)
        grads: tuple[Array | None, Array | None, Array | None] = run.dense_backward(
            x,
            w,
            saved,
            dy,
            code,
            *parameters,
            need_x is not None,
            need_w is not None,
            need_b is not None,
            need_w and need_w.out,
            need_b and need_b.out,
        )
        return grads

    return y, pullback
