"""Attention of one head: Attention, and Bahdanau's AdditiveAttention."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import Array, PartialShape
from fastnn.backend import constant
from fastnn.layers.layer import Layer
from fastnn.random import SeedGenerator

#: Far below any score, so that its exponential is 0, and still far from overflow.
_HIDDEN = -1e9


def causal_mask(queries: int, keys: int) -> Array:
    """True where query i sees key j: j <= i. (1, queries, keys)."""
    return constant(np.tril(np.ones((1, queries, keys), bool)))


def both(a: Any, b: Any) -> Any:
    """The mask where a and b are True; None stands for True everywhere."""
    if a is None or b is None or a is b:
        return a if b is None else b
    return ops.logical_and(a, b)


def masked_softmax(scores: Any, mask: Any) -> Any:
    """Softmax over the last axis, of what mask lets through; zeros where that is nothing."""
    if mask is None:
        return ops.softmax(scores)
    return ops.where(mask, ops.softmax(ops.where(mask, scores, _HIDDEN)), 0.0)


class Attention(Layer):
    """Attention of Luong's kind: y = softmax(query key^T) value.

    use_scale: True for a trained factor of the scores. score_mode: "dot", or "concat" for the scores
    c sum(tanh(scale (query + key))) with a trained c. dropout: rate for the softmax. seed: of dropout.
    inputs: [query (n, tq, d), value (n, tk, dv)] and, if it is not the value, key (n, tk, d). mask: [of the query, of
    the value]: outputs of masked queries are 0, masked values are not seen. use_causal_mask: query i sees the keys up
    to i alone. Returns (n, tq, dv), with return_attention_scores also the softmax, (n, tq, tk); without it, and for
    "dot", nothing of that size is made. Axes between n and the steps, of the same lengths in all inputs, each have an
    attention of their own. Source: Luong et al., 2015.
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"[{type(self).__name__}] expected score_mode 'dot' or 'concat', got {score_mode!r}")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout, self.seed = float(dropout), seed
        if self.dropout:
            self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        concat = self.score_mode == "concat"
        self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight") if concat else None

    def _check(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            got = len(inputs) if isinstance(inputs, (list, tuple)) else type(inputs).__name__
            raise ValueError(f"[{self.name}] expected [query, value] or [query, value, key], got {got}")
        if any(part is None or isinstance(part, int) for part in inputs):  # the shape of one array
            raise ValueError(f"[{self.name}] expected [query, value] or [query, value, key], got one of shape {inputs}")
        shapes = [tuple(part if isinstance(part, (list, tuple)) else part.shape) for part in inputs]
        if any(len(shape) < 3 for shape in shapes):
            raise ValueError(f"[{self.name}] expected inputs (n, t, d), got {', '.join(map(str, shapes))}")

    def _scores(self, query: Any, key: Any) -> Any:
        """(n, tq, tk) for query (n, tq, d) and key (n, tk, d)."""
        if self.scale is not None:
            query = query * self.scale
        if self.score_mode == "dot":
            return ops.gemm(query, key, transpose_b=True)
        if self.scale is not None:
            key = key * self.scale
        return ops.additive_scores(query, key) * self.concat_score_weight

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(inputs)
        query, value = (self._real(x) for x in inputs[:2])
        key = self._real(inputs[2]) if len(inputs) > 2 else value
        if mask is not None and not (isinstance(mask, (list, tuple)) and 2 <= len(mask) <= len(inputs)):
            got = f"{len(mask)} masks" if isinstance(mask, (list, tuple)) else type(mask).__name__
            raise ValueError(f"[{self.name}] expected mask as [of the query, of the value], got {got}")
        query_mask, value_mask = (None, None) if mask is None else (mask[0], mask[1])
        rate = self.dropout if training else 0.0
        outer, weights = query.shape[:-2], None
        if len(outer) > 1:
            if value_mask is not None:
                value_mask = ops.reshape(value_mask, (-1, value.shape[-2]))
            query, value, key = (ops.reshape(x, (-1, *x.shape[-2:])) for x in (query, value, key))
        if self.score_mode == "dot" and not return_attention_scores and type(self)._scores is Attention._scores:
            y = self._tiled(query, key, value, value_mask, rate, use_causal_mask)
        else:
            scores = self._scores(query, key)
            seen = None if value_mask is None else ops.expand_dims(value_mask, -2)
            causal = causal_mask(*scores.shape[-2:]) if use_causal_mask else None
            weights = masked_softmax(scores, both(seen, causal))
            if rate:
                weights = ops.dropout(weights, rate, seed=self.seed_generator)
            y = ops.matmul(weights, value)
        if len(outer) > 1:
            y = ops.reshape(y, (*outer, *y.shape[-2:]))
            weights = None if weights is None else ops.reshape(weights, (*outer, *weights.shape[-2:]))
        if query_mask is not None:
            y = ops.where(ops.expand_dims(query_mask, -1), y, 0.0)
        return (y, weights) if return_attention_scores else y

    def _tiled(self, query: Any, key: Any, value: Any, value_mask: Any, rate: float, causal: bool) -> Any:
        """The output, by the primitive that keeps no scores: one head."""
        if self.scale is not None:
            query = query * self.scale
        heads = [ops.expand_dims(x, 2) for x in (query, key, value)]
        mask = None if value_mask is None else ops.expand_dims(value_mask, (1, 2))
        seed = self.seed_generator if rate else None
        y = ops.dot_product_attention(*heads, mask=mask, scale=1.0, is_causal=causal, dropout_rate=rate, seed=seed)
        return ops.squeeze(y, 2)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, (list, tuple)) else None

    _makes_masks = False

    def compute_output_shape(self, input_shape: Any) -> PartialShape:
        self._check(input_shape)
        return (*input_shape[0][:-1], input_shape[1][-1])

    def get_config(self) -> dict[str, Any]:
        own = {"use_scale": self.use_scale, "score_mode": self.score_mode, "dropout": self.dropout, "seed": self.seed}
        return {**super().get_config(), **own}


class AdditiveAttention(Attention):
    """Attention of Bahdanau's kind: y = softmax(sum(scale tanh(query + key))) value.

    use_scale: True for a trained scale, one number per feature; else 1. All else as in Attention.
    Source: Bahdanau et al., 2015.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **options: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **options)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _scores(self, query: Any, key: Any) -> Any:
        return ops.additive_scores(query, key, self.scale)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["score_mode"]
        return config
