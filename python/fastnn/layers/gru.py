"""Gated recurrent unit."""

from __future__ import annotations

from typing import Any

from fastnn import activations, ops
from fastnn.activations import FUSED
from fastnn.layers.recurrent import Cell, FusedRNN, _of_cell


class GRUCell(Cell):
    """One step of a gated recurrent unit.

    z, r = recurrent_activation(x kernel + a^<t-1> recurrent_kernel + bias), columns of the update and the reset gate;
    g = activation(x kernel_h + (r a^<t-1>) recurrent_kernel_h + bias_h), or with reset_after
    g = activation(x kernel_h + bias_h + r (a^<t-1> recurrent_kernel_h + bias'_h)); a^<t> = z a^<t-1> + (1 - z) g.

    units: u. reset_after: True for the second form, Keras's default, in which the recurrent products have biases of
    their own: bias is (2, 3u). The first one, with bias (3u,), is that of the course, where 1 - z is called the update
    gate. x: (n, i). states: [a], (n, u). Returns a and [a]. Source: Cho et al., 2014.
    """

    _gates = 3
    _settings = ("recurrent_activation", "reset_after")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = bool(reset_after)

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _is_fused(self) -> bool:
        return self.activation in FUSED and self.recurrent_activation in FUSED

    def _sequence(self, x: Any, states: Any, weights: Any = None, **options: Any) -> Any:
        """([y,] a) of whole sequences. weights: the cell's own in place of the Variables, as arrays."""
        return ops.gru(
            x,
            *(weights or (self.kernel, self.recurrent_kernel, self.bias)),
            *states,
            activation=FUSED[self.activation],
            recurrent_activation=FUSED[self.recurrent_activation],
            reset_after=self.reset_after,
            **options,
        )

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        inputs, (h,) = self._reals(inputs, states)
        drop = None
        if training:
            inputs = self._drop_input(inputs)
            drop = self._drop_state(inputs.shape[0])
        if self._is_fused():
            (h,) = self._sequence(ops.expand_dims(inputs, 1), [h], drop=drop, sequences=False)
        else:
            h = self._unfused(inputs, h, drop)
        return h, [h] if isinstance(states, (list, tuple)) else h

    def _unfused(self, x: Any, h: Any, drop: Any) -> Any:
        u, gate = self.units, self.recurrent_activation
        bias: Any = self.bias
        first, second = (bias[0], bias[1]) if self.reset_after and bias is not None else (bias, None)
        z, r, g = ops.split(ops.dense(x, self.kernel, first), 3, axis=-1)
        a, weights = h if drop is None else ops.multiply(h, drop), self.recurrent_kernel
        if self.reset_after:
            pz, pr, inner = ops.split(ops.dense(a, weights, second), 3, axis=-1)
        else:
            pz, pr = ops.split(ops.matmul(a, weights[:, : 2 * u]), 2, axis=-1)
        z, r = gate(ops.add(z, pz)), gate(ops.add(r, pr))
        if self.reset_after:
            inner = ops.multiply(r, inner)
        else:
            inner = ops.matmul(ops.multiply(r, a), weights[:, 2 * u :])
        g = self.activation(ops.add(g, inner))
        return ops.add(ops.multiply(z, ops.subtract(h, g)), g)


class GRU(FusedRNN):
    """Gated recurrent unit over sequences; see GRUCell for the formula, RNN for what the settings mean.

    x: (n, t, i). Returns (n, u), or (n, t, u) with return_sequences, and a with return_state. The sequence is one
    kernel call if both activations are among ops.dense.ACTIVATIONS.
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)
        cell = GRUCell(
            units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, reset_after, seed,
            dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True), name="gru_cell",
        )  # fmt: skip
        super().__init__(
            cell, use_cudnn, return_sequences=return_sequences, return_state=return_state, go_backwards=go_backwards,
            stateful=stateful, unroll=unroll, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip

    recurrent_activation, reset_after = _of_cell("recurrent_activation"), _of_cell("reset_after")
