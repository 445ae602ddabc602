"""Declarative network descriptions shared by every peer.

A model is a tuple of `Layer`s.  The description fixes shapes, parameter names and parameter layouts, so each
peer builds the same network from the same NumPy arrays and their losses can be compared.

Parameter names are `<path>.<name>`; the path of a layer is its index, and a residual block adds
`.main.<i>` and `.skip.<i>`.  Layouts follow PyTorch:

    dense        w (out, in), b (out)
    conv         w (out, in/groups, k, k), b (out)           activations are NCHW
    batchnorm    gamma, beta, mean, var (channels)           mean and var are running statistics, not trained
    embedding    w (vocab, dim)
    lstm         w_ih (4H, I), w_hh (4H, H), b_ih, b_hh      gate order i, f, g, o
    gru          w_ih (3H, I), w_hh (3H, H), b_ih, b_hh      gate order r, z, n; reset applied after w_hh
    transformer  w_qkv (3D, D), b_qkv, w_o (D, D), b_o, ln1_gamma, ln1_beta, w_1 (F, D), b_1, w_2 (D, F), b_2,
                 ln2_gamma, ln2_beta                         post-norm, relu feed-forward, no dropout
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np

from bench.peers import Arrays

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer: its kind and its settings."""

    kind: str
    args: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.args[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True)
class Model:
    """A network, the shape of one sample, the kind of input and the loss it is trained with."""

    name: str
    layers: tuple[Layer, ...]
    sample_shape: tuple[int, ...]
    loss: str  # 'xent', 'bce' or 'mse'
    vocab: int = 0  # > 0: inputs are token ids below vocab
    targets_per_sample: tuple[int, ...] = ()  # extra shape of the integer targets, e.g. (T,) for a language model


# ---------------------------------------------------------------------------------------------- layer helpers


def dense(n_in: int, n_out: int) -> Layer:
    return Layer("dense", {"n_in": n_in, "n_out": n_out})


def conv(
    c_in: int, c_out: int, k: int, stride: int = 1, pad: int | None = None, groups: int = 1, bias: bool = True
) -> Layer:
    pad = k // 2 if pad is None else pad
    return Layer(
        "conv", {"c_in": c_in, "c_out": c_out, "k": k, "stride": stride, "pad": pad, "groups": groups, "bias": bias}
    )


def batchnorm(c: int) -> Layer:
    return Layer("batchnorm", {"c": c})


def maxpool(k: int) -> Layer:
    return Layer("maxpool", {"k": k})


def embedding(vocab: int, dim: int) -> Layer:
    return Layer("embedding", {"vocab": vocab, "dim": dim})


def lstm(n_in: int, hidden: int) -> Layer:
    return Layer("lstm", {"n_in": n_in, "hidden": hidden})


def gru(n_in: int, hidden: int) -> Layer:
    return Layer("gru", {"n_in": n_in, "hidden": hidden})


def transformer(d: int, heads: int, ff: int) -> Layer:
    return Layer("transformer", {"d": d, "heads": heads, "ff": ff})


def residual(main: Iterable[Layer], skip: Iterable[Layer] = ()) -> Layer:
    return Layer("residual", {"main": tuple(main), "skip": tuple(skip)})


RELU, SIGMOID, FLATTEN = Layer("relu"), Layer("sigmoid"), Layer("flatten")
GLOBAL_AVGPOOL, LAST_STEP, MEAN_TIME = Layer("global_avgpool"), Layer("last_step"), Layer("mean_time")


def conv_bn_relu(c_in: int, c_out: int, k: int = 3, stride: int = 1, groups: int = 1) -> list[Layer]:
    return [conv(c_in, c_out, k, stride, groups=groups, bias=False), batchnorm(c_out), RELU]


def basic_block(c_in: int, c_out: int, stride: int = 1) -> list[Layer]:
    main = [*conv_bn_relu(c_in, c_out, 3, stride), conv(c_out, c_out, 3, bias=False), batchnorm(c_out)]
    skip = [] if stride == 1 and c_in == c_out else [conv(c_in, c_out, 1, stride, bias=False), batchnorm(c_out)]
    return [residual(main, skip), RELU]


def separable(c_in: int, c_out: int, stride: int = 1) -> list[Layer]:
    return conv_bn_relu(c_in, c_in, 3, stride, groups=c_in) + conv_bn_relu(c_in, c_out, 1)


# ------------------------------------------------------------------------------------------------- the models


def _mlp(*widths: int) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [dense(n_in, n_out), RELU]
    return tuple(layers[:-1])


_MODELS = [
    Model("mlp_784_128_10", _mlp(784, 128, 10), (784,), "xent"),
    Model("mlp_784_512_512_10", _mlp(784, 512, 512, 10), (784,), "xent"),
    Model("mlp_tabular_30_64_64_1", _mlp(30, 64, 64, 1), (30,), "bce"),
    Model("autoencoder_784_128_32", (*_mlp(784, 128, 32, 128, 784), SIGMOID), (784,), "mse"),
    Model(
        "lenet5",
        (
            conv(1, 6, 5),
            RELU,
            maxpool(2),
            conv(6, 16, 5, pad=0),
            RELU,
            maxpool(2),
            FLATTEN,
            dense(400, 120),
            RELU,
            dense(120, 84),
            RELU,
            dense(84, 10),
        ),
        (1, 28, 28),
        "xent",
    ),
    Model(
        "cnn_28x28",
        (
            conv(1, 32, 3),
            RELU,
            maxpool(2),
            conv(32, 64, 3),
            RELU,
            maxpool(2),
            FLATTEN,
            dense(3136, 128),
            RELU,
            dense(128, 10),
        ),
        (1, 28, 28),
        "xent",
    ),
    Model(
        "vgg_cifar",
        tuple(
            conv_bn_relu(3, 64)
            + conv_bn_relu(64, 64)
            + [maxpool(2)]
            + conv_bn_relu(64, 128)
            + conv_bn_relu(128, 128)
            + [maxpool(2)]
            + conv_bn_relu(128, 256)
            + conv_bn_relu(256, 256)
            + [maxpool(2), FLATTEN]
            + [dense(4096, 256), RELU, dense(256, 10)]
        ),
        (3, 32, 32),
        "xent",
    ),
    Model(
        "resnet_cifar_16_32_64",
        tuple(
            conv_bn_relu(3, 16)
            + basic_block(16, 16)
            + basic_block(16, 16)
            + basic_block(16, 32, 2)
            + basic_block(32, 32)
            + basic_block(32, 64, 2)
            + basic_block(64, 64)
            + [GLOBAL_AVGPOOL, dense(64, 10)]
        ),
        (3, 32, 32),
        "xent",
    ),
    Model(
        "mobilenet_cifar",
        tuple(
            conv_bn_relu(3, 32)
            + separable(32, 64)
            + separable(64, 128, 2)
            + separable(128, 128)
            + separable(128, 256, 2)
            + separable(256, 256)
            + [GLOBAL_AVGPOOL, dense(256, 10)]
        ),
        (3, 32, 32),
        "xent",
    ),
    Model(
        "lstm_sentiment", (embedding(10000, 64), lstm(64, 128), LAST_STEP, dense(128, 2)), (80,), "xent", vocab=10000
    ),
    Model("gru_sentiment", (embedding(10000, 64), gru(64, 128), LAST_STEP, dense(128, 2)), (80,), "xent", vocab=10000),
    Model(
        "charlm_lstm_256",
        (embedding(96, 64), lstm(64, 256), dense(256, 96)),
        (64,),
        "xent",
        vocab=96,
        targets_per_sample=(64,),
    ),
    Model(
        "transformer_d128_h4_l2",
        (embedding(1000, 128), transformer(128, 4, 512), transformer(128, 4, 512), MEAN_TIME, dense(128, 10)),
        (64,),
        "xent",
        vocab=1000,
    ),
]
MODELS = {m.name: m for m in _MODELS}


# -------------------------------------------------------------------------- shapes, parameters and arithmetic


@dataclass
class Cost:
    """What one pass over the network needs, for one batch."""

    flops_forward: float = 0
    flops_backward: float = 0
    saved: float = 0  # elements a backward pass has to find again (one per parametric layer output or pool)
    params: float = 0  # trained parameters


def parameters(model: Model) -> dict[str, Shape]:
    """Shapes of all parameters, {name: shape}, in a fixed order."""
    shapes: dict[str, Shape] = {}
    _walk(model.layers, "", (1, *model.sample_shape), shapes, Cost(), True)
    return shapes


def cost(model: Model, batch: int) -> Cost:
    total = Cost()
    shapes: dict[str, Shape] = {}
    _walk(model.layers, "", (batch, *model.sample_shape), shapes, total, True)
    total.params = sum(prod(s) for name, s in shapes.items() if is_trained(name))
    return total


def is_trained(name: str) -> bool:
    return not name.endswith((".mean", ".var"))


def initial_parameters(model: Model, rng: np.random.Generator) -> Arrays:
    """He-style initial values, the same for every peer."""
    values = {}
    for name, shape in parameters(model).items():
        leaf = name.rsplit(".", 1)[1]
        if leaf == "var" or leaf.endswith("gamma"):
            values[name] = np.ones(shape, np.float32)
        elif leaf in ("beta", "mean") or leaf.endswith("beta"):
            values[name] = np.zeros(shape, np.float32)
        elif len(shape) == 1:
            values[name] = rng.uniform(-0.05, 0.05, shape).astype(np.float32)
        else:
            values[name] = (rng.standard_normal(shape) / sqrt(prod(shape[1:]))).astype(np.float32)
    return values


def _walk(
    layers: Iterable[Layer], prefix: str, shape: Shape, shapes: dict[str, Shape], total: Cost, is_first: bool
) -> Shape:
    """Adds the layers' parameter shapes and costs; returns the output shape."""
    for index, layer in enumerate(layers):
        path = f"{prefix}{index}"
        shape = _visit(layer, path, shape, shapes, total, is_first and index == 0)
    return shape


def _visit(layer: Layer, path: str, shape: Shape, shapes: dict[str, Shape], total: Cost, is_first: bool) -> Shape:
    def matmul_flops(flops: float) -> None:
        total.flops_forward += flops
        total.flops_backward += flops if is_first else 2 * flops

    kind = layer.kind
    if kind == "dense":
        shapes[f"{path}.w"], shapes[f"{path}.b"] = (layer.n_out, layer.n_in), (layer.n_out,)
        out = (*shape[:-1], layer.n_out)
        matmul_flops(2 * prod(out) * layer.n_in)
        total.saved += prod(out)
    elif kind == "conv":
        shapes[f"{path}.w"] = (layer.c_out, layer.c_in // layer.groups, layer.k, layer.k)
        if layer.bias:
            shapes[f"{path}.b"] = (layer.c_out,)
        h, w = ((s + 2 * layer.pad - layer.k) // layer.stride + 1 for s in shape[2:])
        out = (shape[0], layer.c_out, h, w)
        matmul_flops(2 * prod(out) * (layer.c_in // layer.groups) * layer.k**2)
        total.saved += prod(out)
    elif kind == "batchnorm":
        for leaf in ("gamma", "beta", "mean", "var"):
            shapes[f"{path}.{leaf}"] = (layer.c,)
        out = shape
    elif kind == "maxpool":
        out = (*shape[:2], shape[2] // layer.k, shape[3] // layer.k)
        total.saved += prod(out)
    elif kind == "embedding":
        shapes[f"{path}.w"] = (layer.vocab, layer.dim)
        out = (*shape, layer.dim)
    elif kind in ("lstm", "gru"):
        gates = 4 if kind == "lstm" else 3
        shapes[f"{path}.w_ih"] = (gates * layer.hidden, layer.n_in)
        shapes[f"{path}.w_hh"] = (gates * layer.hidden, layer.hidden)
        shapes[f"{path}.b_ih"] = shapes[f"{path}.b_hh"] = (gates * layer.hidden,)
        out = (*shape[:2], layer.hidden)
        matmul_flops(2 * shape[0] * shape[1] * gates * layer.hidden * (layer.n_in + layer.hidden))
        total.saved += prod(shape[:2]) * (gates + 1) * layer.hidden
    elif kind == "transformer":
        d, f = layer.d, layer.ff
        shapes.update(
            {
                f"{path}.w_qkv": (3 * d, d),
                f"{path}.b_qkv": (3 * d,),
                f"{path}.w_o": (d, d),
                f"{path}.b_o": (d,),
                f"{path}.ln1_gamma": (d,),
                f"{path}.ln1_beta": (d,),
                f"{path}.w_1": (f, d),
                f"{path}.b_1": (f,),
                f"{path}.w_2": (d, f),
                f"{path}.b_2": (d,),
                f"{path}.ln2_gamma": (d,),
                f"{path}.ln2_beta": (d,),
            }
        )
        batch, steps, _ = shape
        matmul_flops(2 * batch * steps * (4 * d * d + 2 * d * f) + 4 * batch * steps * steps * d)
        total.saved += batch * steps * (6 * d + f)
        out = shape
    elif kind == "residual":
        out = _walk(layer.main, f"{path}.main.", shape, shapes, total, False)
        _walk(layer.skip, f"{path}.skip.", shape, shapes, total, False)
    elif kind == "flatten":
        out = (shape[0], prod(shape[1:]))
    elif kind == "global_avgpool":
        out = shape[:2]
    elif kind == "last_step" or kind == "mean_time":
        out = (shape[0], shape[2])
    elif kind in ("relu", "sigmoid"):
        out = shape
    else:
        raise ValueError(kind)
    return out
