"""Normalisation layers."""

from __future__ import annotations

from typing import Any

from fastnn import constraints, initializers, ops, regularizers
from fastnn.arrays import PartialShape
from fastnn.autograd import Tensor, Variable
from fastnn.layers.layer import Layer
from fastnn.registry import serialize


class _Scaled(Layer):
    """What normalises x and scales and shifts the result: y = xhat gamma + beta."""

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        initializers_of: tuple[Any, Any],
        regularizers_of: tuple[Any, Any],
        constraints_of: tuple[Any, Any],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.epsilon, self.center, self.scale = float(epsilon), bool(center), bool(scale)
        self.beta_initializer, self.gamma_initializer = map(initializers.get, initializers_of)
        self.beta_regularizer, self.gamma_regularizer = map(regularizers.get, regularizers_of)
        self.beta_constraint, self.gamma_constraint = map(constraints.get, constraints_of)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def _add_scale(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                name="beta",
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def _lengths(self, input_shape: PartialShape, axes: list[int]) -> tuple[int, ...]:
        """The lengths of these axes, which have to be known."""
        lengths = []
        for axis in axes:
            if not -len(input_shape) <= axis < len(input_shape):
                raise ValueError(
                    f"[{self.name}] expected axis in [{-len(input_shape)}, {len(input_shape)}) for input "
                    f"{input_shape}, got {axis}"
                )
            length = input_shape[axis]
            if length is None:
                raise ValueError(f"[{self.name}] expected a known length along axis {axis}, got input {input_shape}")
            lengths.append(length)
        return tuple(lengths)

    def _real(self, x: Any) -> Any:
        """x in this layer's dtype: integers and booleans, too."""
        return x if type(x) is Tensor or x.dtype is self._dtype else ops.cast(x, self._dtype)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": serialize(self.beta_initializer),
            "gamma_initializer": serialize(self.gamma_initializer),
            "beta_regularizer": serialize(self.beta_regularizer),
            "gamma_regularizer": serialize(self.gamma_regularizer),
            "beta_constraint": serialize(self.beta_constraint),
            "gamma_constraint": serialize(self.gamma_constraint),
        }


class BatchNormalization(_Scaled):
    """Normalisation of each channel over the batch: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    While training, mean and variance are those of the batch, and the moving ones follow them:
    m = momentum m + (1 - momentum) statistic. Otherwise, and where the layer is not trainable, the moving ones are
    taken. axis: the channels. mask of a call: (n, ...), True for what counts in the statistics.
    x: (n, ..., c). Returns the same shape. gamma, beta, moving_mean, moving_variance: (c,).
    Source: Ioffe and Szegedy, 2015.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            epsilon,
            center,
            scale,
            (beta_initializer, gamma_initializer),
            (beta_regularizer, gamma_regularizer),
            (beta_constraint, gamma_constraint),
            **options,
        )
        if not isinstance(axis, int) or isinstance(axis, bool):
            raise TypeError(f"[BatchNormalization] expected axis to be an integer, got {axis!r}")
        self.axis, self.momentum, self.synchronized = axis, float(momentum), bool(synchronized)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: PartialShape) -> None:
        shape = self._lengths(input_shape, [self.axis])
        self._add_scale(shape)
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        x = self._real(x)
        settings = {"axis": self.axis, "epsilon": self.epsilon}
        weights = self.gamma, self.beta, self.moving_mean, self.moving_variance
        try:
            if not (training and self._trainable):
                return ops.batch_norm_inference(x, *weights, **settings)
            y = ops.batch_norm(x, *weights, momentum=self.momentum, mask=mask, **settings)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        self.moving_mean.version += 1
        self.moving_variance.version += 1
        return y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": serialize(self.moving_mean_initializer),
            "moving_variance_initializer": serialize(self.moving_variance_initializer),
            "synchronized": self.synchronized,
        }
