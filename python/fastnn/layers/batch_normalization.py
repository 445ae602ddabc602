"""Batch normalisation: over the batch, over the batches of several processes, and renormalisation."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, prod
from typing import Any

import numpy as np

from fastnn import initializers, ops
from fastnn.arrays import Array, PartialShape
from fastnn.autograd import Needs, Variable, primitive
from fastnn.backend import kernels, not_recordable
from fastnn.layers.normalization import ScaledNormalization
from fastnn.registry import serialize


@primitive
def _added_up(sums: Any, *, over: Any) -> Any:
    """over(sums), where over adds up what several processes hand it: gradients are added up like values."""
    not_recordable()

    def total(own: Array) -> Array:
        y = np.asarray(over(own), own.dtype)
        if y.shape != own.shape:
            raise ValueError(f"[BatchNormalization] expected sums of shape {own.shape} of all processes, got {y.shape}")
        return y

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (total(dy),)

    return total(sums), pullback


def _clipping(given: Mapping[str, float] | None) -> dict[str, float]:
    """rmin, rmax, dmax, as far as they are given. Raises ValueError."""
    found = dict(given or {})
    if set(found) - {"rmin", "rmax", "dmax"}:
        raise ValueError(f"[BatchNormalization] expected renorm_clipping of rmin, rmax and dmax, got {given!r}")
    if not found.get("rmin", 0) <= found.get("rmax", inf) or found.get("dmax", 0) < 0:
        raise ValueError(f"[BatchNormalization] expected rmin <= rmax and dmax >= 0 in renorm_clipping, got {given!r}")
    return found


class BatchNormalization(ScaledNormalization):
    """Normalisation of each channel over the batch: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    While training, mean and variance are those of the batch, and the moving ones follow them:
    m = momentum m + (1 - momentum) statistic. Otherwise, and where the layer is not trainable, the moving ones are
    taken. axis: the channels. mask of a call: x's shape without its last axis, True for what counts in the statistics.
    x: (n, ..., c). Returns the same shape. gamma, beta, moving_mean, moving_variance: (c,).
    Source: Ioffe and Szegedy, 2015.

    synchronized: statistics are those of the batches of all processes that train together. What connects them is not
    part of this package: a subclass says how sums are added up (`sum_over_processes`). With the class itself there is
    one process.

    renorm: while training, xhat r + d takes the place of xhat = (x - mean) / sqrt(variance + epsilon), so that it is
    what moving statistics would make of x: r = deviation / renorm_stddev, d = (mean - renorm_mean) / renorm_stddev,
    limited to [rmin, rmax] and [-dmax, dmax] of renorm_clipping, without gradients of their own. renorm_mean and
    renorm_stddev follow the batches with renorm_momentum, moving_stddev with momentum. Source: Ioffe, 2017.
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
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
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
        self.renorm, self.renorm_momentum = bool(renorm), float(renorm_momentum)
        self.renorm_clipping = _clipping(renorm_clipping)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: PartialShape) -> None:
        shape = self._lengths(input_shape, [self.axis])
        self._add_scale(shape, self.scale, self.center)
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        if not self.renorm:
            return

        def deviation(shape: Any, dtype: Any = None) -> Array:
            variance: Array = np.asarray(self.moving_variance_initializer(shape, dtype=dtype))
            return np.sqrt(variance)

        self.moving_stddev = self.add_weight(shape, deviation, trainable=False, name="moving_stddev")
        self.renorm_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="renorm_mean")
        self.renorm_stddev = self.add_weight(shape, deviation, trainable=False, name="renorm_stddev")

    def sum_over_processes(self, sums: Array) -> Array:
        """The hook of `synchronized`: adds up, element by element, what each process hands in here.

        sums: (c,), (c + 1,), or (2 c,) with a mask and channels that are not last. Called twice forward and twice
        backward, in every process alike. Returns the same shape.
        """
        return sums

    def call(self, x: Any, training: bool | None = None, mask: Any = None, *, activation: str | None = None) -> Any:
        x = self._real(x)
        if mask is not None and np.ndim(mask) != len(x.shape) - 1:
            shapes = f"got {np.shape(mask)}, x {x.shape}"
            raise ValueError(f"[{self.name}] expected a mask of one axis less than x, {shapes}")
        settings = {"axis": self.axis, "epsilon": self.epsilon, "activation": activation}
        weights = self.gamma, self.beta, self.moving_mean, self.moving_variance
        try:
            if not (training and self._trainable):
                return ops.batch_norm_inference(x, *weights, **settings)
            channels_last = self.axis in (-1, len(x.shape) - 1)
            if self.renorm or self._has_company() or not (mask is None or channels_last):
                return self._by_moments(x, mask, settings)
            y = ops.batch_norm(x, *weights, momentum=self.momentum, mask=mask, **settings)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        self.moving_mean.version += 1
        self.moving_variance.version += 1
        return y

    def _has_company(self) -> bool:
        hook = getattr(self.sum_over_processes, "__func__", None)
        return self.synchronized and hook is not BatchNormalization.sum_over_processes

    def _by_moments(self, x: Any, mask: Any, settings: dict[str, Any]) -> Any:
        """One op after the other, for what is not in the kernels."""
        count, mean, variance = self._moments(x, mask)
        gamma, beta = self.gamma, self.beta
        # If no row counts, statistics stay as they are.
        some = ops.cast(ops.greater(count, 0.0), self._dtype)
        if self.renorm:
            r, d = self._corrections(ops.stop_gradient(mean), ops.stop_gradient(variance))
            self._follow_with_renorm(ops.stop_gradient(mean), ops.stop_gradient(variance), some)
            shift = d if gamma is None else ops.multiply(d, gamma)
            gamma = r if gamma is None else ops.multiply(r, gamma)
            beta = shift if beta is None else ops.add(shift, beta)
        else:
            self._follow(self.moving_mean, ops.stop_gradient(mean), self.momentum, some)
            self._follow(self.moving_variance, ops.stop_gradient(variance), self.momentum, some)
        return ops.batch_norm_inference(x, gamma, beta, mean, variance, **settings)

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any, Any]:
        """(how many values of a channel count, mean, variance) of this process's batch, or of all of them.

        The count is one number for all channels, (1,), where no mask tells them apart.
        """
        axis = self.axis % len(x.shape)
        others = [i for i in range(len(x.shape)) if i != axis]
        if mask is None:
            kept = None
            own = ops.full((1,), prod(x.shape[i] for i in others), self._dtype)
        else:
            channels_last = axis == len(x.shape) - 1
            shape = (*x.shape[:-1], 1) if channels_last else x.shape
            kept = ops.broadcast_to(ops.cast(ops.expand_dims(mask, -1), self._dtype), shape)
            own = ops.reshape(ops.sum(kept), (1,)) if channels_last else ops.sum(kept, others)

        def total(values: Any) -> Any:
            return ops.sum(values if kept is None else ops.multiply(values, kept), others)

        sums = self._added_up(ops.concatenate([total(x), own], 0))
        channels = x.shape[axis]
        count = ops.stop_gradient(sums[channels:])
        share = ops.divide(1.0, ops.maximum(count, 1.0))
        mean = ops.multiply(sums[:channels], share)
        about = ops.subtract(x, ops.reshape(mean, [-1 if i == axis else 1 for i in range(len(x.shape))]))
        return count, mean, ops.multiply(self._added_up(total(ops.square(about))), share)

    def _added_up(self, sums: Any) -> Any:
        return _added_up(sums, over=self.sum_over_processes) if self._has_company() else sums

    def _deviation(self, variance: Any) -> Any:
        return ops.sqrt(ops.add(variance, self.epsilon))

    def _corrections(self, mean: Any, variance: Any) -> tuple[Any, Any]:
        """(r, d)"""
        limits = self.renorm_clipping
        scale = ops.maximum(self.renorm_stddev._value, self.epsilon**0.5)
        r = ops.divide(self._deviation(variance), scale)
        d = ops.divide(ops.subtract(mean, self.renorm_mean._value), scale)
        if "rmin" in limits:
            r = ops.maximum(r, limits["rmin"])
        if "rmax" in limits:
            r = ops.minimum(r, limits["rmax"])
        if "dmax" in limits:
            d = ops.clip(d, -limits["dmax"], limits["dmax"])
        return r, d

    def _follow_with_renorm(self, mean: Any, variance: Any, some: Any) -> None:
        deviation = self._deviation(variance)
        self._follow(self.renorm_mean, mean, self.renorm_momentum, some)
        self._follow(self.renorm_stddev, deviation, self.renorm_momentum, some)
        self._follow(self.moving_mean, mean, self.momentum, some)
        self._follow(self.moving_stddev, deviation, self.momentum, some)
        moved = ops.square(self.moving_stddev._value)
        self._set(self.moving_variance, ops.maximum(ops.subtract(moved, self.epsilon), 0.0))

    def _follow(self, variable: Variable, statistic: Any, momentum: float, some: Any) -> None:
        """variable + (1 - momentum) (statistic - variable), if some is 1."""
        step = ops.multiply(ops.subtract(statistic, variable._value), ops.multiply(some, 1 - momentum))
        self._set(variable, ops.add(variable._value, step))

    def _set(self, variable: Variable, value: Any) -> None:
        kernels(value).assign(value, variable._value)
        variable.version += 1

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": serialize(self.moving_mean_initializer),
            "moving_variance_initializer": serialize(self.moving_variance_initializer),
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping or None,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": self.synchronized,
        }
