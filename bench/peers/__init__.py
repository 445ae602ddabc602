"""The libraries that are timed, one module each, and what such a module has to look like.

    version()                  of the library, for the report
    configure(threads)         called once, before anything else, in the peer's own process
    to_numpy(value)            turns what a `run` returned into a NumPy array
    isa()                      optional: the name of the instruction set the library chose

and one function per kind of case it supports, named like the kind. The function gets the case's settings `p` and
the input arrays by name, prepares whatever the library would keep between calls, and returns `run`: a callable
without arguments that does the work once and returns the outputs, in the order documented below. Only `run` is
timed; converting NumPy arrays to the library's own type belongs in the preparation. A function raises
`Unsupported` for settings it cannot do; a missing function means the same.

Kinds: inputs -> outputs
    gemm            a, b -> c                           p.op in nn, nt, tn; a is (m, k) or (k, m), b (k, n) or (n, k)
    dense_fwd       x, w, b -> y                        y = relu(x @ w + b), w is (in, out)
    dense_bwd       x, w, y, dy -> dx, dw, db           y is the forward output
    conv_fwd        x, w, b -> y                        NCHW, OIHW; p.stride, p.pad, p.groups
    conv_bwd_data   x, w, dy -> dx                      x for its shape only
    conv_bwd_weight x, w, dy -> dw                      w for its shape only
    maxpool_fwd     x -> y                              p.k, p.stride, p.pad
    maxpool_bwd     x, dy -> dx
    avgpool_fwd     x -> y
    avgpool_bwd     x, dy -> dx
    globalmax_fwd, globalavg_fwd    x -> y              y is (n, c, 1, 1)
    globalmax_bwd, globalavg_bwd    x, dy -> dx
    act_fwd         x -> y                              p.fn; gelu is the exact one (erf), leaky slope 0.01;
                                                        softmax works on the last axis
    act_bwd         x, y, dy -> dx
    batchnorm_fwd   x, gamma, beta -> y                 training mode, statistics over N, H, W
    batchnorm_bwd   x, gamma, beta, dy -> dx, dgamma, dbeta
    layernorm_fwd   x, gamma, beta -> y                 over the last axis
    layernorm_bwd   x, gamma, beta, dy -> dx, dgamma, dbeta
    softmax_xent    logits, labels -> loss, dlogits     mean over the batch
    huber           y, target -> loss, dy               mean; the bend is at 1
    lstm_fwd        x, w_ih, w_hh, b_ih, b_hh -> h      x (T, N, I), h (T, N, H); weights as in models.py
    lstm_fwdbwd     the same and dh -> dx, dw_ih, dw_hh, db_ih, db_hh
    gru_fwd, gru_fwdbwd                                 likewise
    attention_fwd   q, k, v -> o                        (N, heads, T, head size), not causal
    attention_fwdbwd q, k, v, do -> dq, dk, dv
    embedding_fwd   table, ids -> rows
    embedding_bwd   table, ids, dy -> dtable            dense gradient
    optimizer       param, grad -> param                p.fn in sgd, momentum, adam, adamw; one step, in place
    dropout_fwd     x -> y                              p.rate; the mask is drawn anew every call
    train           x, target, params -> loss           p.model; forward, loss, backward, Adam(1e-3); params updated
    infer           x, params -> y                      p.model; evaluation mode
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Any]  # by name; a model's parameters are such a dictionary inside it
Settings = SimpleNamespace
Outputs = tuple[Any, ...]
Run = Callable[[], Outputs]


class Unsupported(Exception):
    """A peer cannot do a case."""
