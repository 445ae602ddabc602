"""Long short-term memory as one primitive over whole sequences.

Notation of the course: a^<t> is the hidden state and output of step t, c^<t> the cell, i, f, o the input, forget and
output gates. w holds the kernels of i, f, c and o side by side, r the recurrent ones, b the biases, as Keras does.
"""

from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import float_pair, kernels
from fastnn.ops.recurrent import activation_code, seen


@primitive
def lstm(
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    h0: Any = None,
    c0: Any = None,
    *,
    mask: Array | None = None,
    drop: Array | None = None,
    reverse: bool = False,
    zero_masked: bool = False,
    activation: str | None = "tanh",
    recurrent_activation: str | None = "sigmoid",
    sequences: bool = True,
) -> Any:
    """LSTM: c^<t> = f c^<t-1> + i g(z_c), a^<t> = o g(c^<t>), with z = x^<t> w + (drop a^<t-1>) r + b.

    i, f, o: recurrent_activation of z_i, z_f, z_o; g: activation. Both: None or one of ops.dense.ACTIVATIONS.
    x: floating, (n, t, i). w: (i, 4u). r: (u, 4u). b: (4u,) or None. h0, c0: (n, u), a^<0> and c^<0>; None for zeros.
    mask: bool, (n, t) or None. Where it is False, a and c stay as they are, and y is as before, or 0 if zero_masked.
    drop: (n, u) or None, what a^<t-1> is multiplied with on its way to the gates. reverse: the steps go from the last
    of x to the first.
    Returns (y, h, c): a of every step in the order they were taken, (n, t, u), and the last a and c, (n, u); without
    sequences only (h, c). Raises ValueError if shapes do not fit or an activation is unknown.
    Source: Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000.
    """
    x, w = float_pair(x, w)
    x = seen(x, mask)
    settings = (
        *(reverse, zero_masked),
        activation_code("lstm", "activation", activation),
        activation_code("lstm", "recurrent_activation", recurrent_activation),
    )
    run = kernels(x)
    y, h, c, *kept = run.lstm_forward(x, w, r, b, h0, c0, mask, drop, *settings, sequences, recording())

    def pullback(dy: Any, needs: Needs) -> tuple[Array | None, ...]:
        wanted = [*needs, None, None, None][:6]
        grads: tuple[Array | None, ...] = run.lstm_backward(
            *(x, w, r, mask, drop, *kept),
            *(dy if sequences else (None, *dy)),
            *settings,
            *(need is not None for need in wanted),
            *(need and need.out for need in wanted[1:4]),
        )
        return grads

    return ((y, h, c) if sequences else (h, c)), pullback


def lstm_step(
    x: Array, w: Array, r: Array, b: Array | None, h: Array, c: Array, activation: str, recurrent_activation: str
) -> tuple[Array, Array]:
    """(a, c) one step after (h, c), past the tape, which would cost half as much as the kernel of a small layer.

    x: (n, i), all arrays of one floating dtype; else as lstm.
    """
    given = x[:, None], w, r, b, h, c, None, None, False, False
    codes = (
        activation_code("lstm", "activation", activation),
        activation_code("lstm", "recurrent_activation", recurrent_activation),
    )
    _, h, c, *_ = kernels(x).lstm_forward(*given, *codes, False, False)
    return h, c
