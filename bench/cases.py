"""The workloads, independent of any library.

A `Case` has a unique name (`group/details`), a kind (the name of the function a peer implements), the settings
and NumPy inputs that function gets, and what the work needs at least: floating-point operations and bytes moved
(every input read once, every output written once). `bench/peers/__init__.py`
lists the kinds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.random import Generator

from bench import models
from bench.models import Model, Shape
from bench.peers import Array, Arrays, Settings

Inputs = Callable[..., Arrays]

F32 = 4


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    settings: Settings
    inputs: Inputs  # from a random generator
    flops: float
    bytes: float
    unit: str = "GFLOP/s"  # what throughput is quoted in: 'GFLOP/s' or 'GB/s'

    @property
    def group(self) -> str:
        return self.name.split("/")[0]

    def make_inputs(self) -> Arrays:
        return self.inputs(np.random.default_rng(len(self.name)))


def normal(rng: Generator, *shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32)


# ---------------------------------------------------------------------------------------------- dense algebra

# (m, n, k): batch x output width x input width, then squares
GEMM_SHAPES = [
    (1, 128, 784),
    (1, 1024, 1024),
    (1, 4096, 1024),
    (8, 128, 784),
    (16, 512, 512),
    (32, 10, 128),
    (32, 128, 784),
    (32, 64, 64),
    (64, 64, 30),
    (64, 1000, 512),
    (64, 3072, 768),
    (128, 128, 784),
    (128, 10, 128),
    (128, 512, 784),
    (128, 512, 512),
    (256, 256, 1024),
    (512, 4096, 1024),
    (512, 64, 4096),
    (784, 128, 32),
    (3136, 64, 576),
    (64, 64, 64),
    (128, 128, 128),
    (256, 256, 256),
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
]

DENSE_SHAPES = [
    (1, 128, 784),
    (32, 128, 784),
    (128, 128, 784),
    (32, 64, 64),
    (128, 512, 512),
    (256, 1024, 1024),
    (1024, 256, 256),
]


def gemm_cases() -> Iterator[Case]:
    for m, n, k in GEMM_SHAPES:
        for op in ("nn", "nt", "tn"):
            a_shape = (k, m) if op[0] == "t" else (m, k)
            b_shape = (n, k) if op[1] == "t" else (k, n)

            def inputs(rng: Generator, a_shape: Shape = a_shape, b_shape: Shape = b_shape) -> Arrays:
                return {"a": normal(rng, *a_shape), "b": normal(rng, *b_shape)}

            yield Case(
                f"gemm/{op}/{m}x{n}x{k}",
                "gemm",
                Settings(op=op, m=m, n=n, k=k),
                inputs,
                2 * m * n * k,
                F32 * (m * k + k * n + m * n),
            )


def dense_cases() -> Iterator[Case]:
    for m, n, k in DENSE_SHAPES:

        def forward(rng: Generator, m: int = m, n: int = n, k: int = k) -> Arrays:
            return {"x": normal(rng, m, k), "w": normal(rng, k, n), "b": normal(rng, n)}

        def backward(rng: Generator, m: int = m, n: int = n, k: int = k) -> Arrays:
            return {
                "x": normal(rng, m, k),
                "w": normal(rng, k, n),
                "y": np.maximum(normal(rng, m, n), 0),
                "dy": normal(rng, m, n),
            }

        settings = Settings(m=m, n=n, k=k)
        yield Case(
            f"dense/fwd/{m}x{n}x{k}", "dense_fwd", settings, forward, 2 * m * n * k, F32 * (m * k + k * n + n + m * n)
        )
        yield Case(
            f"dense/bwd/{m}x{n}x{k}",
            "dense_bwd",
            settings,
            backward,
            4 * m * n * k,
            F32 * (2 * m * k + 2 * k * n + n + 2 * m * n),
        )


# ------------------------------------------------------------------------------------- convolution and pooling


@dataclass(frozen=True)
class ConvLayer:
    name: str
    batch: int
    c_in: int
    size: int
    c_out: int
    k: int
    stride: int = 1
    pad: int = 0
    groups: int = 1


CONV_LAYERS = [
    ConvLayer("digits8x8", 32, 1, 8, 16, 3, 1, 1),
    ConvLayer("lenet1", 32, 1, 28, 6, 5, 1, 2),
    ConvLayer("lenet2", 32, 6, 14, 16, 5),
    ConvLayer("mnist32-64", 32, 32, 14, 64, 3, 1, 1),
    ConvLayer("cifar_stem", 32, 3, 32, 64, 3, 1, 1),
    ConvLayer("cifar64", 1, 64, 32, 64, 3, 1, 1),
    ConvLayer("cifar64", 32, 64, 32, 64, 3, 1, 1),
    ConvLayer("cifar16", 32, 16, 32, 16, 3, 1, 1),
    ConvLayer("alexnet1", 8, 3, 224, 64, 11, 4, 2),
    ConvLayer("alexnet2", 8, 64, 27, 192, 5, 1, 2),
    ConvLayer("vgg3x3_128", 8, 128, 56, 128, 3, 1, 1),
    ConvLayer("vgg3x3_512", 1, 512, 14, 512, 3, 1, 1),
    ConvLayer("resnet7x7s2", 8, 3, 224, 64, 7, 2, 3),
    ConvLayer("resnet3x3_64", 1, 64, 56, 64, 3, 1, 1),
    ConvLayer("resnet3x3_64", 8, 64, 56, 64, 3, 1, 1),
    ConvLayer("resnet3x3s2", 8, 128, 56, 128, 3, 2, 1),
    ConvLayer("resnet3x3_256", 8, 256, 14, 256, 3, 1, 1),
    ConvLayer("resnet1x1_64-256", 8, 64, 56, 256, 1),
    ConvLayer("resnet1x1_256-64", 8, 256, 56, 64, 1),
    ConvLayer("resnet1x1_1024-256", 1, 1024, 14, 256, 1),
    ConvLayer("resnet1x1s2", 8, 256, 56, 512, 1, 2),
    ConvLayer("depthwise32", 8, 32, 112, 32, 3, 1, 1, 32),
    ConvLayer("depthwise256", 32, 256, 14, 256, 3, 1, 1, 256),
    ConvLayer("depthwise128s2", 8, 128, 56, 128, 3, 2, 1, 128),
]

POOL_LAYERS = [  # name, batch, channels, size, k, stride, pad
    ("2x2_28", 32, 32, 28, 2, 2, 0),
    ("2x2_32", 32, 64, 32, 2, 2, 0),
    ("3x3s2_112", 8, 64, 112, 3, 2, 1),
    ("2x2_8", 32, 16, 8, 2, 2, 0),
]

GLOBAL_POOLS = [("7x512", 32, 512, 7), ("14x256", 8, 256, 14), ("28x64", 32, 64, 28)]  # name, batch, channels, size


def conv_cases() -> Iterator[Case]:
    for c in CONV_LAYERS:
        out = (c.size + 2 * c.pad - c.k) // c.stride + 1
        x_shape, y_shape = (c.batch, c.c_in, c.size, c.size), (c.batch, c.c_out, out, out)
        w_shape = (c.c_out, c.c_in // c.groups, c.k, c.k)
        flops = 2 * prod(y_shape) * prod(w_shape[1:])
        moved = F32 * (prod(x_shape) + prod(y_shape) + prod(w_shape))
        settings = Settings(stride=c.stride, pad=c.pad, groups=c.groups)

        def forward(rng: Generator, x_shape: Shape = x_shape, w_shape: Shape = w_shape) -> Arrays:
            return {"x": normal(rng, *x_shape), "w": normal(rng, *w_shape), "b": normal(rng, w_shape[0])}

        def backward(
            rng: Generator, x_shape: Shape = x_shape, w_shape: Shape = w_shape, y_shape: Shape = y_shape
        ) -> Arrays:
            return {"x": normal(rng, *x_shape), "w": normal(rng, *w_shape), "dy": normal(rng, *y_shape)}

        label = f"{c.name}_b{c.batch}"
        yield Case(f"conv/fwd/{label}", "conv_fwd", settings, forward, flops, moved)
        yield Case(f"conv/bwd_data/{label}", "conv_bwd_data", settings, backward, flops, moved)
        yield Case(f"conv/bwd_weight/{label}", "conv_bwd_weight", settings, backward, flops, moved)


def pool_cases() -> Iterator[Case]:
    for name, n, c, size, k, stride, pad in POOL_LAYERS:
        out = (size + 2 * pad - k) // stride + 1
        x_shape, y_shape = (n, c, size, size), (n, c, out, out)
        settings = Settings(k=k, stride=stride, pad=pad)

        def forward(rng: Generator, x_shape: Shape = x_shape) -> Arrays:
            return {"x": normal(rng, *x_shape)}

        def backward(rng: Generator, x_shape: Shape = x_shape, y_shape: Shape = y_shape) -> Arrays:
            return {"x": normal(rng, *x_shape), "dy": normal(rng, *y_shape)}

        x_bytes, y_bytes, work = F32 * prod(x_shape), F32 * prod(y_shape), prod(y_shape) * k * k
        for pool in ("maxpool", "avgpool"):
            index_bytes = prod(y_shape) if pool == "maxpool" else 0  # one byte locates a maximum in its window
            yield Case(f"pool/{pool}_fwd/{name}", f"{pool}_fwd", settings, forward, work, x_bytes + y_bytes, "GB/s")
            yield Case(
                f"pool/{pool}_bwd/{name}",
                f"{pool}_bwd",
                settings,
                backward,
                work,
                x_bytes + y_bytes + index_bytes,
                "GB/s",
            )


def global_pool_cases() -> Iterator[Case]:
    for name, n, c, size in GLOBAL_POOLS:
        x_shape, y_shape = (n, c, size, size), (n, c, 1, 1)

        def forward(rng: Generator, x_shape: Shape = x_shape) -> Arrays:
            return {"x": normal(rng, *x_shape)}

        def backward(rng: Generator, x_shape: Shape = x_shape, y_shape: Shape = y_shape) -> Arrays:
            return {"x": normal(rng, *x_shape), "dy": normal(rng, *y_shape)}

        work, moved = prod(x_shape), F32 * (prod(x_shape) + prod(y_shape))
        for pool in ("globalmax", "globalavg"):
            yield Case(f"pool/{pool}_fwd/{name}", f"{pool}_fwd", Settings(), forward, work, moved, "GB/s")
            yield Case(f"pool/{pool}_bwd/{name}", f"{pool}_bwd", Settings(), backward, work, moved, "GB/s")


# ---------------------------------------------------------------------------------------- elementwise and norms

# function -> operations per element, forward and backward; transcendental ones counted as a degree-5 exp
# (about 16) plus a division
ACTIVATIONS = {
    "relu": (1, 1),
    "leaky_relu": (2, 2),
    "elu": (18, 4),
    "sigmoid": (20, 3),
    "tanh": (20, 3),
    "gelu": (26, 40),
    "swish": (22, 26),
    "softplus": (36, 22),
    "softmax": (22, 4),
}
ACTIVATION_SIZES = {"1e3": (10, 100), "1e5": (1000, 100), "1e7": (100000, 100)}


def activation(fn: str, x: Array) -> Array:
    """The forward value in NumPy, which backward cases get as `y`."""
    y: Array = x  # gelu, swish and softplus differentiate from x and do not use y
    if fn == "relu":
        y = np.maximum(x, 0)
    elif fn == "leaky_relu":
        y = np.where(x > 0, x, np.float32(0.01) * x)
    elif fn == "elu":
        y = np.where(x > 0, x, np.expm1(x))
    elif fn == "sigmoid":
        y = 1 / (1 + np.exp(-x))
    elif fn == "tanh":
        y = np.tanh(x)
    elif fn == "softmax":
        e = np.exp(x - x.max(-1, keepdims=True))
        y = e / e.sum(-1, keepdims=True)
    return y


def activation_cases() -> Iterator[Case]:
    for fn, (ops_fwd, ops_bwd) in ACTIVATIONS.items():
        for label, shape in ACTIVATION_SIZES.items():

            def forward(rng: Generator, shape: Shape = shape) -> Arrays:
                return {"x": normal(rng, *shape)}

            def backward(rng: Generator, shape: Shape = shape, fn: str = fn) -> Arrays:
                x = normal(rng, *shape)
                return {"x": x, "y": activation(fn, x), "dy": normal(rng, *shape)}

            size, settings = prod(shape), Settings(fn=fn)
            yield Case(f"act/fwd/{fn}/{label}", "act_fwd", settings, forward, ops_fwd * size, 2 * F32 * size, "GB/s")
            yield Case(f"act/bwd/{fn}/{label}", "act_bwd", settings, backward, ops_bwd * size, 3 * F32 * size, "GB/s")


def norm_cases() -> Iterator[Case]:
    shapes = [
        ("batchnorm", (32, 16, 32, 32)),
        ("batchnorm", (32, 64, 32, 32)),
        ("batchnorm", (8, 256, 14, 14)),
        ("layernorm", (1024, 128)),
        ("layernorm", (32, 768)),
        ("layernorm", (8192, 768)),
    ]
    for kind, shape in shapes:
        channels = shape[1]

        def forward(rng: Generator, shape: Shape = shape, channels: int = channels) -> Arrays:
            return {"x": normal(rng, *shape), "gamma": normal(rng, channels), "beta": normal(rng, channels)}

        def backward(rng: Generator, shape: Shape = shape, channels: int = channels) -> Arrays:
            return dict(**forward(rng, shape, channels), dy=normal(rng, *shape))

        size, label, settings = prod(shape), "x".join(map(str, shape)), Settings(eps=1e-5)
        yield Case(f"norm/{kind}_fwd/{label}", f"{kind}_fwd", settings, forward, 5 * size, 2 * F32 * size, "GB/s")
        yield Case(f"norm/{kind}_bwd/{label}", f"{kind}_bwd", settings, backward, 10 * size, 3 * F32 * size, "GB/s")


def loss_cases() -> Iterator[Case]:
    for n, classes in ((32, 10), (128, 10), (1024, 10), (2048, 96), (128, 1000), (512, 10000)):

        def inputs(rng: Generator, n: int = n, classes: int = classes) -> Arrays:
            return {"logits": normal(rng, n, classes), "labels": rng.integers(0, classes, n)}

        yield Case(
            f"loss/softmax_xent/{n}x{classes}",
            "softmax_xent",
            Settings(),
            inputs,
            22 * n * classes,
            2 * F32 * n * classes + 8 * n,
            "GB/s",
        )


def huber_cases() -> Iterator[Case]:
    for label, size in (("1e3", 10**3), ("1e6", 10**6)):

        def inputs(rng: Generator, size: int = size) -> Arrays:
            return {"y": normal(rng, size), "target": normal(rng, size)}

        yield Case(f"loss/huber/{label}", "huber", Settings(), inputs, 8 * size, 3 * F32 * size, "GB/s")


def dropout_cases() -> Iterator[Case]:
    for label, size in (("1e4", 10**4), ("1e6", 10**6), ("1e7", 10**7)):

        def inputs(rng: Generator, size: int = size) -> Arrays:
            return {"x": normal(rng, size)}

        yield Case(
            f"dropout/{label}", "dropout_fwd", Settings(rate=0.5), inputs, 6 * size, 2 * F32 * size + size // 8, "GB/s"
        )


# -------------------------------------------------------------------------- sequences, attention and embeddings

RNN_SHAPES = [  # T, batch, input = hidden
    (20, 1, 32),
    (50, 1, 128),
    (200, 1, 128),
    (50, 1, 512),
    (20, 32, 32),
    (50, 32, 32),
    (50, 32, 128),
    (200, 32, 128),
    (20, 32, 512),
    (50, 32, 512),
]


def rnn_cases() -> Iterator[Case]:
    for kind, gates in (("lstm", 4), ("gru", 3)):
        for steps, n, h in RNN_SHAPES:

            def forward(rng: Generator, steps: int = steps, n: int = n, h: int = h, gates: int = gates) -> Arrays:
                scale = np.float32(h**-0.5)
                return {
                    "x": normal(rng, steps, n, h),
                    "w_ih": scale * normal(rng, gates * h, h),
                    "w_hh": scale * normal(rng, gates * h, h),
                    "b_ih": scale * normal(rng, gates * h),
                    "b_hh": scale * normal(rng, gates * h),
                }

            def both(rng: Generator, forward: Inputs = forward, steps: int = steps, n: int = n, h: int = h) -> Arrays:
                return dict(**forward(rng), dh=normal(rng, steps, n, h))

            weights = 2 * gates * h * (h + 1)
            elements = steps * n * h
            work = 2 * steps * n * gates * h * 2 * h
            label = f"T{steps}_b{n}_h{h}"
            yield Case(
                f"rnn/{kind}_fwd/{label}",
                f"{kind}_fwd",
                Settings(hidden=h),
                forward,
                work,
                F32 * (weights + 2 * elements),
            )
            yield Case(
                f"rnn/{kind}_fwdbwd/{label}",
                f"{kind}_fwdbwd",
                Settings(hidden=h),
                both,
                3 * work,
                F32 * (2 * weights + (4 + 2 * (gates + 1)) * elements),
            )


def attention_cases() -> Iterator[Case]:
    for n, heads, steps, d in ((16, 4, 64, 32), (1, 8, 128, 64), (8, 8, 128, 64), (2, 12, 512, 64), (1, 8, 2048, 64)):
        shape = (n, heads, steps, d)

        def forward(rng: Generator, shape: Shape = shape) -> Arrays:
            return {"q": normal(rng, *shape), "k": normal(rng, *shape), "v": normal(rng, *shape)}

        def both(rng: Generator, forward: Inputs = forward, shape: Shape = shape) -> Arrays:
            return dict(**forward(rng), do=normal(rng, *shape))

        scores = n * heads * steps * steps
        label = "x".join(map(str, shape))
        yield Case(
            f"attention/fwd/{label}", "attention_fwd", Settings(), forward, scores * (4 * d + 20), 4 * F32 * prod(shape)
        )
        yield Case(
            f"attention/fwdbwd/{label}",
            "attention_fwdbwd",
            Settings(),
            both,
            scores * (4 * d + 20) + scores * (10 * d + 24),
            7 * F32 * prod(shape),
        )


def embedding_cases() -> Iterator[Case]:
    for vocab, dim, count in ((1000, 64, 1024), (10000, 64, 2560), (10000, 300, 2560), (50000, 256, 8192)):

        def forward(rng: Generator, vocab: int = vocab, dim: int = dim, count: int = count) -> Arrays:
            return {"table": normal(rng, vocab, dim), "ids": rng.integers(0, vocab, count)}

        def backward(rng: Generator, forward: Inputs = forward, dim: int = dim, count: int = count) -> Arrays:
            return dict(**forward(rng), dy=normal(rng, count, dim))

        label = f"{vocab}x{dim}_n{count}"
        rows = F32 * count * dim
        yield Case(f"embedding/fwd/{label}", "embedding_fwd", Settings(), forward, 0, 2 * rows + 8 * count, "GB/s")
        yield Case(
            f"embedding/bwd/{label}",
            "embedding_bwd",
            Settings(),
            backward,
            count * dim,
            F32 * vocab * dim + rows + 8 * count,
            "GB/s",
        )


def optimizer_cases() -> Iterator[Case]:
    # arrays read and written per parameter: sgd reads p, g and writes p; adam also reads and writes m and v
    for fn, arrays, ops in (("sgd", 3, 2), ("momentum", 5, 4), ("adam", 7, 14), ("adamw", 7, 16)):
        for label, size in (("1e4", 10**4), ("1e6", 10**6), ("1e7", 10**7)):

            def inputs(rng: Generator, size: int = size) -> Arrays:
                return {"param": normal(rng, size), "grad": normal(rng, size)}

            yield Case(
                f"optim/{fn}/{label}",
                "optimizer",
                Settings(fn=fn, lr=1e-3),
                inputs,
                ops * size,
                arrays * F32 * size,
                "GB/s",
            )


# ------------------------------------------------------------------------------------------------ whole models

TRAIN_BATCHES = {
    "mlp_784_128_10": (1, 32, 128, 1024),
    "mlp_784_512_512_10": (128,),
    "mlp_tabular_30_64_64_1": (1, 32, 128),
    "lenet5": (64,),
    "cnn_28x28": (64,),
    "vgg_cifar": (32,),
    "resnet_cifar_16_32_64": (32,),
    "mobilenet_cifar": (32,),
    "lstm_sentiment": (32,),
    "gru_sentiment": (32,),
    "charlm_lstm_256": (32,),
    "transformer_d128_h4_l2": (16,),
    "autoencoder_784_128_32": (128,),
}


def model_inputs(model: Model, batch: int, rng: Generator) -> Arrays:
    shape = (batch, *model.sample_shape)
    x = rng.integers(0, model.vocab, shape) if model.vocab else rng.random(shape, dtype=np.float32)
    return {"x": x, "params": models.initial_parameters(model, rng)}


def model_target(model: Model, batch: int, x: Array, rng: Generator) -> Array:
    if model.loss == "mse":
        return x
    if model.loss == "bce":
        return rng.integers(0, 2, (batch, 1)).astype(np.float32)
    return rng.integers(0, model.layers[-1].n_out, (batch, *model.targets_per_sample))


def model_cases() -> Iterator[Case]:
    for name, batches in TRAIN_BATCHES.items():
        model = models.MODELS[name]
        x_bytes = prod(model.sample_shape) * (8 if model.vocab else F32)
        for batch in batches:

            def train(rng: Generator, model: Model = model, batch: int = batch) -> Arrays:
                made = model_inputs(model, batch, rng)
                return {"x": made["x"], "target": model_target(model, batch, made["x"], rng), "params": made["params"]}

            need = models.cost(model, batch)
            # Adam reads and writes parameters and both moments; saved activations are written and read once
            moved = F32 * (6 * need.params + 2 * need.saved) + x_bytes * batch
            yield Case(
                f"train/{name}/b{batch}",
                "train",
                Settings(model=model),
                train,
                need.flops_forward + need.flops_backward + 14 * need.params,
                moved,
            )
        for batch in (1, 64):

            def infer(rng: Generator, model: Model = model, batch: int = batch) -> Arrays:
                return model_inputs(model, batch, rng)

            need = models.cost(model, batch)
            touched = need.params
            if model.vocab:  # only the rows looked up
                table = next(layer for layer in model.layers if layer.kind == "embedding")
                touched += (min(table.vocab, batch * prod(model.sample_shape)) - table.vocab) * table.dim
            yield Case(
                f"infer/{name}/b{batch}",
                "infer",
                Settings(model=model),
                infer,
                need.flops_forward,
                F32 * touched + x_bytes * batch,
            )


def all_cases() -> list[Case]:
    makers = (
        gemm_cases,
        dense_cases,
        conv_cases,
        pool_cases,
        global_pool_cases,
        activation_cases,
        norm_cases,
        loss_cases,
        huber_cases,
        dropout_cases,
        rnn_cases,
        attention_cases,
        embedding_cases,
        optimizer_cases,
        model_cases,
    )
    return [case for make in makers for case in make()]
