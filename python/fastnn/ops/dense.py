"""The dense layer as one primitive: product, bias and activation in one pass."""

from __future__ import annotations

from typing import Any

from fastnn import backend
from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import float_pair, floats, kernels

ACTIVATIONS = ("linear", "relu", "leaky_relu", "sigmoid", "tanh", "gelu", "gelu_tanh")

#: By name: the kernels' code, and whether the derivative is computed from z rather than y.
_RULES: dict[str | None, tuple[int, bool]] = {
    name: (backend.unary_codes[name], backend.unary_saved[name] == "x") for name in ACTIVATIONS
}
_RULES[None] = _RULES["linear"]


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

    x: real, (..., i). w: (i, u). b: (u,) or None. activation: None or one of ACTIVATIONS; negative_slope is
    leaky_relu's. Returns (..., u). Raises ValueError if the sizes do not fit or the activation is unknown.
    """
    try:
        code, from_z = _RULES[activation]
    except (KeyError, TypeError):
        raise ValueError(
            f"[dense] expected activation None or one of {', '.join(ACTIVATIONS)}, got {activation!r}"
        ) from None
    x, w = float_pair(x, w)
    if b is not None:
        b = floats(b)
    run = kernels(x)
    if from_z and recording():
        y, saved = run.dense_forward(x, w, b, code, negative_slope, True, out)
    else:
        y = saved = run.dense_forward(x, w, b, code, negative_slope, False, out)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None, Array | None]:
        need_x, need_w, need_b = needs if len(needs) == 3 else (*needs, None)
        grads: tuple[Array | None, Array | None, Array | None] = run.dense_backward(
            x,
            w,
            saved,
            dy,
            code,
            negative_slope,
            need_x is not None,
            need_w is not None,
            need_b is not None,
            need_w and need_w.out,
            need_b and need_b.out,
        )
        return grads

    return y, pullback
