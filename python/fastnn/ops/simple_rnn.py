"""The simple recurrent layer as one primitive over whole sequences."""

from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import float_pair, kernels
from fastnn.ops.recurrent import activation_code, seen


@primitive
def simple_rnn(
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    h0: Any = None,
    *,
    mask: Array | None = None,
    drop: Array | None = None,
    reverse: bool = False,
    zero_masked: bool = False,
    activation: str | None = "tanh",
    sequences: bool = True,
) -> Any:
    """Simple recurrent layer: a^<t> = g(x^<t> w + (drop a^<t-1>) r + b); in the course w is W_ax and r is W_aa.

    g: activation, None or one of ops.dense.ACTIVATIONS. x: floating, (n, t, i). w: (i, u). r: (u, u). b: (u,) or None.
    h0: (n, u), a^<0>; None for zeros. mask: bool, (n, t) or None. Where it is False, a stays as it is, and y is as
    before, or 0 if zero_masked. drop: (n, u) or None, what a^<t-1> is multiplied with on its way. reverse: the steps go
    from the last of x to the first. Returns (y, h): a of every step in the order they were taken, (n, t, u), and the
    last a, (n, u); without sequences (h,) alone. Raises ValueError if shapes do not fit or the activation is unknown.
    Source: Elman, 1990.
    """
    x, w = float_pair(x, w)
    x = seen(x, mask)
    settings = (reverse, zero_masked, activation_code("simple_rnn", "activation", activation))
    run = kernels(x)
    y, h, *kept = run.simple_rnn_forward(x, w, r, b, h0, mask, drop, *settings, sequences, recording())

    def pullback(dy: Any, needs: Needs) -> tuple[Array | None, ...]:
        wanted = [*needs, None, None][:5]
        grads: tuple[Array | None, ...] = run.simple_rnn_backward(
            *(x, w, r, mask, drop, *kept),
            *(dy if sequences else (None, *dy)),
            *settings,
            *(need is not None for need in wanted),
            *(need and need.out for need in wanted[1:4]),
        )
        return grads

    return ((y, h) if sequences else (h,)), pullback
