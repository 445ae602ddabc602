"""The blocks of a Transformer, with keras_hub's arguments. Source: Vaswani et al., 2017, section 3.1."""

from __future__ import annotations

from typing import Any

from fastnn import activations, initializers, ops
from fastnn.arrays import PartialShape
from fastnn.layers.dense import Dense
from fastnn.layers.dropout import Dropout
from fastnn.layers.layer import Layer
from fastnn.layers.multi_head_attention import MultiHeadAttention
from fastnn.layers.normalization import LayerNormalization
from fastnn.registry import serialize


class _Block(Layer):
    """What encoder and decoder share: attention and feed-forward parts, each x + dropout(part(x)), normalised.

    intermediate_dim: units in the middle of the feed-forward part. normalize_first: True for x + part(norm(x)), False,
    as the paper has it, for norm(x + part(x)).
    """

    supports_masking = True

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.intermediate_dim, self.num_heads, self.dropout = intermediate_dim, num_heads, float(dropout)
        self.activation = activations.get(activation)
        self.layer_norm_epsilon, self.normalize_first = layer_norm_epsilon, bool(normalize_first)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def _attention(self, features: int, name: str) -> tuple[Any, Any, Any]:
        """(attention, normalisation, dropout) of one part."""
        if features % self.num_heads:
            raise ValueError(f"[{self.name}] expected features that {self.num_heads} heads share, got {features}")
        layer = MultiHeadAttention(
            self.num_heads,
            features // self.num_heads,
            dropout=self.dropout,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            dtype=self._dtype,
            name=name,
        )
        return layer, self._norm(name + "_layer_norm"), Dropout(self.dropout, dtype=self._dtype)

    def _norm(self, name: str) -> LayerNormalization:
        return LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=self._dtype, name=name)

    def _build_feed_forward(self, shape: PartialShape) -> None:
        options = {"kernel_initializer": self.kernel_initializer, "bias_initializer": self.bias_initializer}
        middle = Dense(self.intermediate_dim, self.activation, dtype=self._dtype, name="intermediate", **options)
        self.feedforward_intermediate = middle
        self.feedforward_output = Dense(shape[-1] or 0, dtype=self._dtype, name="feedforward_output", **options)
        self.feedforward_layer_norm = self._norm("feedforward_layer_norm")
        self.feedforward_dropout = Dropout(self.dropout, dtype=self._dtype)
        middle._build_once(shape)
        self.feedforward_output._build_once((*shape[:-1], self.intermediate_dim))
        self.feedforward_layer_norm._build_once(shape)

    def _part(self, x: Any, norm: Any, dropout: Any, work: Any) -> Any:
        """x + work(norm(x)), or norm(x + work(x))."""
        if self.normalize_first:
            return ops.add(x, dropout(work(norm(x))))
        return norm(ops.add(x, dropout(work(x))))

    def _feed_forward(self, x: Any) -> Any:
        def work(y: Any) -> Any:
            return self.feedforward_output(self.feedforward_intermediate(y))

        return self._part(x, self.feedforward_layer_norm, self.feedforward_dropout, work)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "activation": activations.serialize(self.activation),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "normalize_first": self.normalize_first,
        }


class TransformerEncoder(_Block):
    """Self-attention and a feed-forward part: (n, t, d) -> (n, t, d).

    intermediate_dim, num_heads, dropout, activation, layer_norm_epsilon, kernel_initializer, bias_initializer,
    normalize_first: see the blocks above; a head has d / num_heads features. A call takes padding_mask (n, t), by
    default x's mask, and attention_mask (n, t, t), both True for what is seen. With return_attention_scores also the
    weights, (n, heads, t, t).
    """

    def build(self, input_shape: PartialShape) -> None:
        parts = self._attention(input_shape[-1] or 0, "self_attention")
        self.self_attention, self.self_attention_layer_norm, self.self_attention_dropout = parts
        self.self_attention.build(input_shape, input_shape)
        self.self_attention_layer_norm._build_once(input_shape)
        self._build_feed_forward(input_shape)

    def call(
        self,
        x: Any,
        mask: Any = None,
        padding_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
    ) -> Any:
        seen = mask if padding_mask is None else padding_mask
        weights = None

        def work(y: Any) -> Any:
            nonlocal weights
            options = {"value_mask": seen, "attention_mask": attention_mask}
            if not return_attention_scores:
                return self.self_attention(y, y, **options)
            attended, weights = self.self_attention(y, y, return_attention_scores=True, **options)
            return attended

        x = self._real(x)
        y = self._part(x, self.self_attention_layer_norm, self.self_attention_dropout, work)
        y = self._feed_forward(y)
        return (y, weights) if return_attention_scores else y

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return [previous_mask]

    _makes_masks = False

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)


class TransformerDecoder(_Block):
    """Causal self-attention, attention to the encoder's output if one is given, and a feed-forward part.

    Arguments as of TransformerEncoder. A call takes decoder_sequence (n, t, d) and encoder_sequence (n, s, e), their
    masks decoder_padding_mask (n, t) and encoder_padding_mask (n, s), by default the masks they carry, and
    decoder_attention_mask (n, t, t) and encoder_attention_mask (n, t, s). use_causal_mask: False for a decoder that
    sees what comes later. A layer once built with an encoder_sequence needs one in each call. Returns (n, t, d).
    """

    def build(self, decoder_sequence_shape: PartialShape, encoder_sequence_shape: PartialShape | None = None) -> None:
        shape = tuple(decoder_sequence_shape)
        parts = self._attention(shape[-1] or 0, "self_attention")
        self.self_attention, self.self_attention_layer_norm, self.self_attention_dropout = parts
        self.self_attention.build(shape, shape)
        self.self_attention_layer_norm._build_once(shape)
        self.cross_attention = None
        if encoder_sequence_shape is not None:
            parts = self._attention(shape[-1] or 0, "cross_attention")
            self.cross_attention, self.cross_attention_layer_norm, self.cross_attention_dropout = parts
            self.cross_attention.build(shape, tuple(encoder_sequence_shape))
            self.cross_attention_layer_norm._build_once(shape)
        self._build_feed_forward(shape)

    def call(
        self,
        decoder_sequence: Any,
        encoder_sequence: Any = None,
        decoder_sequence_mask: Any = None,
        encoder_sequence_mask: Any = None,
        decoder_padding_mask: Any = None,
        decoder_attention_mask: Any = None,
        encoder_padding_mask: Any = None,
        encoder_attention_mask: Any = None,
        use_causal_mask: bool = True,
    ) -> Any:
        if (encoder_sequence is None) != (self.cross_attention is None):
            wanted = "no encoder_sequence" if self.cross_attention is None else "an encoder_sequence"
            raise ValueError(f"[{self.name}] expected {wanted}, as in the call that built the layer")
        own = {
            "value_mask": decoder_sequence_mask if decoder_padding_mask is None else decoder_padding_mask,
            "attention_mask": decoder_attention_mask,
            "use_causal_mask": use_causal_mask,
        }
        y = self._part(
            self._real(decoder_sequence),
            self.self_attention_layer_norm,
            self.self_attention_dropout,
            lambda x: self.self_attention(x, x, **own),
        )
        cross = self.cross_attention
        if cross is not None:
            other = {
                "value_mask": encoder_sequence_mask if encoder_padding_mask is None else encoder_padding_mask,
                "attention_mask": encoder_attention_mask,
            }
            y = self._part(
                y,
                self.cross_attention_layer_norm,
                self.cross_attention_dropout,
                lambda x: cross(x, encoder_sequence, **other),
            )
        return self._feed_forward(y)

    def compute_output_shape(
        self, decoder_sequence_shape: PartialShape, encoder_sequence_shape: PartialShape | None = None
    ) -> PartialShape:
        return tuple(decoder_sequence_shape)
