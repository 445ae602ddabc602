from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import constant, float_pair, kernels


@primitive
def _scores(query: Any, key: Any, scale: Any) -> Any:
    q, k = float_pair(query, key)
    q, w = float_pair(q, scale)
    q, k = float_pair(q, k)
    run = kernels(q)

    def pullback(ds: Array, needs: Needs) -> tuple[Array, Array, Array]:
        dq, dk, dw = run.additive_scores_backward(q, k, w, ds)
        return dq, dk, dw

    return run.additive_scores(q, k, w), pullback


@composite
def additive_scores(query: Any, key: Any, scale: Any = None) -> Any:
    """Scores of additive attention: s[i, j] = sum over c of scale[c] tanh(query[i, c] + key[j, c]).

    query: real, (n, tq, d). key: (n, tk, d). scale: (d,), ones if None. Returns (n, tq, tk); nothing larger is made.
    Raises ValueError if shapes do not fit. Source: Bahdanau et al., 2015.
    """
    if scale is None:
        like = raw(query)
        scale = constant(np.ones(np.shape(like)[-1:], getattr(like, "dtype", np.float32)))
    return _scores(query, key, scale)
