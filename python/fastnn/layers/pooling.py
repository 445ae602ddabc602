"""Pooling: the largest element or the mean, of windows or of whole axes. Channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.image_layer import ImageLayer
from fastnn.ops.windows import paddings, whole_numbers, window_count


class _Windowed(ImageLayer):
    _pool: Callable[..., Any]

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, name=name, **options)
        where = type(self).__name__
        self.pool_size = whole_numbers(pool_size, self._axes, "pool_size", where)
        self.strides = self.pool_size if strides is None else whole_numbers(strides, self._axes, "strides", where)
        if not isinstance(padding, str):
            raise ValueError(f"[{where}] expected padding 'valid' or 'same', got {padding!r}")
        self.padding = str(paddings(padding, self._axes, where))

    def call(self, inputs: Any) -> Any:
        return type(self)._pool(inputs, self.pool_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        self._check(input_shape)
        windows = zip(input_shape[1:-1], self.pool_size, self.strides, strict=True)
        counts = (window_count(n, size, stride, self.padding, self.name) for n, size, stride in windows)
        return (input_shape[0], *counts, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        own = {"pool_size": self.pool_size, "padding": self.padding, "strides": self.strides}
        return {**super().get_config(), **own}


class _MaxPooling(_Windowed):
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **options)


class MaxPooling1D(_MaxPooling):
    """Largest element of each window: (n, t, c) -> (n, ot, c). Settings as for MaxPooling2D."""

    _axes, _pool = 1, staticmethod(ops.max_pool1d)


class MaxPooling2D(_MaxPooling):
    """Largest element of each window: (n, h, w, c) -> (n, oh, ow, c).

    pool_size: (kh, kw), or one number. strides: how far windows are apart; pool_size if None. padding: "valid", or
    "same" for h / strides outputs, rounded up; padding is never the largest.
    """

    _axes, _pool = 2, staticmethod(ops.max_pool2d)


class MaxPooling3D(_MaxPooling):
    """Largest element of each window: (n, d, h, w, c) -> (n, od, oh, ow, c). Settings as for MaxPooling2D."""

    _axes, _pool = 3, staticmethod(ops.max_pool3d)


class AveragePooling1D(_Windowed):
    """Mean of each window: (n, t, c) -> (n, ot, c). Settings as for AveragePooling2D."""

    _axes, _pool = 1, staticmethod(ops.avg_pool1d)


class AveragePooling2D(_Windowed):
    """Mean of each window: (n, h, w, c) -> (n, oh, ow, c).

    pool_size: (kh, kw), or one number. strides: how far windows are apart; pool_size if None. padding: "valid", or
    "same" for h / strides outputs, rounded up; padding is left out of the mean.
    """

    _axes, _pool = 2, staticmethod(ops.avg_pool2d)


class AveragePooling3D(_Windowed):
    """Mean of each window: (n, d, h, w, c) -> (n, od, oh, ow, c). Settings as for AveragePooling2D."""

    _axes, _pool = 3, staticmethod(ops.avg_pool3d)


class _Adaptive(ImageLayer):
    _pool: Callable[..., Any]

    def __init__(self, output_size: Any, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.output_size = whole_numbers(output_size, self._axes, "output_size", type(self).__name__)

    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        return type(self)._pool(inputs, self.output_size)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        self._check(input_shape)
        return (input_shape[0], *self.output_size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size}


class AdaptiveMaxPooling1D(_Adaptive):
    """Largest elements of output_size windows that share t out evenly: (n, t, c) -> (n, output_size, c)."""

    _axes, _pool = 1, staticmethod(ops.adaptive_max_pool)


class AdaptiveMaxPooling2D(_Adaptive):
    """Largest elements of output_size windows, (oh, ow) or one number, that share h and w out evenly."""

    _axes, _pool = 2, staticmethod(ops.adaptive_max_pool)


class AdaptiveMaxPooling3D(_Adaptive):
    """Largest elements of output_size windows, (od, oh, ow) or one number, that share d, h and w out evenly."""

    _axes, _pool = 3, staticmethod(ops.adaptive_max_pool)


class AdaptiveAveragePooling1D(_Adaptive):
    """Means of output_size windows that share t out evenly: (n, t, c) -> (n, output_size, c)."""

    _axes, _pool = 1, staticmethod(ops.adaptive_average_pool)


class AdaptiveAveragePooling2D(_Adaptive):
    """Means of output_size windows, (oh, ow) or one number, that share h and w out evenly."""

    _axes, _pool = 2, staticmethod(ops.adaptive_average_pool)


class AdaptiveAveragePooling3D(_Adaptive):
    """Means of output_size windows, (od, oh, ow) or one number, that share d, h and w out evenly."""

    _axes, _pool = 3, staticmethod(ops.adaptive_average_pool)


class _Global(ImageLayer):
    def __init__(self, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        self._check(input_shape)
        return (input_shape[0], *((1,) * self._axes if self.keepdims else ()), input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class _GlobalMaxPooling(_Global):
    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        y = ops.adaptive_max_pool(inputs, 1)
        return y if self.keepdims else ops.reshape(y, (y.shape[0], y.shape[-1]))


class _GlobalAveragePooling(_Global):
    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        return ops.mean(inputs, axis=tuple(range(1, self._axes + 1)), keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """Largest element of each channel: (n, t, c) -> (n, c), or (n, 1, c) with keepdims."""

    _axes = 1


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """Largest element of each channel: (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims."""

    _axes = 2


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """Largest element of each channel: (n, d, h, w, c) -> (n, c), or (n, 1, 1, 1, c) with keepdims."""

    _axes = 3


class GlobalAveragePooling1D(_Global):
    """Mean of each channel: (n, t, c) -> (n, c), or (n, 1, c) with keepdims.

    mask of a call: (n, t), True for what counts. A sample all of whose steps are masked gives NaN, as in Keras.
    """

    _axes = 1
    _makes_masks = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: no steps are left."""
        return None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        self._check(inputs.shape)
        if mask is None:
            return ops.mean(inputs, axis=1, keepdims=self.keepdims)
        counts = ops.expand_dims(ops.cast(mask, self.compute_dtype), -1)
        total = ops.sum(inputs * counts, axis=1, keepdims=self.keepdims)
        return total / ops.sum(counts, axis=1, keepdims=self.keepdims)


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """Mean of each channel: (n, h, w, c) -> (n, c), or (n, 1, 1, c) with keepdims."""

    _axes = 2


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """Mean of each channel: (n, d, h, w, c) -> (n, c), or (n, 1, 1, 1, c) with keepdims."""

    _axes = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
