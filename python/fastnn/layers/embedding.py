"""Vectors in place of integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import constraints, initializers, ops, regularizers
from fastnn.arrays import Array, DTypeLike, PartialShape
from fastnn.autograd import Differentiable, raw
from fastnn.layers.layer import Layer
from fastnn.masks import set_mask
from fastnn.registry import serialize

_INT64 = np.dtype(np.int64)


class Embedding(Layer):
    """A trainable vector for each integer: y[..., :] = embeddings[x[...]].

    input_dim: number of vectors. output_dim: their length. mask_zero: True if 0 stands for padding: the output gets the
    mask x != 0. weights: the vectors to begin with, (input_dim, output_dim). lora_rank r: the vectors stay as they are,
    and what trains is A B, (input_dim, r) times (r, output_dim), added to them with the factor lora_alpha / r;
    lora_alpha is r by default.
    x: integers in [0, input_dim), any shape; other numbers are cut to integers. Returns (..., output_dim). Raises
    ValueError for integers outside, -1 among them, which no padding stands for.
    Gradients of a vector are added in the order of x, whatever the number of threads.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: None = None,
        *,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        options.pop("input_length", None)  # of older programs
        super().__init__(trainable=trainable, dtype=dtype, name=name, **options)
        for what, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
                raise ValueError(f"[Embedding] expected {what} to be a positive integer, got {value!r}")
        if quantization_config is not None:
            raise ValueError(f"[Embedding] expected quantization_config None, got {quantization_config!r}")
        if lora_rank is not None and embeddings_constraint is not None:
            raise ValueError("[Embedding] expected no embeddings_constraint with lora_rank, got both")
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.supports_masking = self._makes_masks = self.mask_zero
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha
        if weights is not None:
            self.build()
            self._embeddings.assign(weights[0] if isinstance(weights, list) and len(weights) == 1 else weights)

    def build(self, input_shape: PartialShape | None = None) -> None:
        if self.built:
            return
        self._embeddings = self._add("embeddings", (self.input_dim, self.output_dim), self.embeddings_initializer)
        if self.lora_rank is not None:
            self._embeddings.trainable = False
            self._own_trainable[-1] = False
            self.lora_embeddings_a = self._add("lora_embeddings_a", (self.input_dim, self.lora_rank), "he_uniform")
            self.lora_embeddings_b = self._add("lora_embeddings_b", (self.lora_rank, self.output_dim), "zeros")

    def _add(self, name: str, shape: tuple[int, int], initializer: Any) -> Any:
        regularizer, constraint = self.embeddings_regularizer, self.embeddings_constraint
        return self.add_weight(shape, initializer, name=name, regularizer=regularizer, constraint=constraint)

    @property
    def embeddings(self) -> Any:
        """The vectors, with what lora_rank adds to them. Raises AttributeError before the layer is built."""
        if not self.built:
            raise AttributeError(f"[{self.name}] expected a built layer; it has no embeddings yet")
        if self.lora_rank is None:
            return self._embeddings
        change = ops.matmul(self.lora_embeddings_a, self.lora_embeddings_b)
        return self._embeddings + change * (float(self.lora_alpha) / self.lora_rank)  # type: ignore[arg-type]

    def call(self, x: Any) -> Any:
        try:
            return ops.take(self.embeddings, _integers(x), axis=0, wrap=False)
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return ops.not_equal(_integers(inputs), 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": serialize(self.embeddings_initializer),
            "embeddings_regularizer": serialize(self.embeddings_regularizer),
            "embeddings_constraint": serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }
        if self.lora_rank is not None:
            config.update(lora_rank=self.lora_rank, lora_alpha=self.lora_alpha)
        return config


class Masking(Layer):
    """Masks the steps all of whose features are mask_value, and sets them to 0.

    x: (n, t, ..., features). Returns the same shape, with a mask (n, t, ...).
    """

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = mask_value
        self.built = True

    def call(self, x: Any) -> Any:
        mask = self.compute_mask(x)
        y = ops.where(ops.expand_dims(mask, -1), x, 0.0)
        set_mask(y, mask)
        return y

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        other = ops.cast(ops.not_equal(raw(inputs), self.mask_value), np.float32)
        return ops.greater(ops.max(other, axis=-1), 0.0)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


def _integers(x: Any) -> Array:
    """x as int64, by kernels."""
    array = raw(x) if isinstance(x, Differentiable) else np.asarray(x)
    cast: Array = ops.cast(array, _INT64)
    return cast
