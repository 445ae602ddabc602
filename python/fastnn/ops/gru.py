"""Gated recurrent unit as one primitive over whole sequences.

Notation of the course: a^<t> is the hidden state and output of step t, z and r the update and the reset gate. The
argument w holds the kernels of z, r and the candidate side by side, r the recurrent ones, b the biases, as Keras does.
"""

from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import float_pair, kernels
from fastnn.ops.recurrent import activation_code, seen


@primitive
def gru(
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
    recurrent_activation: str | None = "sigmoid",
    reset_after: bool = False,
    sequences: bool = True,
) -> Any:
    """GRU: a^<t> = z a^<t-1> + (1 - z) g(x^<t> w_h + b_h + (r drop a^<t-1>) r_h), the course's equations.

    z, r: recurrent_activation of x^<t> w + b + (drop a^<t-1>) r, of the columns of z and r; g: activation. Both: None
    or one of ops.dense.ACTIVATIONS. reset_after: g is activation(x^<t> w_h + b_h + r ((drop a^<t-1>) r_h + b'_h)), and
    all recurrent products have biases b' of their own.
    x: floating, (n, t, i). w: (i, 3u). r: (u, 3u). b: (3u,), with reset_after (2, 3u), or None. h0: (n, u), a^<0>; None
    for zeros. mask: bool, (n, t) or None. Where it is False, a stays as it is, and y is as before, or 0 if zero_masked.
    drop: (n, u) or None, what a^<t-1> is multiplied with on its way to the gates. reverse: the steps go from the last
    of x to the first.
    Returns (y, h): a of every step in the order they were taken, (n, t, u), and the last a, (n, u); without sequences
    (h,) alone. Raises ValueError if shapes do not fit or an activation is unknown.
    Source: Cho et al., 2014.
    """
    x, w = float_pair(x, w)
    x = seen(x, mask)
    settings = (
        *(reverse, zero_masked),
        activation_code("gru", "activation", activation),
        activation_code("gru", "recurrent_activation", recurrent_activation),
        reset_after,
    )
    run = kernels(x)
    y, h, *kept = run.gru_forward(x, w, r, b, h0, mask, drop, *settings, sequences, recording())

    def pullback(dy: Any, needs: Needs) -> tuple[Array | None, ...]:
        wanted = [*needs, None, None][:5]
        grads: tuple[Array | None, ...] = run.gru_backward(
            *(x, w, r, mask, drop, *kept),
            *(dy if sequences else (None, *dy)),
            *settings,
            *(need is not None for need in wanted),
            *(need and need.out for need in wanted[1:4]),
        )
        return grads

    return ((y, h) if sequences else (h,)), pullback
