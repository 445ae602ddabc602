from __future__ import annotations

from typing import Any

from fastnn.arrays import PartialShape
from fastnn.layers.layer import Layer
from fastnn.regularizers import L1L2


class ActivityRegularization(Layer):
    """Passes its input x through and adds (l1 sum(|x|) + l2 sum(x^2)) / n to the model's loss, for n samples."""

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1, l2), **options)
        self.l1, self.l2 = float(l1), float(l2)
        self.built = True

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer")
        return {**config, "l1": self.l1, "l2": self.l2}
