"""Layers that make images, sequences and volumes larger or smaller. Channels last."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.image_layer import ImageLayer
from fastnn.ops.image import INTERPOLATIONS
from fastnn.ops.windows import paddings, whole_numbers

Pairs = tuple[tuple[int, int], ...]


class _Resizing(ImageLayer):
    def _pairs(self, value: Any, name: str) -> Pairs:
        """For each axis (before, after), of a number for all sides, of one for each axis, or of pairs."""
        if self._axes == 1 and isinstance(value, (tuple, list)):
            value = (value,)
        found = paddings(value, self._axes, type(self).__name__, name)
        if isinstance(found, str):
            raise ValueError(f"[{type(self).__name__}] expected {name} of numbers or pairs, got {value!r}")
        return found

    def _setting(self, pairs: Pairs) -> Any:
        """pairs as Keras writes them."""
        return pairs[0] if self._axes == 1 else pairs

    def _resized(self, input_shape: PartialShape, lengths: Any) -> PartialShape:
        return (input_shape[0], *lengths, input_shape[-1])


class _ZeroPadding(_Resizing):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self._sides = self._pairs(padding, "padding")
        self.padding = self._setting(self._sides)

    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        return ops.pad(inputs, ((0, 0), *self._sides, (0, 0)))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        self._check(input_shape)
        lengths = zip(input_shape[1:-1], self._sides, strict=True)
        return self._resized(input_shape, (None if n is None else n + sum(sides) for n, sides in lengths))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and behind a sequence: (n, t, c) -> (n, left + t + right, c).

    padding: one number or (left, right).
    """

    _axes = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around an image: (n, h, w, c) -> (n, top + h + bottom, left + w + right, c).

    padding: one number, (rows, columns) on both sides each, or ((top, bottom), (left, right)).
    """

    _axes = 2


class ZeroPadding3D(_ZeroPadding):
    """Zeros around a volume, (n, d, h, w, c). padding: one number, one for each axis, or a pair for each."""

    _axes = 3


class _Cropping(_Resizing):
    def __init__(self, cropping: Any, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self._sides = self._pairs(cropping, "cropping")
        self.cropping = self._setting(self._sides)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        kept = (slice(a, n - b) for n, (a, b) in zip(inputs.shape[1:-1], self._sides, strict=True))
        return ops.getitem(inputs, (slice(None), *kept))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        self._check(input_shape)
        lengths = []
        for n, (a, b) in zip(input_shape[1:-1], self._sides, strict=True):
            if n is not None and a + b >= n:
                raise ValueError(
                    f"[{self.name}] expected cropping that leaves something of {input_shape}, got {self.cropping}"
                )
            lengths.append(None if n is None else n - a - b)
        return self._resized(input_shape, lengths)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


class Cropping1D(_Cropping):
    """A sequence without its ends: (n, t, c) -> (n, t - left - right, c). cropping: one number or (left, right)."""

    _axes = 1

    def __init__(self, cropping: Any = (1, 1), **options: Any) -> None:
        super().__init__(cropping, **options)


class Cropping2D(_Cropping):
    """The inside of an image: (n, h, w, c) -> (n, h - top - bottom, w - left - right, c).

    cropping: one number, (rows, columns) on both sides each, or ((top, bottom), (left, right)).
    """

    _axes = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **options: Any) -> None:
        super().__init__(cropping, data_format, **options)


class Cropping3D(_Cropping):
    """The inside of a volume, (n, d, h, w, c). cropping: one number, one for each axis, or a pair for each."""

    _axes = 3

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(cropping, data_format, **options)


class _UpSampling(_Resizing):
    def __init__(self, size: Any, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self._times = whole_numbers(size, self._axes, "size", type(self).__name__)
        self.size: Any = self._times

    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        return ops.repeat_pixels(inputs, self._times)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        self._check(input_shape)
        lengths = zip(input_shape[1:-1], self._times, strict=True)
        return self._resized(input_shape, (None if n is None else n * k for n, k in lengths))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class UpSampling1D(_UpSampling):
    """Every step size times: (n, t, c) -> (n, t size, c)."""

    _axes = 1

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(size, **options)
        self.size = self._times[0]


class UpSampling2D(_UpSampling):
    """An image size times as large: (n, h, w, c) -> (n, h sh, w sw, c).

    size: (sh, sw), or one number. interpolation: "nearest" repeats pixels; "bilinear", "bicubic", "lanczos3" and
    "lanczos5" are sums over those around a place.
    """

    _axes = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **options: Any
    ) -> None:
        super().__init__(size, data_format, **options)
        self.interpolation = interpolation.lower()
        if self.interpolation not in INTERPOLATIONS:
            expected = ", ".join(map(repr, INTERPOLATIONS))
            raise ValueError(f"[UpSampling2D] expected interpolation {expected}, got {interpolation!r}")

    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        if self.interpolation in ("nearest", "bilinear"):
            return ops.upsample2d(inputs, self._times, self.interpolation)
        size = [n * times for n, times in zip(inputs.shape[1:3], self._times, strict=True)]
        return ops.image.resize(inputs, size, self.interpolation)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(_UpSampling):
    """Every element of a volume size times along each axis: (n, d, h, w, c) -> (n, d sd, h sh, w sw, c)."""

    _axes = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **options: Any) -> None:
        super().__init__(size, data_format, **options)
