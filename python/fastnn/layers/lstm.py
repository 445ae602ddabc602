"""Long short-term memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import activations, backend, initializers, ops
from fastnn.activations import FUSED
from fastnn.layers.recurrent import Cell, FusedRNN, _of_cell
from fastnn.ops.lstm import lstm_step


class LSTMCell(Cell):
    """One step of long short-term memory.

    z = x kernel + a^<t-1> recurrent_kernel + bias, cut into z_i, z_f, z_c, z_o of u columns each;
    i, f, o = recurrent_activation(z_i, z_f, z_o), the input, forget and output gates;
    c^<t> = f c^<t-1> + i activation(z_c); a^<t> = o activation(c^<t>).

    units: u. unit_forget_bias: the bias of the forget gate begins with ones (Jozefowicz et al., 2015).
    x: (n, i). states: [a, c], each (n, u). Returns a and [a, c].
    Source: Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000.
    """

    _gates = 4
    _settings = ("recurrent_activation", "unit_forget_bias")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
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
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)
        self.state_size = [self.units, self.units]

    def _first_bias(self, shape: tuple[int, ...], dtype: Any) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype)
        parts = [
            self.bias_initializer((self.units,), dtype),
            initializers.Ones()((self.units,), dtype),
            self.bias_initializer((2 * self.units,), dtype),
        ]
        return np.concatenate(parts)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        return [backend.full((batch_size or 0, self.units), 0.0, self._dtype) for _ in range(2)]

    def _is_fused(self) -> bool:
        return self.activation in FUSED and self.recurrent_activation in FUSED

    def _sequence(self, x: Any, states: Any, weights: Any = None, **options: Any) -> Any:
        """([y,] a, c) of whole sequences. weights: the cell's own in place of the Variables, as arrays."""
        return ops.lstm(
            x,
            *(weights or (self.kernel, self.recurrent_kernel, self.bias)),
            *states,
            activation=FUSED[self.activation],
            recurrent_activation=FUSED[self.recurrent_activation],
            **options,
        )

    def _one_step(self, x: Any, states: Any, weights: Any) -> Any:
        (w, r, b), (h, c) = weights, states
        return lstm_step(x, w, r, b, h, c, FUSED[self.activation], FUSED[self.recurrent_activation])

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        inputs, (h, c) = self._reals(inputs, states)
        drop = None
        if training:
            inputs = self._drop_input(inputs)
            drop = self._drop_state(inputs.shape[0])
        if self._is_fused():
            h, c = self._sequence(ops.expand_dims(inputs, 1), [h, c], drop=drop, sequences=False)
            return h, [h, c]
        a = h if drop is None else ops.multiply(h, drop)
        z = ops.add(ops.dense(inputs, self.kernel, self.bias), ops.matmul(a, self.recurrent_kernel))
        return self._through_gates(z, c)

    def _through_gates(self, z: Any, c: Any) -> tuple[Any, list[Any]]:
        """a^<t> and [a^<t>, c^<t>] from z and c^<t-1>."""
        i, f, g, o = ops.split(z, 4, axis=-1)
        gate = self.recurrent_activation
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), self.activation(g)))
        h = ops.multiply(gate(o), self.activation(c))
        return h, [h, c]


class LSTM(FusedRNN):
    """Long short-term memory over sequences; see LSTMCell for the formula, RNN for what the settings mean.

    x: (n, t, i). Returns (n, u), or (n, t, u) with return_sequences, and a, c with return_state. The sequence is one
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
        unit_forget_bias: bool = True,
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
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)
        cell = LSTMCell(
            units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, unit_forget_bias, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed,
            dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True), name="lstm_cell",
        )  # fmt: skip
        super().__init__(
            cell, use_cudnn, return_sequences=return_sequences, return_state=return_state, go_backwards=go_backwards,
            stateful=stateful, unroll=unroll, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip

    recurrent_activation, unit_forget_bias = _of_cell("recurrent_activation"), _of_cell("unit_forget_bias")
