"""Attention of several heads, each on its own projection of the input."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

import numpy as np

from fastnn import constraints, initializers, ops, regularizers
from fastnn.arrays import PartialShape
from fastnn.backend import constant
from fastnn.layers.attention import both, causal_mask, masked_softmax
from fastnn.layers.einsum_dense import as_matrix
from fastnn.layers.layer import Layer, registry
from fastnn.random import SeedGenerator
from fastnn.registry import serialize


class Projection(Layer):
    """Product over the last `axes` axes of x with a kernel (*those, *output_shape), and a bias of output_shape.

    options: kernel_initializer, bias_initializer and the rest, as of a Dense layer, already made.
    """

    supports_masking = True

    def __init__(
        self, output_shape: Sequence[int], axes: int = 1, use_bias: bool = True, activation: Any = None, **options: Any
    ) -> None:
        weights = {key: options.pop(key) for key in list(options) if key.startswith(("kernel_", "bias_"))}
        super().__init__(**options)
        self._shape, self._axes, self._use_bias, self._weights = tuple(output_shape), axes, use_bias, weights
        self._activation = activation

    def build(self, input_shape: PartialShape) -> None:
        inside = tuple(length or 0 for length in input_shape[len(input_shape) - self._axes :])
        initializer = as_matrix(self._weights.get("kernel_initializer"), prod(inside), prod(self._shape))
        self.kernel = self._add("kernel", (*inside, *self._shape), initializer)
        self.bias = self._add("bias", self._shape, self._weights.get("bias_initializer")) if self._use_bias else None

    def _add(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        regularizer, constraint = (self._weights.get(f"{name}_{what}") for what in ("regularizer", "constraint"))
        return self.add_weight(shape, initializer, name=name, regularizer=regularizer, constraint=constraint)

    def call(self, x: Any) -> Any:
        x = self._real(x)
        inside = x.shape[x.ndim - self._axes :]
        if inside != self.kernel.shape[: self._axes]:
            expected = ", ".join(map(str, self.kernel.shape[: self._axes]))
            raise ValueError(f"[{self.name}] expected x (..., {expected}), got {x.shape}")
        outside, units = x.shape[: x.ndim - self._axes], prod(self._shape)
        rows = x if self._axes == 1 else ops.reshape(x, (*outside, prod(inside)))
        kernel = ops.reshape(self.kernel, (rows.shape[-1], units))
        bias = None if self.bias is None else ops.reshape(self.bias, (units,))
        y = ops.dense(rows, kernel, bias, activation=self._activation)
        return y if len(self._shape) == 1 else ops.reshape(y, (*outside, *self._shape))


class _Heads(Layer):
    """What the layers with several heads share. heads of the queries and of keys and values, key_dim, value_dim."""

    supports_masking = True
    _makes_masks = False

    def __init__(
        self,
        heads: int,
        kv_heads: int,
        key_dim: int,
        value_dim: int,
        settings: dict[str, Any],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        sliding_window, seed = settings["sliding_window"], settings["seed"]
        for what, value in (("heads", heads), ("heads of keys and values", kv_heads), ("key_dim", key_dim),
                            ("value_dim", value_dim), ("sliding_window", sliding_window)):  # fmt: skip
            optional = what == "sliding_window" and value is None
            if not optional and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0):
                raise ValueError(f"[{type(self).__name__}] expected {what} to be a positive integer, got {value!r}")
        if heads % kv_heads:
            raise ValueError(
                f"[{type(self).__name__}] expected a number of heads that is a multiple of {kv_heads}, got {heads}"
            )
        self._heads, self._kv_heads, self._key_dim, self._value_dim = heads, kv_heads, key_dim, value_dim
        self.dropout, self.sliding_window, self.seed = float(settings["dropout"]), sliding_window, seed
        self.use_bias, self.use_gate = bool(settings["use_bias"]), bool(settings["use_gate"])
        self.kernel_initializer = initializers.get(settings["kernel_initializer"])
        self.bias_initializer = initializers.get(settings["bias_initializer"])
        self.kernel_regularizer = regularizers.get(settings["kernel_regularizer"])
        self.bias_regularizer = regularizers.get(settings["bias_regularizer"])
        self.kernel_constraint = constraints.get(settings["kernel_constraint"])
        self.bias_constraint = constraints.get(settings["bias_constraint"])
        if self.dropout:
            self.seed_generator = SeedGenerator(seed)

    def build(  # type: ignore[override]  # the shapes of all inputs, as in Keras
        self, query_shape: PartialShape, value_shape: PartialShape, key_shape: PartialShape | None = None
    ) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        shapes = (query_shape, value_shape, key_shape)
        if any(len(shape) < 2 or shape[-1] is None for shape in shapes):
            got = ", ".join(str(tuple(shape)) for shape in shapes)
            raise ValueError(f"[{self.name}] expected query, value and key (n, t, ..., features), got {got}")
        self._check_lengths(value_shape, key_shape)
        self.query_dense = self._projected("query", query_shape, (self._heads, self._key_dim))
        self.key_dense = self._projected("key", key_shape, (self._kv_heads, self._key_dim))
        if self.use_gate:
            gates = (self._heads, self._value_dim)
            self.gate_dense = self._projected("gate", query_shape, gates, activation="sigmoid")
        self.value_dense = self._projected("value", value_shape, (self._kv_heads, self._value_dim))
        inside = (*query_shape[:-1], self._heads, self._value_dim)
        self.output_dense = self._projected("attention_output", inside, self._features(query_shape), axes=2)

    def _check_lengths(self, value_shape: PartialShape, key_shape: PartialShape) -> None:
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(f"[{self.name}] expected key and value of one length, got {key_shape} and {value_shape}")

    def _features(self, query_shape: PartialShape) -> tuple[int, ...]:
        """The axes of an output of one step."""
        return (query_shape[-1] or 0,)

    def _projected(self, name: str, shape: PartialShape, output_shape: tuple[int, ...], **options: Any) -> Projection:
        layer = Projection(
            output_shape,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            name=name,
            dtype=self._dtype,
            **options,
        )
        layer._build_once(shape)
        return layer

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        value = self._cast(value)
        key = value if key is None else self._cast(key)
        seen = both(value_mask, key_mask)
        seen = None if seen is None else ops.expand_dims(seen, -2)
        if attention_mask is not None:
            attention_mask = ops.cast(attention_mask, bool)
            if seen is not None and attention_mask.ndim == seen.ndim + 1:  # (n, heads, tq, tk) and (n, 1, tk)
                seen = ops.expand_dims(seen, 1)
            seen = both(attention_mask, seen)
        q, k, v = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        y, weights = self._attend(q, k, v, seen, training, return_attention_scores, use_causal_mask)
        if query_mask is not None:  # a query that is masked sees nothing
            query_mask = ops.cast(query_mask, bool)
            y = ops.where(ops.expand_dims(query_mask, tuple(range(query_mask.ndim, y.ndim))), y, 0.0)
            if weights is not None and weights.ndim == 4:
                weights = ops.where(ops.expand_dims(query_mask, (1, 3)), weights, 0.0)
        if self.use_gate:
            y = ops.multiply(y, self.gate_dense(query))
        y = self.output_dense(y)
        return (y, weights) if return_attention_scores else y

    def _attend(
        self, q: Any, k: Any, v: Any, seen: Any, training: bool, return_scores: bool, causal: bool
    ) -> tuple[Any, Any]:
        """(y, weights or None) of q (n, tq, heads, d), k and v. seen: (n, tq, tk) or (n, heads, tq, tk), or None."""
        rate = self.dropout if training else 0.0
        seed = self.seed_generator if rate else None
        window = self._window(q.shape[1], k.shape[1])
        seen = both(seen, window)
        seen = ops.expand_dims(seen, 1) if seen is not None and seen.ndim == 3 else seen
        if not return_scores:
            scale = 1 / sqrt(self._key_dim)
            options: dict[str, Any] = {"scale": scale, "is_causal": causal, "dropout_rate": rate, "seed": seed}
            return ops.dot_product_attention(q, k, v, mask=seen, **options), None
        if causal:
            seen = both(seen, ops.expand_dims(causal_mask(q.shape[1], k.shape[1]), 1))
        return self._with_weights(q, k, v, seen, rate, seed)

    def _with_weights(self, q: Any, k: Any, v: Any, seen: Any, rate: float, seed: Any) -> tuple[Any, Any]:
        """The same where the weights are wanted, step by step. Heads that share keys stand in an axis of their own."""
        n, tq, heads, d = q.shape
        tk, kv, group = k.shape[1], self._kv_heads, heads // self._kv_heads
        q = ops.transpose(ops.reshape(q, (n, tq, kv, group, d)), (0, 2, 3, 1, 4))
        k, v = (ops.expand_dims(ops.transpose(x, (0, 2, 1, 3)), 2) for x in (k, v))
        scores = ops.gemm(ops.multiply(q, 1 / sqrt(d)), k, transpose_b=True)
        weights = masked_softmax(ops.reshape(scores, (n, heads, tq, tk)), seen)
        dropped = ops.dropout(weights, rate, seed=seed) if rate else weights
        y = ops.matmul(ops.reshape(dropped, (n, kv, group, tq, tk)), v)
        return ops.reshape(ops.transpose(y, (0, 3, 1, 2, 4)), (n, tq, heads, v.shape[-1])), weights

    def _window(self, queries: int, keys: int) -> Any:
        """True for keys less than sliding_window away, (1, queries, keys); None without one."""
        if self.sliding_window is None:
            return None
        away = np.abs(np.arange(queries)[:, None] - np.arange(keys))
        return constant((away < self.sliding_window)[None])

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """That of the query, for the first output alone."""
        return [previous_mask]

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: PartialShape, value_shape: PartialShape, key_shape: PartialShape | None = None
    ) -> PartialShape:
        self._check_lengths(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *self._features(query_shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "kernel_regularizer": serialize(self.kernel_regularizer),
            "bias_regularizer": serialize(self.bias_regularizer),
            "kernel_constraint": serialize(self.kernel_constraint),
            "bias_constraint": serialize(self.bias_constraint),
            "seed": self.seed,
        }


class MultiHeadAttention(_Heads):
    """Attention of several heads: y = concat(head_1, ..., head_h) W_o, head_i = attention(x W_q, x W_k, x W_v).

    num_heads: h. key_dim: size of a head's queries and keys. value_dim: of its values, key_dim if None. dropout: rate
    for the weights. output_shape: axes of an output, the query's last by default. attention_axes: those attention goes
    over, all between the batch and the features by default. sliding_window: a query sees the keys less than so many
    steps away. use_gate: True for outputs multiplied by sigmoid(query W_g). flash_attention: for Keras's sake; unless
    the scores are asked for, nothing of their size is made.
    A call takes query (n, tq, i) and value (n, tk, j), and key (n, tk, j'), the value if None. attention_mask:
    (n, tq, tk) or (n, heads, tq, tk), True for what is seen. Masks of value and key hide steps; a masked query sees
    nothing, and its mask goes to the output. use_causal_mask: query i sees the keys up to i alone. A query that sees
    nothing gets zeros from its heads. Returns (n, tq, i), with return_attention_scores also the weights,
    (n, heads, tq, tk).
    Source: Vaswani et al., 2017, section 3.2.2.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        settings = {
            "dropout": dropout,
            "use_bias": use_bias,
            "sliding_window": sliding_window,
            "use_gate": use_gate,
            "seed": seed,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        values = key_dim if value_dim is None else value_dim
        options["activity_regularizer"] = activity_regularizer
        super().__init__(num_heads, num_heads, key_dim, values, settings, **options)
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, self._value_dim
        axes = (output_shape,) if isinstance(output_shape, int) else output_shape or ()
        if not isinstance(axes, (list, tuple)):
            raise ValueError(f"[MultiHeadAttention] expected output_shape as integers, got {output_shape!r}")
        self._output_shape: tuple[int, ...] = tuple(axes)
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes

    def _features(self, query_shape: PartialShape) -> tuple[int, ...]:
        return self._output_shape or super()._features(query_shape)

    def _attend(
        self, q: Any, k: Any, v: Any, seen: Any, training: bool, return_scores: bool, causal: bool
    ) -> tuple[Any, Any]:
        if q.ndim == 4:
            return super()._attend(q, k, v, seen, training, return_scores, causal)
        axes = [axis % (q.ndim - 1) for axis in self.attention_axes or range(1, q.ndim - 2)]
        others = [axis for axis in range(q.ndim - 2) if axis not in axes]
        order = (*others, *axes, q.ndim - 2, q.ndim - 1)
        outer, queries, keys = ([x.shape[axis] for axis in part] for x, part in ((q, others), (q, axes), (k, axes)))
        rows = prod(outer)

        def flat(x: Any, steps: list[int]) -> Any:
            return ops.reshape(ops.transpose(x, order), (rows, prod(steps), *x.shape[-2:]))

        if seen is not None:
            seen = ops.reshape(seen, (-1, prod(queries), prod(keys)))
        y, weights = super()._attend(
            flat(q, queries), flat(k, keys), flat(v, keys), seen, training, return_scores, causal
        )
        y = ops.reshape(y, (*outer, *queries, *y.shape[-2:]))
        y = ops.transpose(y, tuple(int(axis) for axis in np.argsort(order)))
        return y, None if weights is None else ops.reshape(weights, (*outer, self.num_heads, *queries, *keys))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": list(self._output_shape) or None,
            "attention_axes": self.attention_axes and list(self.attention_axes),
        }


class GroupQueryAttention(_Heads):
    """MultiHeadAttention whose heads share keys and values, num_query_heads / num_key_value_heads of them each.

    head_dim: size of a head. All else as in MultiHeadAttention. Source: Ainslie et al., 2023.
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        settings = {
            "dropout": dropout,
            "use_bias": use_bias,
            "sliding_window": sliding_window,
            "use_gate": use_gate,
            "seed": seed,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        options["activity_regularizer"] = activity_regularizer
        super().__init__(num_query_heads, num_key_value_heads, head_dim, head_dim, settings, **options)
        self.head_dim, self.num_query_heads = head_dim, num_query_heads
        self.num_key_value_heads = num_key_value_heads

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: PartialShape, value_shape: PartialShape, key_shape: PartialShape | None = None
    ) -> PartialShape:
        if query_shape[-1] != value_shape[-1]:
            raise ValueError(
                f"[{self.name}] expected query and value of as many features, got {query_shape} and {value_shape}"
            )
        return super().compute_output_shape(query_shape, value_shape, key_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }


#: The class's own name in Keras, which files and configurations hold.
GroupedQueryAttention = GroupQueryAttention
registry.add(GroupQueryAttention, "GroupedQueryAttention")
