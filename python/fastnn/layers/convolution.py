from __future__ import annotations

from typing import Any

from fastnn import activations, constraints, initializers, ops, regularizers
from fastnn.activations import FUSED
from fastnn.arrays import Array, PartialShape
from fastnn.autograd import Tensor
from fastnn.layers.layer import Layer
from fastnn.ops.conv2d import Padding, Statistics, lengths, pads
from fastnn.ops.conv_transpose2d import crops
from fastnn.registry import serialize


def positive(layer: str, name: str, value: Any) -> int:
    return lengths(layer, name, value, 1)[0]


class Windowed(Layer):
    """What layers share that move a kernel over an image: how it moves, and what is done to its results."""

    rank = 2
    recordable = True
    #: Names of padding it takes.
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Padding,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        bias_constraint: Any,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kind = type(self).__name__
        if data_format not in (None, "channels_last"):
            raise ValueError(f"[{kind}] expected data_format 'channels_last', got {data_format!r}")
        self.kernel_size = lengths(kind, "kernel_size", kernel_size, self.rank)
        self.strides = lengths(kind, "strides", strides, self.rank)
        self.dilation_rate = lengths(kind, "dilation_rate", dilation_rate, self.rank)
        self.padding = self._padding_of(padding)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self._fused = FUSED.get(self.activation)

    def _needs_one_step(self) -> None:
        """Refuses strides together with dilation, as Keras does in these layers; ops take both."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"[{type(self).__name__}] expected strides or dilation_rate to be 1, "
                f"got strides {self.strides}, dilation_rate {self.dilation_rate}"
            )

    def _padding_of(self, padding: Padding) -> str | tuple[tuple[int, int], ...]:
        """A name in lower case, or (before, after) for each axis."""
        kind = type(self).__name__
        if not isinstance(padding, str):
            return pads(kind, padding, self.rank)[1]
        if padding.lower() not in self.paddings:
            raise ValueError(
                f"[{kind}] expected padding {', '.join(map(repr, self.paddings))} or numbers of zeros, got {padding!r}"
            )
        return padding.lower()

    def _sides(self, axis: int) -> tuple[int, int]:
        """Zeros before and after an axis that were asked for in numbers."""
        return (0, 0) if isinstance(self.padding, str) else self.padding[axis]

    def _channels(self, input_shape: PartialShape) -> int:
        if len(input_shape) != self.rank + 2 or input_shape[-1] is None:
            raise ValueError(
                f"[{self.name}] expected an input with {self.rank + 2} axes, the last of a known length, "
                f"got {input_shape}"
            )
        return input_shape[-1]

    def _add_bias(self, units: int) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (units,),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        if type(x) is not Tensor and x.dtype is not self._dtype:
            x = ops.cast(x, self._dtype)  # integers and booleans
        try:
            if self._fused is not None:
                return self._convolve(x, self._fused)
            y = self._convolve(x, None)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        return self.activation(y)

    def _convolve(self, x: Any, activation: str | None) -> Any:
        raise NotImplementedError

    def normalised(self, x: Array, norm: Any, activation: str | None) -> Any:
        """What a BatchNormalization makes of call(x) by its moving statistics, and an activation of that: in one pass,
        with the same bits. For layers that take part in models/joining.py, outside a tape."""
        gamma, beta = (None if v is None else v._value for v in (norm.gamma, norm.beta))
        statistics = gamma, beta, norm.moving_mean._value, norm.moving_variance._value, norm.epsilon
        return self._convolve(x, activation, statistics)  # type: ignore[call-arg]

    def _length(self, axis: int, length: int | None) -> int | None:
        """Length of an axis of the output for one of the input."""
        if length is None:
            return None
        window, stride = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1, self.strides[axis]
        if self.padding in ("same", "causal"):
            found = -(-length // stride)
        else:
            found = (length + sum(self._sides(axis)) - window) // stride + 1
        if found <= 0:
            raise ValueError(
                f"[{self.name}] expected an input that holds the kernel, which covers {window}, on every axis, "
                f"got an axis of length {length}"
            )
        return found

    def _output_shape(self, input_shape: PartialShape, channels: int) -> PartialShape:
        self._channels(input_shape)
        return (input_shape[0], *(self._length(i, n) for i, n in enumerate(input_shape[1:-1])), channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": "channels_last",
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "bias_initializer": serialize(self.bias_initializer),
            "bias_regularizer": serialize(self.bias_regularizer),
            "bias_constraint": serialize(self.bias_constraint),
        }


class Convolution(Windowed):
    """A convolution with `filters` outputs for every place of the kernel; the base of Conv1D, Conv2D and Conv3D."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Padding = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            *(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias),
            *(bias_initializer, bias_regularizer, bias_constraint),
            activity_regularizer=activity_regularizer,
            **options,
        )
        self._needs_one_step()
        self.filters = positive(type(self).__name__, "filters", filters)
        self.groups = positive(type(self).__name__, "groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                f"[{type(self).__name__}] expected filters that groups divides, got filters {filters}, groups {groups}"
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: PartialShape) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"[{self.name}] expected channels that groups divides, got {channels} channels, groups {self.groups}"
            )
        self._output_shape(input_shape, self.filters)
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias(self.filters)

    def _settings(self) -> dict[str, Any]:
        return {"strides": self.strides, "dilation_rate": self.dilation_rate, "groups": self.groups}

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self._output_shape(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "groups": self.groups,
            "kernel_initializer": serialize(self.kernel_initializer),
            "kernel_regularizer": serialize(self.kernel_regularizer),
            "kernel_constraint": serialize(self.kernel_constraint),
        }


class Conv1D(Convolution):
    """1D convolution: y[n, j, q] = activation(bias[q] + sum x[n, j s + l d, p] kernel[l, p, q]).

    filters: number of outputs q. kernel_size, strides s, dilation_rate d: one length each. padding: "valid" for none,
    "same" for an output as long as the input over the stride, "causal" for zeros in front alone, so that no output sees
    what comes after it; or, beyond Keras, a number of zeros on both sides, or (before, after). groups: pieces of the
    channels that see nothing of each other. x: (n, w, c). Returns (n, ow, filters). kernel: (kw, c / groups, filters),
    bias: (filters,).
    """

    rank = 1
    paddings = ("valid", "same", "causal")

    def _convolve(self, x: Any, activation: str | None, statistics: Statistics | None = None) -> Any:
        before = (self.kernel_size[0] - 1) * self.dilation_rate[0]
        padding = (before, 0) if self.padding == "causal" else self.padding
        settings = {"padding": padding, "activation": activation, "kept": self.kernel.packed, "statistics": statistics}
        return ops.conv1d(x, self.kernel, self.bias, **settings, **self._settings())


class Conv2D(Convolution):
    """2D convolution: y[n, i, j, q] = activation(bias[q] + sum x[n, i s + k d, j s + l d, p] kernel[k, l, p, q]).

    filters: number of outputs q. kernel_size, strides s, dilation_rate d: a number, or (height, width). padding:
    "valid" for none, "same" for an output as large as the input over the strides; or, beyond Keras, a number of zeros
    on every side, or ((top, bottom), (left, right)). groups: pieces of the channels that see nothing of each other. x:
    (n, h, w, c). Returns (n, oh, ow, filters). kernel: (kh, kw, c / groups, filters), bias: (filters,).
    """

    def _convolve(self, x: Any, activation: str | None, statistics: Statistics | None = None) -> Any:
        settings = {"padding": self.padding, "activation": activation, "kept": self.kernel.packed}
        return ops.conv2d(x, self.kernel, self.bias, statistics=statistics, **settings, **self._settings())


class Conv3D(Convolution):
    """3D convolution, as Conv2D with a depth d before height and width. Its planes are convolved in two dimensions and
    added.

    x: (n, d, h, w, c). Returns (n, od, oh, ow, filters). kernel: (kd, kh, kw, c / groups, filters), bias: (filters,).
    """

    rank = 3

    def _convolve(self, x: Any, activation: str | None) -> Any:
        y = ops.conv3d(x, self.kernel, self.bias, padding=self.padding, **self._settings())
        return y if activation is None else self.activation(y)


class TransposedConvolution(Windowed):
    """What turns each pixel into a patch: the base of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Padding = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            *(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias),
            *(bias_initializer, bias_regularizer, bias_constraint),
            activity_regularizer=activity_regularizer,
            **options,
        )
        self._needs_one_step()
        kind = type(self).__name__
        self.filters = positive(kind, "filters", filters)
        self.output_padding = (
            None if output_padding is None else lengths(kind, "output_padding", output_padding, self.rank, 0)
        )
        if self.output_padding and any(p >= s for p, s in zip(self.output_padding, self.strides, strict=True)):
            raise ValueError(
                f"[{kind}] expected output_padding smaller than strides {self.strides}, got {output_padding!r}"
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: PartialShape) -> None:
        self.kernel = self.add_weight(
            (*self.kernel_size, self.filters, self._channels(input_shape)),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias(self.filters)

    def _settings(self) -> dict[str, Any]:
        return {
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation_rate": self.dilation_rate,
        }

    def _length(self, axis: int, length: int | None) -> int | None:
        if length is None:
            return None
        window = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
        extra = None if self.output_padding is None else self.output_padding[axis]
        lost = crops(self.strides[axis], window, self.padding == "same", self._sides(axis), extra)
        return (length - 1) * self.strides[axis] + window - sum(lost)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self._output_shape(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "output_padding": self.output_padding,
            "kernel_initializer": serialize(self.kernel_initializer),
            "kernel_regularizer": serialize(self.kernel_regularizer),
            "kernel_constraint": serialize(self.kernel_constraint),
        }


class Conv1DTranspose(TransposedConvolution):
    """Transposed 1D convolution: each x[n, j] adds its kernel, scaled, to y[n, j s ...].

    Settings and lengths as Conv2DTranspose. x: (n, w, c). Returns (n, ow, filters). kernel: (kw, filters, c).
    """

    rank = 1

    def _convolve(self, x: Any, activation: str | None) -> Any:
        return ops.conv_transpose1d(x, self.kernel, self.bias, activation=activation, **self._settings())


class Conv2DTranspose(TransposedConvolution):
    """Transposed 2D convolution, also called deconvolution: each x[n, i, j] adds its kernel, scaled, to y[n, i s ..., j
    s ...].

    filters: number of outputs. padding: "valid" keeps all that the kernels reach and at least s h, "same" makes s h;
    in numbers, as in Conv2D, it is cut off on each side.
    output_padding: by how much y is longer than the shortest that fits, less than strides; None for the lengths above.
    x: (n, h, w, c). Returns (n, oh, ow, filters). kernel: (kh, kw, filters, c), bias: (filters,).
    """

    def _convolve(self, x: Any, activation: str | None) -> Any:
        return ops.conv_transpose2d(x, self.kernel, self.bias, activation=activation, **self._settings())


class Conv3DTranspose(TransposedConvolution):
    """Transposed 3D convolution, as Conv2DTranspose with a depth before height and width.

    x: (n, d, h, w, c). Returns (n, od, oh, ow, filters). kernel: (kd, kh, kw, filters, c), bias: (filters,).
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Padding = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = 1,
        *settings: Any,
        **options: Any,
    ) -> None:
        # Keras's order, which is another one than that of Conv2DTranspose.
        before = (filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate)
        super().__init__(*before, *settings, **options)

    def _convolve(self, x: Any, activation: str | None) -> Any:
        y = ops.conv_transpose3d(x, self.kernel, self.bias, **self._settings())
        return y if activation is None else self.activation(y)


class ChannelConvolution(Windowed):
    """Layers with a kernel for each channel; the base of the depthwise and the separable ones."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Padding,
        depth_multiplier: int,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        depthwise_initializer: Any,
        bias_initializer: Any,
        depthwise_regularizer: Any,
        bias_regularizer: Any,
        depthwise_constraint: Any,
        bias_constraint: Any,
        **options: Any,
    ) -> None:
        super().__init__(
            *(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias),
            *(bias_initializer, bias_regularizer, bias_constraint),
            **options,
        )
        self.depth_multiplier = positive(type(self).__name__, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def _add_kernel(self, name: str, input_shape: PartialShape) -> Any:
        self._output_shape(input_shape, 1)
        return self.add_weight(
            (*self.kernel_size, self._channels(input_shape), self.depth_multiplier),
            self.depthwise_initializer,
            name=name,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )

    def _depthwise(
        self,
        x: Any,
        kernel: Any,
        bias: Any = None,
        activation: str | None = None,
        statistics: Statistics | None = None,
    ) -> Any:
        op = ops.depthwise_conv1d if self.rank == 1 else ops.depthwise_conv2d
        settings = {"strides": self.strides, "padding": self.padding, "dilation_rate": self.dilation_rate}
        return op(x, kernel, bias, activation=activation, statistics=statistics, **settings)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "depth_multiplier": self.depth_multiplier,
            "depthwise_initializer": serialize(self.depthwise_initializer),
            "depthwise_regularizer": serialize(self.depthwise_regularizer),
            "depthwise_constraint": serialize(self.depthwise_constraint),
        }


class DepthwiseConv2D(ChannelConvolution):
    """Depthwise convolution: every channel by itself, with depth_multiplier m kernels of its own.

    kernel_size, strides, padding, dilation_rate: as in Conv2D. x: (n, h, w, c). Returns (n, oh, ow, c m), the m results
    of a channel together. kernel: (kh, kw, c, m), bias: (c m,).
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: Padding = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            *(kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias),
            *(depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer),
            *(depthwise_constraint, bias_constraint),
            activity_regularizer=activity_regularizer,
            **options,
        )

    def build(self, input_shape: PartialShape) -> None:
        self.kernel = self._add_kernel("kernel", input_shape)
        self._add_bias(self._channels(input_shape) * self.depth_multiplier)

    def _convolve(self, x: Any, activation: str | None, statistics: Statistics | None = None) -> Any:
        return self._depthwise(x, self.kernel, self.bias, activation, statistics)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self._output_shape(input_shape, self._channels(input_shape) * self.depth_multiplier)


class DepthwiseConv1D(DepthwiseConv2D):
    """Depthwise convolution along one axis, as DepthwiseConv2D. x: (n, w, c). Returns (n, ow, c m). kernel: (kw, c,
    m)."""

    rank = 1


class SeparableConv2D(ChannelConvolution):
    """Depthwise convolution with m kernels for each channel, then `filters` weighted sums of the channels of each
    pixel.

    kernel_size, strides, padding, dilation_rate: as in Conv2D. depth_multiplier: m. x: (n, h, w, c). Returns (n, oh,
    ow, filters). depthwise_kernel: (kh, kw, c, m), pointwise_kernel: (1, 1, c m, filters), bias: (filters,).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Padding = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            *(kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias),
            *(depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer),
            *(depthwise_constraint, bias_constraint),
            activity_regularizer=activity_regularizer,
            **options,
        )
        self.filters = positive(type(self).__name__, "filters", filters)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: PartialShape) -> None:
        self.depthwise_kernel = self._add_kernel("depthwise_kernel", input_shape)
        self.pointwise_kernel = self.add_weight(
            (*(1,) * self.rank, self._channels(input_shape) * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            name="pointwise_kernel",
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self._add_bias(self.filters)

    def _convolve(self, x: Any, activation: str | None) -> Any:
        op = ops.conv1d if self.rank == 1 else ops.conv2d
        y = self._depthwise(x, self.depthwise_kernel)
        return op(y, self.pointwise_kernel, self.bias, activation=activation, kept=self.pointwise_kernel.packed)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self._output_shape(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "pointwise_initializer": serialize(self.pointwise_initializer),
            "pointwise_regularizer": serialize(self.pointwise_regularizer),
            "pointwise_constraint": serialize(self.pointwise_constraint),
        }


class SeparableConv1D(SeparableConv2D):
    """Separable convolution along one axis, as SeparableConv2D.

    x: (n, w, c). Returns (n, ow, filters). depthwise_kernel: (kw, c, m), pointwise_kernel: (1, c m, filters).
    """

    rank = 1
