"""What layers over images, sequences and volumes share."""

from __future__ import annotations

from typing import Any

from fastnn.arrays import PartialShape
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.layer import Layer
from fastnn.ops.windows import channels_last


class ImageLayer(Layer):
    """A layer without weights over `_axes` axes between the batch and the channels, which come last."""

    _axes = 0

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        channels_last(data_format, type(self).__name__)
        self.input_spec = InputSpec(ndim=self._axes + 2)
        self.built = True

    def _check(self, shape: PartialShape) -> None:
        """Raises ValueError unless an input of this shape has as many axes as it should."""
        if len(shape) != self._axes + 2:
            self.input_spec.check(tuple(shape), self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": "channels_last"}
