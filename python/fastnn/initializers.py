"""How weights begin. Every initializer is a callable (shape, dtype) -> array; calling it twice gives the same values.

Fans: a shape (..., i, o) has fan in i and fan out o, each times the product of the axes before.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, float_dtype
from fastnn.random import SeedGenerator, as_generator
from fastnn.registry import Registry

_registry = Registry("initializers")
get = _registry.get
deserialize = _registry.deserialize


class Initializer:
    """Base class: subclasses implement __call__ and get_config."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        raise NotImplementedError(f"[{type(self).__name__}] expected __call__ to be implemented")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def __init_subclass__(cls) -> None:
        _registry.add_own(cls)


class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return np.zeros(shape, float_dtype(dtype, "Zeros"))


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return np.ones(shape, float_dtype(dtype, "Ones"))


class Constant(Initializer):
    """All equal to value, or value itself where it is an array of that shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        return np.array(np.broadcast_to(np.asarray(self.value), tuple(shape)), float_dtype(dtype, "Constant"))

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


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
        drawn = self.mean + self.stddev * truncated_normal(self.generator(), tuple(shape))
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


class VarianceScaling(RandomInitializer):
    """Random values of variance scale / n, with n the fan in, the fan out, or their average.

    mode: "fan_in", "fan_out" or "fan_avg". distribution: "truncated_normal", "untruncated_normal" or "uniform".
    The truncated normal is stretched so that its standard deviation after truncation is the one asked for.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | SeedGenerator | None = None,
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

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        shape = tuple(shape)
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        generator = self.generator()
        if self.distribution == "uniform":
            drawn = generator.uniform(-sqrt(3 * variance), sqrt(3 * variance), shape)
        elif self.distribution == "untruncated_normal":
            drawn = generator.normal(0.0, sqrt(variance), shape)
        else:
            drawn = sqrt(variance) / _TRUNCATED_STDDEV * truncated_normal(generator, shape)
        return drawn.astype(float_dtype(dtype, "VarianceScaling"))

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, **super().get_config()}


class _Named(VarianceScaling):
    """A VarianceScaling with its settings fixed by its name."""

    settings: tuple[float, str, str] = (1.0, "fan_in", "truncated_normal")

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        super().__init__(*self.settings, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return RandomInitializer.get_config(self)


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


def truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal values, drawn again while beyond two standard deviations."""
    drawn = generator.standard_normal(shape)
    outside = np.abs(drawn) > 2
    while outside.any():
        drawn[outside] = generator.standard_normal(int(outside.sum()))
        outside = np.abs(drawn) > 2
    return drawn


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """(fan in, fan out) of a kernel."""
    if len(shape) == 0:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    receptive_field = prod(shape[:-2])
    return float(shape[-2] * receptive_field), float(shape[-1] * receptive_field)


_registry.add(Zeros, "zero")
_registry.add(Ones, "one")
_registry.add(RandomNormal, "normal")
_registry.add(RandomUniform, "uniform")
