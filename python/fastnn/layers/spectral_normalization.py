"""A layer whose kernel is kept at spectral norm 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import initializers, ops
from fastnn.arrays import PartialShape
from fastnn.autograd import Variable
from fastnn.backend import kernels, weights_changed
from fastnn.layers.wrapper import Wrapper


class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value before every training call.

    layer: one with a kernel, or embeddings. power_iterations: steps of the power method in each call, which goes on
    from the last one's vector. Outside training the kernel stays as it is. x, and what is returned: as for layer.
    Source: Miyato et al., 2018.
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **options: Any) -> None:
        super().__init__(layer, **options)
        if power_iterations <= 0:
            raise ValueError(f"[SpectralNormalization] expected power_iterations > 0, got {power_iterations}")
        self.power_iterations = power_iterations

    def build(self, input_shape: PartialShape) -> None:
        super().build(input_shape)
        self.kernel = kernel = self._kernel()
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            dtype=kernel.dtype,
            name="vector_u",
        )

    def _kernel(self) -> Variable:
        for name in ("kernel", "embeddings"):
            if isinstance(getattr(self.layer, name, None), Variable):
                kernel: Variable = getattr(self.layer, name)
                return kernel
        raise ValueError(f"[{self.name}] expected a layer with a kernel or embeddings, got {type(self.layer).__name__}")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self._normalize()
        return self.layer(inputs, training=training)

    def _normalize(self) -> None:
        """A kernel of zeros, and the vector with it, stays as it is."""
        kernel, u = self._kernel(), self.vector_u._value
        matrix = ops.reshape(kernel._value, (-1, kernel.shape[-1]))
        for _ in range(self.power_iterations):
            v = ops.unit_norm(ops.matmul(u, ops.transpose(matrix)), epsilon=1e-7)
            u = ops.unit_norm(ops.matmul(v, matrix), epsilon=1e-7)
        sigma = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        nothing = ops.equal(sigma, 0.0)
        divided = ops.reshape(ops.divide(matrix, ops.where(nothing, 1.0, sigma)), kernel.shape)
        run = kernels(matrix)
        run.assign(ops.where(nothing, self.vector_u._value, u), self.vector_u._value)
        run.assign(np.asarray(divided), kernel._value)
        kernel.version += 1
        self.vector_u.version += 1
        weights_changed()

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power_iterations": self.power_iterations}
