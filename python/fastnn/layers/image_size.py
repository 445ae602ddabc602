"""Layers that bring images of any size to one. Channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.layer import Layer
from fastnn.ops.image import INTERPOLATIONS
from fastnn.ops.windows import channels_last, whole_numbers
from fastnn.symbolic import SymbolicTensor


class _ImageSize(Layer):
    """One that makes (n, height, width, c) of (n, h, w, c), and (height, width, c) of (h, w, c)."""

    def __init__(self, height: int, width: int, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        channels_last(data_format, type(self).__name__)
        self.height, self.width = whole_numbers((height, width), 2, "height and width", type(self).__name__)
        self.data_format, self.built = "channels_last", True

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        if len(input_shape) not in (3, 4):
            raise ValueError(f"[{self.name}] expected images of shape (n, h, w, c) or (h, w, c), got {input_shape}")
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width, "data_format": self.data_format}


class Resizing(_ImageSize):
    """Images of the size (height, width), each pixel a sum over those around its place.

    interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5". antialias: whether the neighbourhood
    grows where images become smaller. crop_to_aspect_ratio, pad_to_aspect_ratio: cut off or fill up with fill_value
    what would change the ratio of the sides. x: (n, h, w, c) or (h, w, c). Integers are rounded, and stay integers.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(height, width, data_format, **options)
        self.interpolation = interpolation.lower()
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"[Resizing] expected interpolation {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError("[Resizing] expected crop_to_aspect_ratio or pad_to_aspect_ratio, got both")
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio)
        self.fill_mode, self.fill_value, self.antialias = fill_mode, float(fill_value), bool(antialias)

    def _settings(self) -> dict[str, Any]:
        names = "interpolation", "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_mode", "fill_value"
        return {name: getattr(self, name) for name in names}

    def call(self, inputs: Any) -> Any:
        y = ops.image.resize(self._real(inputs), (self.height, self.width), **self._settings())
        if inputs.dtype.kind == "f":
            return y
        limits = np.iinfo(inputs.dtype)
        return ops.cast(ops.clip(ops.round(y), float(limits.min), float(limits.max)), inputs.dtype)

    def compute_output_spec(self, inputs: Any) -> Any:
        dtype = self._dtype if inputs.dtype.kind == "f" else inputs.dtype
        return SymbolicTensor(self.compute_output_shape(inputs.shape), dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._settings()}


class CenterCrop(_ImageSize):
    """The middle of images, (height, width). Those that are smaller are enlarged first, then cut to that ratio.

    x: (n, h, w, c) or (h, w, c).
    """

    def call(self, inputs: Any) -> Any:
        x = self._real(inputs)
        top, left = x.shape[-3] - self.height, x.shape[-2] - self.width
        if top < 0 or left < 0:
            return ops.image.resize(x, (self.height, self.width), crop_to_aspect_ratio=True)
        rows, cols = slice(top // 2, top // 2 + self.height), slice(left // 2, left // 2 + self.width)
        return ops.getitem(x, (..., rows, cols, slice(None)))
