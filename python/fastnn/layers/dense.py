from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import activations, constraints, initializers, ops, regularizers
from fastnn.activations import FUSED
from fastnn.arrays import DTypeLike, PartialShape
from fastnn.autograd import Tensor
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.layer import Layer
from fastnn.registry import serialize


class Dense(Layer):
    """Fully connected layer: y = activation(x kernel + bias).

    units: number of outputs u. use_bias: True for one bias per unit, False for none, "shared" for one bias of the whole
    layer. kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to a model's loss.
    kernel_constraint, bias_constraint: limits the weights are put back into after each step.
    x: (..., i). Returns (..., u). kernel: (i, u), bias: (u,) or (1,).
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool | str = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        quantization_config: None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            activity_regularizer=activity_regularizer, trainable=trainable, dtype=dtype, name=name, **options
        )
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units <= 0:
            raise ValueError(f"[Dense] expected units to be a positive integer, got {units!r}")
        if use_bias not in (True, False, "shared"):
            raise ValueError(f"[Dense] expected use_bias True, False or 'shared', got {use_bias!r}")
        if quantization_config is not None:
            raise ValueError(f"[Dense] expected quantization_config None, got {quantization_config!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._fused = FUSED.get(self.activation)

    def build(self, input_shape: PartialShape) -> None:
        features = input_shape[-1] if input_shape else None
        if features is None:
            raise ValueError(f"[{self.name}] expected an input whose last axis has a known length, got {input_shape}")
        self.input_spec = InputSpec(min_ndim=1, axes={-1: features})
        self.kernel = self.add_weight(
            (features, self.units),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            shape = (1,) if self.use_bias == "shared" else (self.units,)
            self.bias = self.add_weight(
                shape,
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        if type(x) is not Tensor and x.dtype is not self._dtype:
            x = ops.cast(x, self._dtype)  # integers and booleans
        bias: Any = self.bias
        if self.use_bias == "shared":
            bias = ops.broadcast_to(bias, (self.units,))
        try:
            if self._fused is not None:
                return ops.dense(x, self.kernel, bias, activation=self._fused)
            y = ops.dense(x, self.kernel, bias)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        return self.activation(y)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (*input_shape[:-1], self.units // 2 if self.activation is activations.glu else self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "kernel_regularizer": serialize(self.kernel_regularizer),
            "bias_regularizer": serialize(self.bias_regularizer),
            "kernel_constraint": serialize(self.kernel_constraint),
            "bias_constraint": serialize(self.bias_constraint),
        }
