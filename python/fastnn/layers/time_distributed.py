"""A layer applied to every step of a sequence."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.wrapper import Wrapper


class TimeDistributed(Wrapper):
    """Applies a layer to every step of a sequence: y^<t> = layer(x^<t>), all of them in one call.

    layer: what takes (n, ...). x: (n, t, ...). Returns (n, t, ...). mask: (n, t, ...), handed on; a layer whose call()
    takes one gets that of its step, (n, ...). One of (n, t) reaches only layers of vectors: in others it says nothing.
    """

    supports_masking = True

    def build(self, input_shape: PartialShape) -> None:
        if len(input_shape) < 3:
            raise ValueError(f"[{self.name}] expected an input with at least 3 axes (n, t, ...), got {input_shape}")
        super().build((input_shape[0], *input_shape[2:]))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        shape = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (shape[0], input_shape[1], *shape[1:])

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        n, t, *rest = inputs.shape
        if mask is not None and mask.shape[:2] != (n, t):
            raise ValueError(f"[{self.name}] expected a mask of shape ({n}, {t}, ...), got {mask.shape}")
        options = {"mask": mask.reshape(n * t, *mask.shape[2:])} if self._hands_in(mask, rest) else {}
        y = self.layer(ops.reshape(inputs, (n * t, *rest)), training=training, **options)
        return ops.reshape(y, (n, t, *y.shape[1:]))

    def _hands_in(self, mask: Any, step: list[int]) -> bool:
        """Whether the layer gets the mask of its step, of shape `step`."""
        takes = any(name == "mask" for *_, name in self.layer._mask_arguments)
        return mask is not None and takes and (mask.ndim > 2 or len(step) == 1)
