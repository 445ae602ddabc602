"""Weights that begin at random.

Fans: a shape (..., i, o) has fan in i and fan out o, each times the product of the axes before: the window of a
convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, float_dtype
from fastnn.initializers.initializer import Initializer
from fastnn.random import SeedGenerator, as_generator, within_two


class RandomInitializer(Initializer):
    """Draws from its own random stream: the next one of the program, or the one of `seed`."""

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        self.seed = seed
        self._stream = as_generator(seed)

    def generator(self) -> np.random.Generator:
        """The stream from its beginning, unless the caller shares a SeedGenerator, which moves on."""
        if isinstance(self.seed, SeedGenerator):
            return self.seed.numpy()
        seed, stream, _ = (int(part) for part in self._stream.state)
        return np.random.Generator(np.random.Philox(key=[seed, stream]))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed if not isinstance(self.seed, SeedGenerator) else self.seed.seed}


class RandomNormal(RandomInitializer):
    """Normal distribution with the given mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | SeedGenerator | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        drawn = self.generator().normal(self.mean, self.stddev, tuple(shape))
        return drawn.astype(float_dtype(dtype, "RandomNormal"))

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomNormal):
    """Normal distribution, drawn again beyond two standard deviations from the mean."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        drawn = self.mean + self.stddev * within_two(self.generator(), tuple(shape))
        return drawn.astype(float_dtype(dtype, "TruncatedNormal"))


class RandomUniform(RandomInitializer):
    """Uniform distribution in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | SeedGenerator | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        drawn = self.generator().uniform(self.minval, self.maxval, tuple(shape))
        return drawn.astype(float_dtype(dtype, "RandomUniform"))

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


class Orthogonal(RandomInitializer):
    """gain times a random orthogonal matrix; of a shape (..., n), the rows or columns of (product of ..., n), whichever
    are fewer, are orthonormal.

    Uniformly distributed over orthogonal matrices: the Q of a normal matrix, signed so that R's diagonal is positive.
    Source: Saxe et al., 2013.
    """

    def __init__(self, gain: float = 1.0, seed: int | SeedGenerator | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        if len(shape) < 2:
            raise ValueError(f"[Orthogonal] expected a shape of 2 axes or more, got {tuple(shape)}")
        rows, columns = prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(self.generator().standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        drawn: Array = self.gain * (q.T if rows < columns else q).reshape(shape)
        return drawn.astype(float_dtype(dtype, "Orthogonal"))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


class VarianceScaling(RandomInitializer):
    """Random values of variance scale / n, with n the fan in, the fan out, or their average.

    mode: "fan_in", "fan_out" or "fan_avg". distribution: "truncated_normal", "untruncated_normal" or "uniform".
    The truncated normal is stretched so that its standard deviation after truncation is the one asked for.
    input_axes, output_axes: axes whose lengths multiply to the fans, where those are not the usual ones; both or none.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | SeedGenerator | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        if scale <= 0:
            raise ValueError(f"[VarianceScaling] expected scale > 0, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"[VarianceScaling] expected mode 'fan_in', 'fan_out' or 'fan_avg', got {mode!r}")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                "[VarianceScaling] expected distribution 'truncated_normal', 'untruncated_normal' or 'uniform', "
                f"got {distribution!r}"
            )
        super().__init__(seed)
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        shape = tuple(shape)
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        generator = self.generator()
        if self.distribution == "uniform":
            drawn = generator.uniform(-sqrt(3 * variance), sqrt(3 * variance), shape)
        elif self.distribution == "untruncated_normal":
            drawn = generator.normal(0.0, sqrt(variance), shape)
        else:
            drawn = sqrt(variance) / _TRUNCATED_STDDEV * within_two(generator, shape)
        return drawn.astype(float_dtype(dtype, "VarianceScaling"))

    def get_config(self) -> dict[str, Any]:
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**own, **super().get_config(), **self._axes()}

    def _axes(self) -> dict[str, Any]:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {name: list(value) for name, value in axes.items() if value is not None}


class _Named(VarianceScaling):
    """A VarianceScaling with its settings fixed by its name."""

    settings: tuple[float, str, str] = (1.0, "fan_in", "truncated_normal")

    def __init__(
        self,
        seed: int | SeedGenerator | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self.settings, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        return {**RandomInitializer.get_config(self), **self._axes()}


class GlorotUniform(_Named):
    """Uniform in +-sqrt(6 / (fan in + fan out)). Source: Glorot and Bengio, 2010."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan in + fan out). Source: Glorot and Bengio, 2010."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Named):
    """Uniform in +-sqrt(6 / fan in). Source: He et al., 2015."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan in. Source: He et al., 2015."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniform in +-sqrt(3 / fan in). Source: LeCun et al., 1998."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan in. Source: LeCun et al., 1998."""

    settings = (1.0, "fan_in", "truncated_normal")


# Standard deviation of the standard normal distribution truncated to [-2, 2].
_TRUNCATED_STDDEV = 0.87962566103423978


def fans(
    shape: tuple[int, ...], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[float, float]:
    """(fan in, fan out) of a kernel: the products over the axes given, or those of a convolution's kernel."""
    if input_axes is not None and output_axes is not None:
        return float(prod(shape[a] for a in input_axes)), float(prod(shape[a] for a in output_axes))
    if len(shape) == 0:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    receptive_field = prod(shape[:-2])
    return float(shape[-2] * receptive_field), float(shape[-1] * receptive_field)
