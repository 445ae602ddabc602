"""Where a step stands in its sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import initializers, ops
from fastnn.arrays import PartialShape
from fastnn.autograd import raw
from fastnn.backend import constant
from fastnn.layers.layer import Layer
from fastnn.ops.rotary import sine_positions
from fastnn.registry import serialize


class _SameShape(Layer):
    """A layer whose output has its input's shape and mask."""

    supports_masking = True

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)


class PositionEmbedding(_SameShape):
    """A trained vector for each position, to be added to the input: y[..., p, :] = position_embeddings[p].

    sequence_length: number of positions; the first of a call is start_index. x: (..., t, d). Returns the vectors, in
    x's shape. As keras_hub's layer.
    """

    def __init__(self, sequence_length: int, initializer: Any = "glorot_uniform", **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(sequence_length, (int, np.integer)) or sequence_length <= 0:
            raise ValueError(
                f"[PositionEmbedding] expected sequence_length to be a positive integer, got {sequence_length!r}"
            )
        self.sequence_length, self.initializer = int(sequence_length), initializers.get(initializer)

    def build(self, input_shape: PartialShape) -> None:
        shape = (self.sequence_length, input_shape[-1] or 0)
        self.position_embeddings = self.add_weight(shape, self.initializer, name="embeddings")

    def call(self, x: Any, start_index: int = 0) -> Any:
        steps = x.shape[-2]
        if start_index + steps > self.sequence_length:
            raise ValueError(
                f"[{self.name}] expected at most {self.sequence_length} positions, got {start_index + steps}"
            )
        vectors = ops.getitem(self.position_embeddings, key=slice(start_index, start_index + steps))
        return ops.broadcast_to(vectors, x.shape)

    def get_config(self) -> dict[str, Any]:
        own = {"sequence_length": self.sequence_length, "initializer": serialize(self.initializer)}
        return {**super().get_config(), **own}


class SinePositionEncoding(_SameShape):
    """Sines and cosines of the position, to be added to the input.

    y[..., p, 2 i] = sin(p max_wavelength^(-2 i / d)), y[..., p, 2 i + 1] the cosine.
    x: (..., t, d). Returns the encoding, in x's shape. As keras_hub's layer. Source: Vaswani et al., 2017, section 3.5.
    """

    def __init__(self, max_wavelength: float = 10000, **options: Any) -> None:
        super().__init__(**options)
        self.max_wavelength = max_wavelength
        self.built = True

    def call(self, x: Any, start_index: int = 0) -> Any:
        steps, d = x.shape[-2:]
        table = sine_positions(start_index, steps, d, float(self.max_wavelength), self._dtype.str)
        return ops.broadcast_to(constant(table), x.shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_wavelength": self.max_wavelength}


class RotaryEmbedding(_SameShape):
    """Rotary positions: pairs of features turned by an angle that grows with the position; see ops.rotary_embedding.

    x: (n, t, ..., d), d even; queries and keys of attention, as a rule (n, t, heads, d). As keras_hub's layer.
    Source: Su et al., 2021.
    """

    def __init__(self, max_wavelength: float = 10000, scaling_factor: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.max_wavelength, self.scaling_factor = max_wavelength, scaling_factor
        self.built = True

    def call(self, x: Any, start_index: int = 0, positions: Any = None) -> Any:
        places = None if positions is None else raw(positions)
        return ops.rotary_embedding(x, start_index, float(self.max_wavelength), self.scaling_factor, places)

    def get_config(self) -> dict[str, Any]:
        own = {"max_wavelength": self.max_wavelength, "scaling_factor": self.scaling_factor}
        return {**super().get_config(), **own}


class TokenAndPositionEmbedding(_SameShape):
    """Embedding(x) + PositionEmbedding. x: integers, (n, t). Returns (n, t, embedding_dim). As keras_hub's layer."""

    _makes_masks = False

    def __init__(
        self,
        vocabulary_size: int,
        sequence_length: int,
        embedding_dim: int,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        **options: Any,
    ) -> None:
        from fastnn.layers.embedding import Embedding

        super().__init__(**options)
        self.vocabulary_size, self.sequence_length = vocabulary_size, sequence_length
        self.embedding_dim, self.mask_zero = embedding_dim, mask_zero
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.token_embedding = Embedding(
            vocabulary_size, embedding_dim, self.embeddings_initializer, mask_zero=mask_zero, dtype=self._dtype
        )
        self.position_embedding = PositionEmbedding(sequence_length, self.embeddings_initializer, dtype=self._dtype)
        self._makes_masks = bool(mask_zero)

    def build(self, input_shape: PartialShape) -> None:
        self.token_embedding._build_once(input_shape)
        self.position_embedding._build_once((*input_shape, self.embedding_dim))

    def call(self, x: Any, start_index: int = 0) -> Any:
        tokens = self.token_embedding(x)
        return tokens + self.position_embedding(tokens, start_index=start_index)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.token_embedding.compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "sequence_length": self.sequence_length,
            "embedding_dim": self.embedding_dim,
            "embeddings_initializer": serialize(self.embeddings_initializer),
            "mask_zero": self.mask_zero,
        }
