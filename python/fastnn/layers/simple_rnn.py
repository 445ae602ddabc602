"""The simple recurrent layer."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.activations import FUSED
from fastnn.layers.recurrent import Cell, FusedRNN


class SimpleRNNCell(Cell):
    """One step of the simple recurrent layer: a^<t> = activation(x kernel + a^<t-1> recurrent_kernel + bias).

    units: u. x: (n, i). states: [a], (n, u). Returns a and [a]. Source: Elman, 1990.
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip

    def _is_fused(self) -> bool:
        return self.activation in FUSED

    def _sequence(self, x: Any, states: Any, weights: Any = None, **options: Any) -> Any:
        """([y,] a) of whole sequences. weights: the cell's own in place of the Variables, as arrays."""
        weights = weights or (self.kernel, self.recurrent_kernel, self.bias)
        return ops.simple_rnn(x, *weights, *states, activation=FUSED[self.activation], **options)

    def call(self, sequence: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        sequence, (h,) = self._reals(sequence, states)
        drop = None
        if training:
            sequence = self._drop_input(sequence)
            drop = self._drop_state(sequence.shape[0])
        if self._is_fused():
            (h,) = self._sequence(ops.expand_dims(sequence, 1), [h], drop=drop, sequences=False)
        else:
            z = ops.dense(sequence, self.kernel, self.bias)
            a = h if drop is None else ops.multiply(h, drop)
            h = self.activation(ops.add(z, ops.matmul(a, self.recurrent_kernel)))
        return h, [h] if isinstance(states, (list, tuple)) else h


class SimpleRNN(FusedRNN):
    """The simple recurrent layer over sequences; see SimpleRNNCell for the formula, RNN for what the settings mean.

    x: (n, t, i). Returns (n, u), or (n, t, u) with return_sequences, and a with return_state. The sequence is one
    kernel call if the activation is among ops.dense.ACTIVATIONS. Gradients vanish or explode with distance.
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)
        cell = SimpleRNNCell(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed,
            dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True), name="simple_rnn_cell",
        )  # fmt: skip
        super().__init__(
            cell, return_sequences=return_sequences, return_state=return_state, go_backwards=go_backwards,
            stateful=stateful, unroll=unroll, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
