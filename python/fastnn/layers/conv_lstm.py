"""Long short-term memory whose products are convolutions: sequences of signals, images or volumes."""

from __future__ import annotations

from typing import Any

from fastnn import backend, ops
from fastnn.arrays import PartialShape
from fastnn.layers.convolution import positive
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.lstm import LSTMCell
from fastnn.layers.recurrent import RNN, _of_cell
from fastnn.ops.conv2d import lengths

_CONVOLUTIONS = {1: "conv1d", 2: "conv2d", 3: "conv3d"}


class ConvLSTMCell(LSTMCell):
    """One step: LSTMCell's with convolutions in place of the products, those of the state with padding "same".

    rank: axes that the kernel moves over. x: (n, h, w, c) for rank 2. states: [a, c], each (n, h', w', filters).
    kernel: (kh, kw, c, 4 filters), recurrent_kernel: (kh, kw, filters, 4 filters). Source: Shi et al., 2015.
    """

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        name = f"ConvLSTM{rank}D"
        super().__init__(
            positive(name, "filters", filters), activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, unit_forget_bias, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            seed, **kwargs,
        )  # fmt: skip
        if data_format not in (None, "channels_last"):
            raise ValueError(f"[{name}] expected data_format 'channels_last', got {data_format!r}")
        if padding not in ("valid", "same"):
            raise ValueError(f"[{name}] expected padding 'valid' or 'same', got {padding!r}")
        self.rank, self.filters, self.padding = rank, self.units, padding
        self.kernel_size = lengths(name, "kernel_size", kernel_size, rank)
        self.strides = lengths(name, "strides", strides, rank)
        self.dilation_rate = lengths(name, "dilation_rate", dilation_rate, rank)
        self._places: tuple[int, ...] | None = None

    def build(self, input_shape: PartialShape) -> None:
        if len(input_shape) != self.rank + 2 or None in input_shape[1:]:
            raise ValueError(
                f"[{self.name}] expected steps with {self.rank + 2} axes, all but the first of known lengths, "
                f"got {input_shape}"
            )
        self._places = self.output_shape(input_shape)[1:-1]  # type: ignore[assignment]
        columns = 4 * self.filters
        self.kernel = self.add_weight(
            (*self.kernel_size, input_shape[-1], columns),  # type: ignore[arg-type]
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            (*self.kernel_size, self.filters, columns),
            self.recurrent_initializer,
            name="recurrent_kernel",
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self._add_bias()

    def output_shape(self, input_shape: PartialShape) -> PartialShape:
        """The shape that one step makes of input_shape."""
        places: list[int | None] = []
        for axis, length in enumerate(input_shape[1:-1]):
            window, stride = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1, self.strides[axis]
            if length is not None:
                length = -(-length // stride) if self.padding == "same" else (length - window) // stride + 1
            places.append(length)
        return (input_shape[0], *places, self.filters)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        shape = (batch_size or 0, *(self._places or ()), self.filters)
        return [backend.full(shape, 0.0, self._dtype) for _ in range(2)]

    def _is_fused(self) -> bool:
        return False

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        inputs, (h, c) = self._reals(inputs, states)
        a = h
        if training:
            inputs = self._drop_input(inputs)
            factors = self._drop("state", self.recurrent_dropout, h.shape)
            a = h if factors is None else ops.multiply(h, factors)
        convolve = getattr(ops, _CONVOLUTIONS[self.rank])
        z = convolve(
            *(inputs, self.kernel, self.bias),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )
        return self._through_gates(ops.add(z, convolve(a, self.recurrent_kernel, padding="same")), c)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["units"]
        names = ("rank", "filters", "kernel_size", "strides", "padding", "dilation_rate")
        return {**config, **{name: getattr(self, name) for name in names}, "data_format": "channels_last"}


class ConvLSTM(RNN):
    """RNN over a ConvLSTMCell: the base of ConvLSTM1D, ConvLSTM2D and ConvLSTM3D."""

    rank = 2
    cell: ConvLSTMCell

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        cell = ConvLSTMCell(
            self.rank, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            unit_forget_bias, kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed,
            dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True), name="conv_lstm_cell",
        )  # fmt: skip
        super().__init__(
            cell, return_sequences=return_sequences, return_state=return_state, go_backwards=go_backwards,
            stateful=stateful, activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.input_spec = InputSpec(ndim=self.rank + 3)

    filters, kernel_size, strides = _of_cell("filters"), _of_cell("kernel_size"), _of_cell("strides")
    padding, dilation_rate, use_bias = _of_cell("padding"), _of_cell("dilation_rate"), _of_cell("use_bias")
    activation, recurrent_activation = _of_cell("activation"), _of_cell("recurrent_activation")
    dropout, recurrent_dropout = _of_cell("dropout"), _of_cell("recurrent_dropout")

    def compute_output_shape(self, sequences_shape: PartialShape, initial_state_shape: Any = None) -> Any:
        n, t, *rest = sequences_shape
        state = self.cell.output_shape((n, *rest))
        output = (n, t, *state[1:]) if self.return_sequences else state
        return (output, state, state) if self.return_state else output

    def _output_size(self) -> Any:
        return (*(self.cell._places or ()), self.cell.filters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        cell = config.pop("cell")["config"]
        del cell["rank"]
        return {**{name: value for name, value in cell.items() if name not in config}, **config}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


class ConvLSTM1D(ConvLSTM):
    """Long short-term memory over sequences of signals, with convolutions in place of products; see ConvLSTMCell.

    x: (n, t, w, c). Returns (n, w', filters), or (n, t, w', filters) with return_sequences, and the states a and c with
    return_state. mask: (n, t). Source: Shi et al., 2015.
    """

    rank = 1


class ConvLSTM2D(ConvLSTM):
    """Long short-term memory over sequences of images, with convolutions in place of products; see ConvLSTMCell.

    x: (n, t, h, w, c). Returns (n, h', w', filters), or (n, t, h', w', filters) with return_sequences, and the states a
    and c with return_state. mask: (n, t). Source: Shi et al., 2015.
    """

    rank = 2


class ConvLSTM3D(ConvLSTM):
    """Long short-term memory over sequences of volumes, with convolutions in place of products; see ConvLSTMCell.

    x: (n, t, d, h, w, c). Returns (n, d', h', w', filters), or (n, t, d', h', w', filters) with return_sequences, and
    the states a and c with return_state. mask: (n, t). Source: Shi et al., 2015.
    """

    rank = 3
