"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn import constraints, initializers, ops, regularizers
from fastnn.arrays import PartialShape
from fastnn.autograd import Variable
from fastnn.layers.layer import Layer
from fastnn.registry import serialize


class _Normalization(Layer):
    """A layer whose output has its input's shape, and which takes real numbers of all kinds."""

    supports_masking = True

    def _lengths(self, input_shape: PartialShape, axes: Sequence[int]) -> tuple[int, ...]:
        """The lengths of these axes, which have to be known."""
        lengths = []
        for axis in axes:
            self._check_axis(input_shape, axis)
            length = input_shape[axis]
            if length is None:
                raise ValueError(f"[{self.name}] expected a known length along axis {axis}, got input {input_shape}")
            lengths.append(length)
        return tuple(lengths)

    def _check_axis(self, input_shape: PartialShape, axis: int) -> None:
        ndim = len(input_shape)
        if not -ndim <= axis < ndim:
            raise ValueError(
                f"[{self.name}] expected axis in [{-ndim}, {ndim}) for input {tuple(input_shape)}, got {axis}"
            )

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        axes = getattr(self, "axis", -1)
        for axis in [axes] if isinstance(axes, int) else axes:
            self._check_axis(input_shape, axis)
        return tuple(input_shape)


class ScaledNormalization(_Normalization):
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

    def _add_scale(self, shape: tuple[int, ...], scale: bool, center: bool) -> None:
        if scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                name="beta",
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

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


def _axes(axis: Any, where: str) -> int | list[int]:
    """axis as it is kept: one, or several in ascending order. Raises TypeError for anything else."""
    if isinstance(axis, int) and not isinstance(axis, bool):
        return axis
    if isinstance(axis, (list, tuple)) and all(isinstance(a, int) and not isinstance(a, bool) for a in axis):
        return sorted(axis)
    raise TypeError(f"[{where}] expected axis to be an integer or several integers, got {axis!r}")


def _several(axis: int | list[int]) -> list[int]:
    return [axis] if isinstance(axis, int) else axis


class LayerNormalization(ScaledNormalization):
    """Normalisation of each sample over axis: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    axis: one or several. rms_scaling: only divides by the standard deviation, as old models do, and has no beta.
    x: (n, ...). Returns the same shape. gamma, beta: of the shape of these axes. Source: Ba, Kiros and Hinton, 2016.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,
        rms_scaling: bool = False,
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
        self.axis, self.rms_scaling = _axes(axis, "LayerNormalization"), bool(rms_scaling)

    def build(self, input_shape: PartialShape) -> None:
        self._add_scale(
            self._lengths(input_shape, _several(self.axis)),
            scale=self.scale or self.rms_scaling,
            center=self.center and not self.rms_scaling,
        )

    def call(self, x: Any) -> Any:
        x = self._real(x)
        try:
            if self.axis == -1 and not self.rms_scaling:
                return ops.layer_norm(x, self.gamma, self.beta, epsilon=self.epsilon)
            return ops.layer_normalization(
                x, self.gamma, self.beta, self.axis, self.epsilon, rms_scaling=self.rms_scaling
            )
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "rms_scaling": self.rms_scaling}


class GroupNormalization(ScaledNormalization):
    """Normalisation of groups of channels, by sample: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    groups: how many, of adjacent channels; -1 for one for each channel, which is instance normalisation.
    axis: the channels. x: (n, ..., c). Returns the same shape. gamma, beta: (c,). Source: Wu and He, 2018.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
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
        if not isinstance(groups, int) or isinstance(groups, bool) or (groups <= 0 and groups != -1):
            raise ValueError(f"[GroupNormalization] expected groups to be a positive integer or -1, got {groups!r}")
        self.groups, self.axis = groups, axis

    def build(self, input_shape: PartialShape) -> None:
        (channels,) = shape = self._lengths(input_shape, [self.axis])
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise ValueError(
                f"[{self.name}] expected groups that divide the {channels} channels of {tuple(input_shape)}, "
                f"got {self.groups}"
            )
        self._add_scale(shape, self.scale, self.center)

    def call(self, x: Any) -> Any:
        try:
            return ops.group_norm(
                self._real(x), self.gamma, self.beta, groups=self.groups, axis=self.axis, epsilon=self.epsilon
            )
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


class RMSNormalization(_Normalization):
    """Normalisation by the root of the mean square over axis: y = x / sqrt(mean(x^2) + epsilon) scale.

    axis: one or several. x: (n, ...). Returns the same shape. scale: of the shape of these axes.
    Source: Zhang and Sennrich, 2019.
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.axis, self.epsilon = _axes(axis, "RMSNormalization"), float(epsilon)

    def build(self, input_shape: PartialShape) -> None:
        self.scale = self.add_weight(self._lengths(input_shape, _several(self.axis)), "ones", name="scale")

    def call(self, x: Any) -> Any:
        try:
            return ops.rms_normalization(self._real(x), self.scale, self.axis, self.epsilon)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(_Normalization):
    """Vectors along axis at length 1: y = x / max(sqrt(sum(x^2)), 1e-12). axis: one or several. x: (n, ...)."""

    def __init__(self, axis: int | Sequence[int] = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = _axes(axis, "UnitNormalization")
        self.built = True

    def call(self, x: Any) -> Any:
        return ops.normalize(self._real(x), self.axis, 2, 1e-12)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class LocalResponseNormalization(_Normalization):
    """AlexNet's normalisation across channels: y[i] = x[i] / (k + alpha sum_j x[j]^2)^beta.

    The sum goes over `size` adjacent channels; alpha is not divided by size. Defaults are the paper's, names are not
    Keras's, which has no such layer. x: (n, ..., c). Returns the same shape.
    Source: Krizhevsky, Sutskever and Hinton, 2012, section 3.3.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"[LocalResponseNormalization] expected size to be a positive integer, got {size!r}")
        self.size, self.alpha, self.beta, self.k = size, float(alpha), float(beta), float(k)
        self.built = True

    def call(self, x: Any) -> Any:
        return ops.lrn(self._real(x), self.size, self.alpha, self.beta, self.k)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
