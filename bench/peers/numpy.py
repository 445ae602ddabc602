"""NumPy (and SciPy's erf and expit): what a careful user writes without a neural-network library."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import erf, expit
from threadpoolctl import threadpool_limits

from bench.models import Model
from bench.peers import Array, Arrays, Outputs, Run, Settings, Unsupported

SQRT_HALF = np.float32(0.5**0.5)
INV_SQRT_2PI = np.float32((2 * np.pi) ** -0.5)


def version() -> str:
    return np.__version__


def configure(threads: int) -> None:
    threadpool_limits(threads)


def to_numpy(value: Any) -> Array:
    return np.asarray(value)


# ---------------------------------------------------------------------------------------------- dense algebra


def gemm(p: Settings, a: Array, b: Array) -> Run:
    a, b = (a.T if p.op[0] == "t" else a), (b.T if p.op[1] == "t" else b)
    return lambda: (a @ b,)


def dense_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    def run() -> Outputs:
        y = x @ w
        y += b
        np.maximum(y, 0, out=y)
        return (y,)

    return run


def dense_bwd(p: Settings, x: Array, w: Array, y: Array, dy: Array) -> Run:
    def run() -> Outputs:
        dz = dy * (y > 0)
        return dz @ w.T, x.T @ dz, dz.sum(0)

    return run


# ------------------------------------------------------------------------------------- convolution and pooling


def _windows(x: Array, k: int, stride: int, pad: int, fill: float = 0.0) -> Array:
    """All k x k windows of NCHW images, as a view (N, C, out, out, k, k)."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    return sliding_window_view(padded, (k, k), (2, 3))[:, :, ::stride, ::stride]


def conv_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    if p.groups > 1:

        def run() -> Outputs:
            y = np.einsum("nchwij,cij->nchw", _windows(x, w.shape[-1], p.stride, p.pad), w[:, 0], optimize=True)
            y += b[:, None, None]
            return (y,)

        return run

    def run() -> Outputs:
        y = np.tensordot(w, _windows(x, w.shape[-1], p.stride, p.pad), ((1, 2, 3), (1, 4, 5))).transpose(1, 0, 2, 3)
        y += b[:, None, None]
        return (y,)

    return run


def conv_bwd_weight(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    def run() -> Outputs:
        windows = _windows(x, w.shape[-1], p.stride, p.pad)
        if p.groups > 1:
            return (np.einsum("nchwij,nchw->cij", windows, dy, optimize=True)[:, None],)
        return (np.tensordot(dy, windows, ((0, 2, 3), (0, 2, 3))),)

    return run


def maxpool_fwd(p: Settings, x: Array) -> Run:
    if p.k == p.stride and p.pad == 0:
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // p.k, p.k, w // p.k, p.k)
        return lambda: (blocks.max((3, 5)),)
    return lambda: (_windows(x, p.k, p.stride, p.pad, -np.inf).max((4, 5)),)


def avgpool_fwd(p: Settings, x: Array) -> Run:
    if p.k == p.stride and p.pad == 0:
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // p.k, p.k, w // p.k, p.k)
        return lambda: (blocks.mean((3, 5)),)
    return lambda: (_windows(x, p.k, p.stride, p.pad).mean((4, 5)),)


def globalmax_fwd(p: Settings, x: Array) -> Run:
    return lambda: (x.max((2, 3), keepdims=True),)


def globalavg_fwd(p: Settings, x: Array) -> Run:
    return lambda: (x.mean((2, 3), keepdims=True),)


# ---------------------------------------------------------------------------------------- elementwise and norms


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    e /= e.sum(-1, keepdims=True)
    return e


def _gelu_grad(x: Array) -> Array:
    return 0.5 * (1 + erf(x * SQRT_HALF)) + x * INV_SQRT_2PI * np.exp(-0.5 * x * x)


def _swish_grad(x: Array) -> Array:
    s = expit(x)
    return s * (1 + x * (1 - s))


ACTIVATIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x, y, dy: dy * (y > 0)),
    "leaky_relu": (
        lambda x: np.where(x > 0, x, np.float32(0.01) * x),
        lambda x, y, dy: np.where(x > 0, dy, np.float32(0.01) * dy),
    ),
    "elu": (
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x, y, dy: np.where(x > 0, dy, dy * (y + 1)),
    ),
    "sigmoid": (expit, lambda x, y, dy: dy * y * (1 - y)),
    "tanh": (np.tanh, lambda x, y, dy: dy * (1 - y * y)),
    "gelu": (lambda x: 0.5 * x * (1 + erf(x * SQRT_HALF)), lambda x, y, dy: dy * _gelu_grad(x)),
    "swish": (lambda x: x * expit(x), lambda x, y, dy: dy * _swish_grad(x)),
    "softplus": (lambda x: np.logaddexp(x, np.float32(0)), lambda x, y, dy: dy * expit(x)),
    "softmax": (_softmax, lambda x, y, dy: y * (dy - (dy * y).sum(-1, keepdims=True))),
}


def act_fwd(p: Settings, x: Array) -> Run:
    forward = ACTIVATIONS[p.fn][0]
    return lambda: (forward(x),)


def act_bwd(p: Settings, x: Array, y: Array, dy: Array) -> Run:
    backward = ACTIVATIONS[p.fn][1]
    return lambda: (backward(x, y, dy),)


def _normalized(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    rstd = 1 / np.sqrt(var + np.float32(eps))
    return (x - mean) * rstd, rstd


def _norm_fwd(p: Settings, x: Array, gamma: Array, beta: Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> Run:
    gamma, beta = gamma.reshape(shape), beta.reshape(shape)
    return lambda: (_normalized(x, axes, p.eps)[0] * gamma + beta,)


def _norm_bwd(
    p: Settings,
    x: Array,
    gamma: Array,
    dy: Array,
    axes: tuple[int, ...],
    shape: tuple[int, ...],
    sum_axes: tuple[int, ...],
) -> Run:
    normal, rstd = _normalized(x, axes, p.eps)
    gamma = gamma.reshape(shape)

    def run() -> Outputs:
        dnormal = dy * gamma
        dx = rstd * (
            dnormal - dnormal.mean(axes, keepdims=True) - normal * (dnormal * normal).mean(axes, keepdims=True)
        )
        return dx, (dy * normal).sum(sum_axes), dy.sum(sum_axes)

    return run


def batchnorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    return _norm_fwd(p, x, gamma, beta, (0, 2, 3), (1, -1, 1, 1))


def batchnorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    return _norm_bwd(p, x, gamma, dy, (0, 2, 3), (1, -1, 1, 1), (0, 2, 3))


def layernorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    return _norm_fwd(p, x, gamma, beta, (-1,), (1, -1))


def layernorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    return _norm_bwd(p, x, gamma, dy, (-1,), (1, -1), (0,))


def _softmax_xent(logits: Array, labels: Array) -> tuple[Array, Array]:
    rows = np.arange(len(logits))
    grad = _softmax(logits)
    loss = -np.log(grad[rows, labels]).mean()
    grad[rows, labels] -= 1
    grad /= len(logits)
    return loss, grad


def softmax_xent(p: Settings, logits: Array, labels: Array) -> Run:
    return lambda: _softmax_xent(logits, labels)


def _huber(y: Array, target: Array) -> tuple[Array, Array]:
    difference = y - target
    slope = np.clip(difference, -1, 1)
    loss = np.mean(slope * (difference - np.float32(0.5) * slope))
    slope /= np.float32(y.size)
    return loss, slope


def huber(p: Settings, y: Array, target: Array) -> Run:
    return lambda: _huber(y, target)


def dropout_fwd(p: Settings, x: Array) -> Run:
    rng = np.random.default_rng(0)
    scale = np.float32(1 / (1 - p.rate))
    return lambda: (x * (rng.random(x.shape, dtype=np.float32) >= p.rate) * scale,)


# -------------------------------------------------------------------------- sequences, attention and embeddings


def lstm_fwd(p: Settings, x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Run:
    steps, n, _ = x.shape
    hidden, bias = p.hidden, b_ih + b_hh

    def run() -> Outputs:
        projected = x @ w_ih.T + bias
        h = c = np.zeros((n, hidden), np.float32)
        out = np.empty((steps, n, hidden), np.float32)
        for t in range(steps):
            i, f, g, o = np.split(projected[t] + h @ w_hh.T, 4, -1)
            c = expit(f) * c + expit(i) * np.tanh(g)
            h = out[t] = expit(o) * np.tanh(c)
        return (out,)

    return run


def gru_fwd(p: Settings, x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Run:
    steps, n, _ = x.shape

    def run() -> Outputs:
        projected = x @ w_ih.T + b_ih
        h = np.zeros((n, p.hidden), np.float32)
        out = np.empty((steps, n, p.hidden), np.float32)
        for t in range(steps):
            xr, xz, xn = np.split(projected[t], 3, -1)
            hr, hz, hn = np.split(h @ w_hh.T + b_hh, 3, -1)
            z = expit(xz + hz)
            h = out[t] = (1 - z) * np.tanh(xn + expit(xr + hr) * hn) + z * h
        return (out,)

    return run


def attention_fwd(p: Settings, q: Array, k: Array, v: Array) -> Run:
    scale = np.float32(q.shape[-1] ** -0.5)
    return lambda: (_softmax(q @ k.swapaxes(-1, -2) * scale) @ v,)


def embedding_fwd(p: Settings, table: Array, ids: Array) -> Run:
    return lambda: (table[ids],)


def embedding_bwd(p: Settings, table: Array, ids: Array, dy: Array) -> Run:
    def run() -> Outputs:
        grad = np.zeros_like(table)
        np.add.at(grad, ids, dy)
        return (grad,)

    return run


class Adam:
    """Adam over a list of arrays, with two scratch arrays so that a step allocates nothing."""

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, params: Iterable[Array], lr: float, decay: float = 0.0) -> None:
        self.lr, self.decay, self.t = lr, decay, 0
        self.slots = [tuple([p] + [np.zeros_like(p) for _ in range(4)]) for p in params]

    def step(self, grads: Iterable[Array]) -> None:
        self.t += 1
        rate = np.float32(self.lr / (1 - self.beta1**self.t))
        scale = np.float32((1 - self.beta2**self.t) ** -0.5)
        for (param, m, v, a, b), grad in zip(self.slots, grads, strict=False):
            if self.decay:
                param *= np.float32(1 - self.lr * self.decay)
            m *= np.float32(self.beta1)
            m += np.multiply(grad, np.float32(1 - self.beta1), out=a)
            np.multiply(grad, grad, out=a)
            v *= np.float32(self.beta2)
            v += np.multiply(a, np.float32(1 - self.beta2), out=a)
            np.sqrt(v, out=a)
            a *= scale
            a += np.float32(self.eps)
            np.divide(m, a, out=b)
            param -= np.multiply(b, rate, out=b)


def optimizer(p: Settings, param: Array, grad: Array) -> Run:
    if p.fn in ("adam", "adamw"):
        adam = Adam([param], p.lr, 0.01 if p.fn == "adamw" else 0.0)
        step = lambda: adam.step([grad])  # noqa: E731
    else:
        lr, momentum, scratch, velocity = np.float32(p.lr), np.float32(0.9), grad * 0, grad * 0

        def step() -> None:
            direction = grad
            if p.fn == "momentum":
                np.multiply(velocity, momentum, out=velocity)
                np.add(velocity, grad, out=velocity)
                direction = velocity
            np.subtract(param, np.multiply(direction, lr, out=scratch), out=param)

    def run() -> Outputs:
        step()
        return (param,)

    return run


# ------------------------------------------------------------------------------------------------ whole models


def _dense_only(model: Model) -> None:
    if any(layer.kind not in ("dense", "relu", "sigmoid") for layer in model.layers):
        raise Unsupported("multilayer perceptrons only")


def _forward(model: Model, params: Arrays, x: Array) -> list[Array]:
    """The values between the layers, input first."""
    values = [x]
    for index, layer in enumerate(model.layers):
        if layer.kind == "dense":
            values.append(values[-1] @ params[f"{index}.w"].T + params[f"{index}.b"])
        else:
            values.append(np.maximum(values[-1], 0) if layer.kind == "relu" else expit(values[-1]))
    return values


def _loss(model: Model, y: Array, target: Array) -> tuple[Array, Array]:
    """The loss and its gradient."""
    if model.loss == "xent":
        return _softmax_xent(y, target)
    if model.loss == "mse":
        difference = y - target
        return np.mean(difference * difference), difference * np.float32(2 / y.size)
    return np.mean(np.logaddexp(np.float32(0), y) - target * y), (expit(y) - target) / np.float32(y.size)


def train(p: Settings, x: Array, target: Array, params: Arrays) -> Run:
    _dense_only(p.model)
    params = {name: value.copy() for name, value in params.items()}
    adam = Adam(list(params.values()), 1e-3)

    def run() -> Outputs:
        values = _forward(p.model, params, x)
        loss, grad = _loss(p.model, values[-1], target)
        grads = {}
        for index in reversed(range(len(p.model.layers))):
            layer, before, after = p.model.layers[index], values[index], values[index + 1]
            if layer.kind == "dense":
                grads[f"{index}.w"], grads[f"{index}.b"] = grad.T @ before, grad.sum(0)
                grad = grad @ params[f"{index}.w"] if index else None
            else:
                grad = grad * (after > 0) if layer.kind == "relu" else grad * after * (1 - after)
        adam.step([grads[name] for name in params])
        return (loss,)

    return run


def infer(p: Settings, x: Array, params: Arrays) -> Run:
    _dense_only(p.model)
    return lambda: (_forward(p.model, params, x)[-1],)
