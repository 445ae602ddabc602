"""JAX, every case under `jax.jit`; a run waits for its results."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.models import Layer, Model, is_trained
from bench.peers import Array, Arrays, Outputs, Run, Settings

NCHW = ("NCHW", "OIHW", "NCHW")


def version() -> str:
    return jax.__version__


def configure(threads: int) -> None:
    """XLA sizes its thread pool by the processors the process may use, before the first computation."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:threads])


def to_numpy(value: Any) -> Array:
    return np.asarray(value)


def jitted(function: Callable[..., Any], *arrays: jax.Array) -> Run:
    """A `run` that calls the compiled function with arrays already on the device."""
    compiled, arrays = jax.jit(function), jax.device_put(arrays)

    def run() -> Outputs:
        result = compiled(*arrays)
        return jax.block_until_ready(result if isinstance(result, tuple) else (result,))

    return run


def backward(function: Callable[..., Any], inputs: tuple[Any, ...], dy: Any) -> Run:
    """A `run` for the backward pass alone: the forward pass and what it saves are made beforehand."""
    _, pull = jax.vjp(function, *jax.device_put(tuple(inputs)))
    return jitted(lambda pull, dy: pull(dy), pull, dy)


def both(function: Callable[..., Any], inputs: tuple[Any, ...], dy: Any) -> Run:
    """A `run` for the forward and backward pass."""
    return jitted(lambda inputs, dy: jax.vjp(function, *inputs)[1](dy), tuple(inputs), dy)


# ---------------------------------------------------------------------------------------------- dense algebra


def gemm(p: Settings, a: Array, b: Array) -> Run:
    return jitted(lambda a, b: (a.T if p.op[0] == "t" else a) @ (b.T if p.op[1] == "t" else b), a, b)


def dense_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    return jitted(lambda x, w, b: jax.nn.relu(x @ w + b), x, w, b)


def dense_bwd(p: Settings, x: Array, w: Array, y: Array, dy: Array) -> Run:
    def work(x: jax.Array, w: jax.Array, y: jax.Array, dy: Any) -> Any:
        dz = jnp.where(y > 0, dy, 0)
        return dz @ w.T, x.T @ dz, dz.sum(0)

    return jitted(work, x, w, y, dy)


# ------------------------------------------------------------------------------------- convolution and pooling


def _conv(x: jax.Array, w: jax.Array, stride: int, pad: int, groups: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, w, (stride, stride), ((pad, pad), (pad, pad)), dimension_numbers=NCHW, feature_group_count=groups
    )


def conv_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    return jitted(lambda x, w, b: _conv(x, w, p.stride, p.pad, p.groups) + b[:, None, None], x, w, b)


def conv_bwd_data(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    return backward(lambda x: _conv(x, w, p.stride, p.pad, p.groups), (x,), dy)


def conv_bwd_weight(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    return backward(lambda w: _conv(x, w, p.stride, p.pad, p.groups), (w,), dy)


def _pool(x: jax.Array, k: int, stride: int, pad: int, initial: float, combine: Callable[..., Any]) -> jax.Array:
    return lax.reduce_window(
        x, initial, combine, (1, 1, k, k), (1, 1, stride, stride), ((0, 0), (0, 0), (pad, pad), (pad, pad))
    )


def _maxpool(p: Settings, x: jax.Array) -> jax.Array:
    return _pool(x, p.k, p.stride, p.pad, -jnp.inf, lax.max)


def _avgpool(p: Settings, x: jax.Array) -> jax.Array:
    return _pool(x, p.k, p.stride, p.pad, 0.0, lax.add) / (p.k * p.k)


def maxpool_fwd(p: Settings, x: Array) -> Run:
    return jitted(partial(_maxpool, p), x)


def maxpool_bwd(p: Settings, x: Array, dy: Array) -> Run:
    return backward(partial(_maxpool, p), (x,), dy)


def avgpool_fwd(p: Settings, x: Array) -> Run:
    return jitted(partial(_avgpool, p), x)


def avgpool_bwd(p: Settings, x: Array, dy: Array) -> Run:
    return backward(partial(_avgpool, p), (x,), dy)


def _globalmax(x: jax.Array) -> jax.Array:
    return x.max((2, 3), keepdims=True)


def _globalavg(x: jax.Array) -> jax.Array:
    return x.mean((2, 3), keepdims=True)


def globalmax_fwd(p: Settings, x: Array) -> Run:
    return jitted(_globalmax, x)


def globalmax_bwd(p: Settings, x: Array, dy: Array) -> Run:
    return backward(_globalmax, (x,), dy)


def globalavg_fwd(p: Settings, x: Array) -> Run:
    return jitted(_globalavg, x)


def globalavg_bwd(p: Settings, x: Array, dy: Array) -> Run:
    return backward(_globalavg, (x,), dy)


# ---------------------------------------------------------------------------------------- elementwise and norms

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "swish": jax.nn.swish,
    "softplus": jax.nn.softplus,
    "softmax": jax.nn.softmax,
}


def act_fwd(p: Settings, x: Array) -> Run:
    return jitted(ACTIVATIONS[p.fn], x)


def act_bwd(p: Settings, x: Array, y: Array, dy: Array) -> Run:
    return backward(ACTIVATIONS[p.fn], (x,), dy)


def _norm(x: jax.Array, gamma: jax.Array, beta: jax.Array, eps: float, axes: tuple[int, ...]) -> jax.Array:
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) * lax.rsqrt(var + eps) * gamma + beta


def _batchnorm(x: jax.Array, gamma: jax.Array, beta: jax.Array, eps: float) -> jax.Array:
    return _norm(x, gamma[:, None, None], beta[:, None, None], eps, (0, 2, 3))


def batchnorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    return jitted(partial(_batchnorm, eps=p.eps), x, gamma, beta)


def batchnorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    return backward(partial(_batchnorm, eps=p.eps), (x, gamma, beta), dy)


def layernorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    return jitted(partial(_norm, eps=p.eps, axes=(-1,)), x, gamma, beta)


def layernorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    return backward(partial(_norm, eps=p.eps, axes=(-1,)), (x, gamma, beta), dy)


def _xent(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def softmax_xent(p: Settings, logits: Array, labels: Array) -> Run:
    return jitted(jax.value_and_grad(_xent), logits, labels)


def _huber(y: jax.Array, target: jax.Array) -> jax.Array:
    distance = jnp.abs(y - target)
    return jnp.where(distance < 1, 0.5 * distance**2, distance - 0.5).mean()


def huber(p: Settings, y: Array, target: Array) -> Run:
    return jitted(jax.value_and_grad(_huber), y, target)


def dropout_fwd(p: Settings, x: Array) -> Run:
    state = {"key": jax.random.key(0)}

    @jax.jit
    def work(key: jax.Array, x: jax.Array) -> Any:
        key, use = jax.random.split(key)
        return key, jnp.where(jax.random.bernoulli(use, 1 - p.rate, x.shape), x / (1 - p.rate), 0)

    x = jax.device_put(x)

    def run() -> Outputs:
        state["key"], y = work(state["key"], x)
        return (jax.block_until_ready(y),)

    return run


# -------------------------------------------------------------------------- sequences, attention and embeddings


def _lstm(x: jax.Array, w_ih: jax.Array, w_hh: jax.Array, b_ih: jax.Array, b_hh: jax.Array) -> jax.Array:
    projected = x @ w_ih.T + (b_ih + b_hh)
    zero = jnp.zeros((x.shape[1], w_hh.shape[1]), x.dtype)

    def step(carry: Any, gates: jax.Array) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(gates + h @ w_hh.T, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return lax.scan(step, (zero, zero), projected)[1]


def _gru(x: jax.Array, w_ih: jax.Array, w_hh: jax.Array, b_ih: jax.Array, b_hh: jax.Array) -> jax.Array:
    projected = x @ w_ih.T + b_ih
    zero = jnp.zeros((x.shape[1], w_hh.shape[1]), x.dtype)

    def step(h: jax.Array, gates: jax.Array) -> Any:
        xr, xz, xn = jnp.split(gates, 3, -1)
        hr, hz, hn = jnp.split(h @ w_hh.T + b_hh, 3, -1)
        z = jax.nn.sigmoid(xz + hz)
        h = (1 - z) * jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn) + z * h
        return h, h

    return lax.scan(step, zero, projected)[1]


def lstm_fwd(p: Settings, x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Run:
    return jitted(_lstm, x, w_ih, w_hh, b_ih, b_hh)


def lstm_fwdbwd(p: Settings, x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, dh: Array) -> Run:
    return both(_lstm, (x, w_ih, w_hh, b_ih, b_hh), dh)


def gru_fwd(p: Settings, x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Run:
    return jitted(_gru, x, w_ih, w_hh, b_ih, b_hh)


def gru_fwdbwd(p: Settings, x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, dh: Array) -> Run:
    return both(_gru, (x, w_ih, w_hh, b_ih, b_hh), dh)


def _attention(q: jax.Array, k: int, v: jax.Array) -> jax.Array:
    weights = jax.nn.softmax(q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5)
    return weights @ v


def attention_fwd(p: Settings, q: Array, k: Array, v: Array) -> Run:
    return jitted(_attention, q, k, v)


def attention_fwdbwd(p: Settings, q: Array, k: Array, v: Array, do: Array) -> Run:
    return both(_attention, (q, k, v), do)


def embedding_fwd(p: Settings, table: Array, ids: Array) -> Run:
    return jitted(lambda table, ids: table[ids], table, ids)


def embedding_bwd(p: Settings, table: Array, ids: Array, dy: Array) -> Run:
    vocab = len(table)
    return jitted(lambda ids, dy: jnp.zeros((vocab, dy.shape[1]), dy.dtype).at[ids].add(dy), ids, dy)


def _adam(state: Any, grads: Any, lr: float = 1e-3, decay: float = 0.0) -> Any:
    """One step over pytrees; state is (params, m, v, t)."""
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    params, m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, grads)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, grads)
    rate, scale = lr / (1 - beta1**t), lax.rsqrt(1 - beta2**t)
    params = jax.tree.map(lambda p, m, v: p * (1 - lr * decay) - rate * m / (jnp.sqrt(v) * scale + eps), params, m, v)
    return params, m, v, t


def _adam_state(params: Any) -> Any:
    """Three separate sets of buffers, so that all can be donated."""
    zeros = partial(jax.tree.map, jnp.zeros_like)
    return jax.tree.map(jnp.array, params), zeros(params), zeros(params), jnp.float32(0)


def optimizer(p: Settings, param: Array, grad: Array) -> Run:
    if p.fn == "sgd":
        state, update = (jnp.array(param),), lambda s, g: (s[0] - p.lr * g,)
    elif p.fn == "momentum":
        state = jnp.array(param), jnp.zeros_like(param)

        def update(s: Any, g: jax.Array) -> Any:
            velocity = 0.9 * s[1] + g
            return s[0] - p.lr * velocity, velocity
    else:
        state = _adam_state(param)
        update = partial(_adam, lr=p.lr, decay=0.01 if p.fn == "adamw" else 0.0)
    step, grad = jax.jit(update, donate_argnums=0), jax.device_put(grad)

    def run() -> Outputs:
        nonlocal state
        state = jax.block_until_ready(step(state, grad))
        return (state[0],)

    return run


# ------------------------------------------------------------------------------------------------ whole models


def _forward(layers: Iterable[Layer], params: Any, x: jax.Array, training: bool, prefix: str = "") -> jax.Array:
    for index, layer in enumerate(layers):
        x = _layer(layer, params, x, training, f"{prefix}{index}")
    return x


def _layer(layer: Layer, params: Any, x: jax.Array, training: bool, path: str) -> jax.Array:
    kind = layer.kind

    def own(name: str) -> jax.Array:
        return params[f"{path}.{name}"]

    if kind == "dense":
        return x @ own("w").T + own("b")
    if kind == "conv":
        y = _conv(x, own("w"), layer.stride, layer.pad, layer.groups)
        return y + own("b")[:, None, None] if layer.bias else y
    if kind == "batchnorm":
        if training:
            return _batchnorm(x, own("gamma"), own("beta"), 1e-5)
        scale = own("gamma") * lax.rsqrt(own("var") + 1e-5)
        return x * scale[:, None, None] + (own("beta") - own("mean") * scale)[:, None, None]
    if kind == "maxpool":
        return _pool(x, layer.k, layer.k, 0, -jnp.inf, lax.max)
    if kind == "embedding":
        return own("w")[x]
    if kind in ("lstm", "gru"):
        cell = _lstm if kind == "lstm" else _gru
        return cell(x.swapaxes(0, 1), own("w_ih"), own("w_hh"), own("b_ih"), own("b_hh")).swapaxes(0, 1)
    if kind == "transformer":
        n, steps, d = x.shape
        qkv = (x @ own("w_qkv").T + own("b_qkv")).reshape(n, steps, 3, layer.heads, d // layer.heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        mixed = _attention(q, k, v).swapaxes(1, 2).reshape(n, steps, d)
        x = _norm(x + mixed @ own("w_o").T + own("b_o"), own("ln1_gamma"), own("ln1_beta"), 1e-5, (-1,))
        hidden = jax.nn.relu(x @ own("w_1").T + own("b_1"))
        return _norm(x + hidden @ own("w_2").T + own("b_2"), own("ln2_gamma"), own("ln2_beta"), 1e-5, (-1,))
    if kind == "residual":
        return _forward(layer.main, params, x, training, f"{path}.main.") + _forward(
            layer.skip, params, x, training, f"{path}.skip."
        )
    return {
        "relu": jax.nn.relu,
        "sigmoid": jax.nn.sigmoid,
        "flatten": lambda x: x.reshape(len(x), -1),
        "global_avgpool": lambda x: x.mean((2, 3)),
        "last_step": lambda x: x[:, -1],
        "mean_time": lambda x: x.mean(1),
    }[kind](x)


def _loss(model: Model, y: jax.Array, target: jax.Array) -> jax.Array:
    if model.loss == "xent":
        return _xent(y.reshape(-1, y.shape[-1]), target.reshape(-1))
    if model.loss == "mse":
        return jnp.mean((y - target) ** 2)
    return jnp.mean(jax.nn.softplus(y) - target * y)


def train(p: Settings, x: Array, target: Array, params: Arrays) -> Run:
    """Running statistics of batch normalisation are left out; they cost next to nothing."""
    state = _adam_state({name: value for name, value in params.items() if is_trained(name)})

    def loss(params: Any, x: jax.Array, target: jax.Array) -> jax.Array:
        return _loss(p.model, _forward(p.model.layers, params, x, True), target)

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: jax.Array, target: jax.Array) -> Any:
        value, grads = jax.value_and_grad(loss)(state[0], x, target)
        return value, _adam(state, grads)

    x, target = jax.device_put((x, target))

    def run() -> Outputs:
        nonlocal state
        value, state = jax.block_until_ready(step(state, x, target))
        return (value,)

    return run


def infer(p: Settings, x: Array, params: Arrays) -> Run:
    return jitted(lambda x, params: _forward(p.model.layers, params, x, False), x, params)
