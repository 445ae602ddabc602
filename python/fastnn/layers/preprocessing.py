"""Layers that prepare data, by what they have seen of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array, PartialShape, normalize_axes
from fastnn.autograd import raw
from fastnn.backend import constant
from fastnn.layers.layer import Layer
from fastnn.registry import deserialize_keras_object, serialize_keras_object


class Normalization(Layer):
    """Features with mean 0 and variance 1: y = (x - mean) / max(sqrt(variance), 1e-7).

    axis: the axes with a mean and variance for each place; None for one of all. mean, variance: if they are known, else
    adapt() finds them. invert: y = x max(sqrt(variance), 1e-7) + mean. x: real, (n, ...). Returns the same shape.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(f"[Normalization] expected both mean and variance or neither, got {mean} and {variance}")
        if np.shape(mean) != np.shape(variance) or (mean is not None and np.ndim(mean) > len(self.axis)):
            raise ValueError(
                f"[Normalization] expected mean and variance of one shape with at most {len(self.axis)} axes, "
                f"got {np.shape(mean)} and {np.shape(variance)}"
            )
        self.input_mean, self.input_variance, self.invert = mean, variance, bool(invert)

    def build(self, input_shape: PartialShape) -> None:
        kept = normalize_axes(self.axis, len(input_shape), self.name)
        lengths = [input_shape[axis] for axis in kept]
        if None in lengths:
            raise ValueError(f"[{self.name}] expected known lengths along axes {self.axis}, got input {input_shape}")
        self._kept = kept
        self._broadcast = [n if axis in kept else 1 for axis, n in enumerate(input_shape)]
        shape = tuple(n for n in lengths if n is not None)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
        else:
            self._given = tuple(
                constant(np.broadcast_to(np.asarray(v, self._dtype), shape).copy())
                for v in (self.input_mean, self.input_variance)
            )

    @property
    def mean(self) -> Array:
        """The mean, in a shape that broadcasts to inputs. Raises AttributeError before the layer is built."""
        return self._known("mean", 0)

    @property
    def variance(self) -> Array:
        """The variance, likewise."""
        return self._known("variance", 1)

    def _known(self, name: str, which: int) -> Array:
        if not self.built:
            raise AttributeError(f"[{self.name}] expected a built layer, got one without {name}; call adapt() first")
        found = self._given[which] if self.input_mean is not None else self.weights[which]._value
        return found.reshape([n or 1 for n in self._broadcast]).copy()

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from data: an array, or batches of it. Forgets what was there before."""
        if self.input_mean is not None:
            raise ValueError(f"[{self.name}] expected no mean and variance of its own for adapt(), got both")
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for batch in _batches(data):
            if not self.built:
                self.build((None, *batch.shape[1:]))
            away = tuple(i for i in range(batch.ndim) if i not in self._kept)
            own = int(np.prod([batch.shape[i] for i in away], dtype=np.int64))
            if own == 0:
                continue
            center = batch.mean(away, np.float64)
            delta = center - mean
            squares = squares + batch.var(away, np.float64) * own + delta**2 * (count * own / (count + own))
            mean = mean + delta * (own / (count + own))
            count += own
        if count == 0:
            raise ValueError(f"[{self.name}] expected data for adapt(), got none")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(squares / count)

    def call(self, inputs: Any) -> Any:
        x = self._real(inputs)
        known = self.input_mean is not None
        mean, variance = self._given if known else (self.adapt_mean._value, self.adapt_variance._value)
        center = ops.reshape(constant(mean) if known else mean, self._broadcast)
        spread = ops.maximum(ops.sqrt(constant(variance) if known else variance), 1e-7)
        spread = ops.reshape(spread, self._broadcast)
        return x * spread + center if self.invert else (x - center) / spread

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        given = {"mean": self.input_mean, "variance": self.input_variance}
        return {
            **super().get_config(),
            "axis": list(self.axis),
            **{name: None if value is None else np.asarray(value).tolist() for name, value in given.items()},
            "invert": self.invert,
        }


def _inputs(batch: Any) -> Array:
    return np.asarray(raw(batch[0] if isinstance(batch, tuple) else batch))


def _batches(data: Any) -> Iterator[Array]:
    """The arrays of data, which may be a single one; of pairs the first."""
    if hasattr(data, "num_batches"):  # a PyDataset
        yield from (_inputs(data[number]) for number in range(data.num_batches))
    elif hasattr(data, "shape"):
        yield np.asarray(raw(data))
    elif isinstance(data, Iterable):
        for batch in data:
            yield _inputs(batch)
    else:
        raise TypeError(f"[Normalization] expected an array or batches, got {type(data).__name__}")


class Rescaling(Layer):
    """Numbers in another range: y = x scale + offset. x: numbers, any shape. Returns the layer's dtype.

    scale, offset: numbers, or arrays that broadcast to x, of a number for each channel for instance.
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale, self.offset = scale, offset
        self.built = True

    def call(self, inputs: Any) -> Any:
        scale, offset = (constant(np.asarray(value, self._dtype)) for value in (self.scale, self.offset))
        return ops.add(ops.multiply(self._real(inputs), scale), offset)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"scale": self.scale, "offset": self.offset}
        return {**super().get_config(), **serialize_keras_object(own)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialize_keras_object(config))
