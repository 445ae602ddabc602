"""Attention as one primitive, whose memory does not grow with the square of the length."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive
from fastnn.backend import float_pair, kernels
from fastnn.ops.reduce import sum_to
from fastnn.random import SeedGenerator, as_generator


@composite
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
    *,
    dropout_rate: float = 0.0,
    seed: int | SeedGenerator | None = None,
) -> Any:
    """Scaled dot-product attention, head by head: y = softmax(scale q k^T + bias) v.

    query: real, (n, tq, heads, d). key: (n, tk, kv_heads, d), value: (n, tk, kv_heads, dv); heads is a multiple of
    kv_heads, and neighbours share keys and values. bias: real, mask: bool, False for keys that are not seen; both
    broadcast to (n, heads, tq, tk). scale: 1 / sqrt(d) if None. is_causal: query i sees the keys up to i alone. A query
    that sees nothing gets zeros. dropout_rate: share of the weights that are dropped, those that `dropout` of the
    softmax with this seed would drop. flash_attention: for Keras's sake; there is one way, and it keeps no weights.
    Returns (n, tq, heads, dv). Raises ValueError if shapes do not fit.
    Source: Vaswani et al., 2017, section 3.2.1; Dao et al., 2022.
    """
    if attn_logits_soft_cap is not None:
        raise ValueError(f"[attention] expected attn_logits_soft_cap None, got {attn_logits_soft_cap!r}")
    if not 0 <= dropout_rate < 1:
        raise ValueError(f"[attention] expected dropout_rate in [0, 1), got {dropout_rate}")
    state = as_generator(seed).state if dropout_rate else None
    rate = float(dropout_rate)
    return _attention(query, key, value, bias, mask, scale=scale, causal=bool(is_causal), rate=rate, state=state)


@primitive
def _attention(
    q: Any, k: Any, v: Any, bias: Any, mask: Any, *, scale: float | None, causal: bool, rate: float, state: Any
) -> Any:
    q, k = float_pair(q, k)
    q, v = float_pair(q, v)
    if bias is not None:
        q, bias = float_pair(q, bias)
    q, k = float_pair(q, k)
    q, v = float_pair(q, v)
    seen = None if mask is None else np.asarray(mask, bool)
    if scale is None:
        scale = 1 / sqrt(max(q.shape[-1] if q.ndim else 1, 1))
    run = kernels(q)
    settings = (float(scale), rate, causal)
    y, logs, used = run.attention(q, k, v, bias, seen, state, *settings)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, ...]:
        wanted = [need is not None for need in needs[:4]]
        dq, dk, dv, dbias = run.attention_backward(q, k, v, bias, seen, used, *settings, y, logs, dy, *wanted)
        return dq, dk, dv, None if dbias is None else sum_to(dbias, bias.shape), None

    return y, pullback
