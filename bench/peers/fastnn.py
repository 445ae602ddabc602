"""fastnn itself, through the functions its users call; backward cases call the bindings directly, as torch's do."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

import fastnn
from bench.models import Layer, Model
from bench.peers import Array, Arrays, Outputs, Run, Settings, Unsupported


def version() -> str:
    return str(fastnn.__version__)


def configure(threads: int) -> None:
    fastnn.set_num_threads(threads)


def isa() -> str:
    return str(fastnn._core.active_isa())


class OfGates(NamedTuple):
    """A gradient, (..., gates u), of which torch has the transpose, with gates in another order."""

    kind: str
    array: Array

    def as_torch_has_it(self) -> Array:
        order = _GATES[self.kind]
        parts = np.split(self.array.T, len(order))
        return np.concatenate([parts[k] for k in np.argsort(order)])


def to_numpy(value: Any) -> Array:
    return value.as_torch_has_it() if isinstance(value, OfGates) else np.asarray(value)


def find(path: str) -> Any:
    """`fastnn.<path>`; Unsupported if there is no such thing yet."""
    value: Any = fastnn
    for name in path.split("."):
        value = getattr(value, name, None)
        if value is None:
            raise Unsupported(f"no fastnn.{path}")
    return value


# ---------------------------------------------------------------------------------------------- dense algebra


def gemm(p: Settings, a: Array, b: Array) -> Run:
    matmul = find("ops.matmul")
    a, b = (a.T if p.op[0] == "t" else a), (b.T if p.op[1] == "t" else b)
    return lambda: (matmul(a, b),)


def dense_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    dense = find("ops.dense")
    return lambda: (dense(x, w, b, activation="relu"),)


def dense_bwd(p: Settings, x: Array, w: Array, y: Array, dy: Array) -> Run:
    backward, relu = find("_core.dense_backward"), find("_core.unary_codes")["relu"]
    return lambda: backward(x, w, y, dy, relu)


# ------------------------------------------------------------------------------------------------------ images


def channels_last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def channels_first(x: Array) -> Array:
    """A view, to be compared with what other peers return."""
    return x.transpose(0, 3, 1, 2)


# ------------------------------------------------------------------------------------------------- convolution


def kernel_last(w: Array) -> Array:
    """(o, c, kh, kw) -> (kh, kw, c, o)"""
    return np.ascontiguousarray(w.transpose(2, 3, 1, 0))


def conv_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    conv2d, x, w = find("ops.conv2d"), channels_last(x), kernel_last(w)
    return lambda: (channels_first(conv2d(x, w, b, strides=p.stride, padding=p.pad, groups=p.groups)),)


def conv_bwd(p: Settings, x: Array, w: Array, dy: Array, data: bool) -> Any:
    backward, x, w, dy = find("_core.conv2d_backward"), channels_last(x), kernel_last(w), channels_last(dy)
    moves = (p.stride, p.stride, 1, 1, 0, p.pad, p.pad, p.pad, p.pad, p.groups)
    linear = (find("_core.unary_codes")["linear"], 0.0, 0.0, 0.0)
    return lambda: backward(x, w, dy, dy, 2, moves, linear, data, not data, False)[0 if data else 1]


def conv_bwd_data(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    gradient = conv_bwd(p, x, w, dy, True)
    return lambda: (channels_first(gradient()),)


def conv_bwd_weight(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    gradient = conv_bwd(p, x, w, dy, False)
    return lambda: (gradient().transpose(3, 2, 0, 1),)


# ----------------------------------------------------------------------------------------------------- pooling


def pool_windows(p: Settings, x: Array) -> list[Any]:
    padding = find("ops.windows").paddings(p.pad, 2, "pool")
    return list(find("ops.windows").windows_over(x.shape[1:3], (p.k, p.k), (p.stride, p.stride), padding, "pool"))


def pool_fwd(op: Any, p: Settings, x: Array, **options: Any) -> Run:
    x = channels_last(x)
    return lambda: (channels_first(op(x, p.k, p.stride, p.pad, **options)),)


def maxpool_fwd(p: Settings, x: Array) -> Run:
    return pool_fwd(find("ops.max_pool2d"), p, x)


def avgpool_fwd(p: Settings, x: Array) -> Run:
    return pool_fwd(find("ops.avg_pool2d"), p, x, count_include_pad=True)  # as PyTorch divides


def maxpool_bwd(p: Settings, x: Array, dy: Array) -> Run:
    backward, x, dy = find("_core.max_pool2d_backward"), channels_last(x), channels_last(dy)
    h, w = pool_windows(p, x)
    return lambda: (channels_first(backward(x, dy, h, w)),)


def avgpool_bwd(p: Settings, x: Array, dy: Array) -> Run:
    backward, x, dy = find("_core.avg_pool2d_backward"), channels_last(x), channels_last(dy)
    h, w = pool_windows(p, x)
    window = find("_core.pool_divisors")["window"]
    return lambda: (channels_first(backward(dy, x.shape, h, w, window)),)


def globalmax(x: Any) -> Any:
    return find("ops.adaptive_max_pool")(x, 1)


def globalavg(x: Any) -> Any:
    return find("ops.mean")(x, axis=(1, 2), keepdims=True)


def globalmax_fwd(p: Settings, x: Array) -> Run:
    x = channels_last(x)
    return lambda: (channels_first(globalmax(x)),)


def globalmax_bwd(p: Settings, x: Array, dy: Array) -> Run:
    backward, x, dy = find("_core.global_max_pool_backward"), channels_last(x), dy[..., 0, 0]
    _, places = find("_core.global_max_pool")(x)
    return lambda: (channels_first(backward(places, dy, x.shape)),)


def globalavg_fwd(p: Settings, x: Array) -> Run:
    x = channels_last(x)
    return lambda: (channels_first(globalavg(x)),)


def globalavg_bwd(p: Settings, x: Array, dy: Array) -> Run:
    backward, x, dy = find("_core.mean_backward"), channels_last(x), channels_last(dy)
    return lambda: (channels_first(backward(dy, x.shape, (1, 2))),)


# -------------------------------------------------------------------------------------------------- elementwise

OPTIONS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"negative_slope": 0.01},
    "gelu": {"approximate": False},
    "softmax": {"axis": -1},
}
NAMES = {"swish": "silu"}  # where fastnn's name is not the case's
PARAMETERS = {"leaky_relu": (0.01,), "elu": (1.0, 1.0, 1.0)}  # of the kernel


def act_fwd(p: Settings, x: Array) -> Run:
    forward, options = find(f"ops.{NAMES.get(p.fn, p.fn)}"), OPTIONS.get(p.fn, {})
    return lambda: (forward(x, **options),)


def act_bwd(p: Settings, x: Array, y: Array, dy: Array) -> Run:
    name = NAMES.get(p.fn, p.fn)
    backward = find(f"_core.{name}_backward")
    saved = x if fastnn._core.unary_saved.get(name, "y") == "x" else y
    parameters = PARAMETERS.get(p.fn, ())
    return lambda: (backward(saved, dy, *parameters),)


# ------------------------------------------------------------------------------------------------------- norms


def batchnorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    batch_norm, x = find("ops.batch_norm"), channels_last(x)
    mean, variance = np.zeros_like(gamma), np.ones_like(gamma)
    return lambda: (channels_first(batch_norm(x, gamma, beta, mean, variance, momentum=0.9, epsilon=p.eps)),)


def batchnorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    backward, x, dy = find("_core.batch_norm_backward"), channels_last(x), channels_last(dy)
    _, mean, inverse = find("_core.batch_norm")(x, gamma, beta, None, None, None, 0.9, p.eps)

    def run() -> Outputs:
        dx, dgamma, dbeta = backward(x, gamma, beta, None, mean, inverse, dy)
        return channels_first(dx), dgamma, dbeta

    return run


def layernorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    layer_norm = find("ops.layer_norm")
    return lambda: (layer_norm(x, gamma, beta, epsilon=p.eps),)


def layernorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    backward = find("_core.layer_norm_backward")
    _, mean, inverse = find("_core.layer_norm")(x, gamma, beta, p.eps)
    return lambda: backward(x, gamma, mean, inverse, dy)


OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {"weight_decay": 0.01}),
}


def softmax_xent(p: Settings, logits: Array, labels: Array) -> Run:
    cross_entropy = find("ops.softmax_cross_entropy")
    both = find("value_and_grad")(lambda z: cross_entropy(z, labels, reduction="mean"))
    return lambda: both(logits)


def huber(p: Settings, y: Array, target: Array) -> Run:
    loss = find("ops.huber")
    both = find("value_and_grad")(lambda y: loss(y, target, reduction="mean"))
    return lambda: both(y)


def dropout_fwd(p: Settings, x: Array) -> Run:
    dropout, seed = find("ops.dropout"), find("random.SeedGenerator")(0)
    return lambda: (dropout(x, p.rate, seed=seed),)


def optimizer(p: Settings, param: Array, grad: Array) -> Run:
    name, options = OPTIMIZERS[p.fn]
    rule = find(f"optimizers.{name}")(p.lr, **options)

    def run() -> Outputs:
        rule.apply([grad], [param])
        return (param,)

    return run


# -------------------------------------------------------------------------- sequences, attention and embeddings


def _time_last(x: Array) -> Array:
    """(t, n, u) as fastnn has it, (n, t, u)."""
    return np.ascontiguousarray(x.swapaxes(0, 1))


#: Where the gates of torch's weights stand in fastnn's.
_GATES = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}


def _gates_in_order(kind: str, weights: Array) -> Array:
    """(gates u, ...) in fastnn's order of the gates, (..., gates u)."""
    return np.ascontiguousarray(np.concatenate([np.split(weights, len(_GATES[kind]))[k] for k in _GATES[kind]]).T)


def _recurrent_weights(kind: str, w: Arrays) -> tuple[Array, Array, Array]:
    kernel, recurrent, b_ih, b_hh = (_gates_in_order(kind, w[name]) for name in ("w_ih", "w_hh", "b_ih", "b_hh"))
    return kernel, recurrent, (b_ih + b_hh if kind == "lstm" else np.stack([b_ih, b_hh]))


def _recurrent_fwd(kind: str, x: Array, weights: Arrays) -> Run:
    op, x, given = find(f"ops.{kind}"), _time_last(x), _recurrent_weights(kind, weights)
    options = {} if kind == "lstm" else {"reset_after": True}
    return lambda: (op(x, *given, **options)[0].swapaxes(0, 1),)


def _recurrent_fwdbwd(kind: str, x: Array, dh: Array, weights: Arrays) -> Run:
    op, x, dh, (w, r, b) = find(f"ops.{kind}"), _time_last(x), _time_last(dh), _recurrent_weights(kind, weights)
    both, options = find("vjp"), {} if kind == "lstm" else {"reset_after": True}

    def outputs(*given: Array) -> Any:
        return op(*given, **options)[0]

    def run() -> Outputs:
        _, pullback = both(outputs, x, w, r, b)
        dx, dw, dr, db = pullback(dh)
        b_ih, b_hh = (db, db) if kind == "lstm" else db
        return dx.swapaxes(0, 1), *(OfGates(kind, d) for d in (dw, dr, b_ih, b_hh))

    return run


def lstm_fwd(p: Settings, x: Array, **weights: Array) -> Run:
    return _recurrent_fwd("lstm", x, weights)


def lstm_fwdbwd(p: Settings, x: Array, dh: Array, **weights: Array) -> Run:
    return _recurrent_fwdbwd("lstm", x, dh, weights)


def gru_fwd(p: Settings, x: Array, **weights: Array) -> Run:
    return _recurrent_fwd("gru", x, weights)


def gru_fwdbwd(p: Settings, x: Array, dh: Array, **weights: Array) -> Run:
    return _recurrent_fwdbwd("gru", x, dh, weights)


def _steps_first(x: Array) -> Array:
    """(n, heads, t, d) as fastnn has it, (n, t, heads, d)."""
    return np.ascontiguousarray(x.swapaxes(1, 2))


def attention_fwd(p: Settings, q: Array, k: Array, v: Array) -> Run:
    attention = find("ops.dot_product_attention")
    q, k, v = (_steps_first(x) for x in (q, k, v))
    return lambda: (attention(q, k, v).swapaxes(1, 2),)


def attention_fwdbwd(p: Settings, q: Array, k: Array, v: Array, do: Array) -> Run:
    both = find("vjp")
    attention = find("ops.dot_product_attention")
    q, k, v, do = (_steps_first(x) for x in (q, k, v, do))

    def run() -> Outputs:
        _, pullback = both(attention, q, k, v)
        return tuple(dx.swapaxes(1, 2) for dx in pullback(do))

    return run


def embedding_fwd(p: Settings, table: Array, ids: Array) -> Run:
    take = find("ops.take")
    return lambda: (take(table, ids, 0),)


def embedding_bwd(p: Settings, table: Array, ids: Array, dy: Array) -> Run:
    backward, shape = find("_core.take_backward"), table.shape
    return lambda: (backward(dy, ids, shape, 0),)


# ------------------------------------------------------------------------------------------------ whole models


def _dense(layer: Layer, w: Arrays) -> tuple[Any, list[Array]]:
    return find("layers.Dense")(layer.n_out), [w["w"].T, w["b"]]


def _embedding(layer: Layer, w: Arrays) -> tuple[Any, list[Array]]:
    return find("layers.Embedding")(layer.vocab, layer.dim), [w["w"]]


def _recurrent(layer: Layer, w: Arrays) -> tuple[Any, list[Array]]:
    made = find(f"layers.{layer.kind.upper()}")(layer.hidden, return_sequences=True)
    return made, list(_recurrent_weights(layer.kind, w))


def _transformer(layer: Layer, w: Arrays) -> tuple[Any, list[Array]]:
    d, heads = layer.d, layer.heads
    size = d // heads
    weights: list[Array] = []
    for i in range(3):  # query, key, value
        rows = slice(i * d, (i + 1) * d)
        weights += [w["w_qkv"][rows].T.reshape(d, heads, size), w["b_qkv"][rows].reshape(heads, size)]
    weights += [w["w_o"].T.reshape(heads, size, d), w["b_o"], w["ln1_gamma"], w["ln1_beta"]]
    weights += [w["w_1"].T, w["b_1"], w["w_2"].T, w["b_2"], w["ln2_gamma"], w["ln2_beta"]]
    return find("layers.TransformerEncoder")(layer.ff, heads), weights


def _mean_time(layer: Layer, w: Arrays) -> tuple[Any, list[Array]]:
    return find("layers.GlobalAveragePooling1D")(), []


#: A layer of a model and its weights, by kind.
MAKERS = {
    "dense": _dense,
    "embedding": _embedding,
    "lstm": _recurrent,
    "gru": _recurrent,
    "transformer": _transformer,
    "mean_time": _mean_time,
}


def build(model: Model, params: Arrays) -> Any:
    """A compiled Sequential with the given weights; activations go into the Dense layer before them, and of a
    recurrent layer whose last step alone is used only that is asked for."""
    made: list[tuple[Any, list[Array]]] = []
    for path, layer in enumerate(model.layers):
        own = {name.partition(".")[2]: value for name, value in params.items() if name.startswith(f"{path}.")}
        if layer.kind in MAKERS:
            made.append(MAKERS[layer.kind](layer, own))
        elif layer.kind in ("relu", "sigmoid") and made and made[-1][0].activation is find("activations.linear"):
            settings = {**made[-1][0].get_config(), "activation": layer.kind}
            made[-1] = type(made[-1][0]).from_config(settings), made[-1][1]
        elif layer.kind == "last_step" and made:
            settings = {**made[-1][0].get_config(), "return_sequences": False}
            made[-1] = type(made[-1][0]).from_config(settings), made[-1][1]
        else:
            raise Unsupported(f"no {layer.kind} yet")
    network = find("Sequential")([layer for layer, _ in made])
    network.build((None, *model.sample_shape))
    for layer, weights in made:
        layer.set_weights(weights)
    losses = {"xent": "SparseCategoricalCrossentropy", "bce": "BinaryCrossentropy", "mse": "MeanSquaredError"}
    loss = find(f"losses.{losses[model.loss]}")
    network.compile(
        optimizer=find("optimizers.Adam")(1e-3), loss=loss() if model.loss == "mse" else loss(from_logits=True)
    )
    return network


#: The functions of fastnn.applications that build the networks for images of bench/models.py.
IMAGE_NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "lenet5": ("LeNet5", {"input_shape": (28, 28, 1), "activation": "relu", "pooling": "max"}),
    "cnn_28x28": ("SmallCNN", {}),
    "vgg_cifar": ("VGGCifar", {}),
    "resnet_cifar_16_32_64": ("ResNetCifar", {}),
    "mobilenet_cifar": ("MobileNetCifar", {}),
}


def image_weights(layers: Iterable[Layer], params: Arrays, prefix: str = "") -> Iterator[tuple[str, list[Array]]]:
    """Class and weights of each layer that has some, in fastnn's layout: channels last, also where it is flattened."""
    flattened = 0  # channels of what was flattened, until a dense layer has taken it
    channels = 0
    for index, layer in enumerate(layers):
        own = {name: params.get(f"{prefix}{index}.{name}") for name in ("w", "b", "gamma", "beta", "mean", "var")}
        if layer.kind == "conv":
            depthwise, channels = layer.groups > 1, layer.c_out
            w = own["w"].transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            yield "DepthwiseConv2D" if depthwise else "Conv2D", [w] if own["b"] is None else [w, own["b"]]
        elif layer.kind == "batchnorm":
            yield "BatchNormalization", [own["gamma"], own["beta"], own["mean"], own["var"]]
        elif layer.kind == "flatten":
            flattened = channels
        elif layer.kind == "dense":
            w = own["w"].T
            if flattened:
                side = round((layer.n_in / flattened) ** 0.5)
                w = w.reshape(flattened, side, side, -1).transpose(1, 2, 0, 3).reshape(w.shape)
            flattened = 0
            yield "Dense", [w, own["b"]]
        elif layer.kind == "residual":
            yield from image_weights(layer.main, params, f"{prefix}{index}.main.")
            yield from image_weights(layer.skip, params, f"{prefix}{index}.skip.")


def number(layer: Any) -> int:
    """Its place among the layers of its class, by its name: conv2d, conv2d_1 ..."""
    last = layer.name.rpartition("_")[2]
    return int(last) if last.isdigit() else 0


def build_image_network(model: Model, params: Arrays) -> Any:
    """A compiled network of fastnn.applications with the given weights."""
    name, options = IMAGE_NETWORKS[model.name]
    network = find(f"applications.{name}")(classifier_activation=None, **options)
    in_order_of_making = sorted(network.layers, key=number)
    for kind, weights in image_weights(model.layers, params):
        at = next(i for i, layer in enumerate(in_order_of_making) if type(layer).__name__ == kind)
        in_order_of_making.pop(at).set_weights(weights)
    loss = find("losses.SparseCategoricalCrossentropy")(from_logits=True)
    network.compile(optimizer=find("optimizers.Adam")(1e-3), loss=loss)
    return network


def prepared(model: Model, x: Array, params: Arrays) -> tuple[Any, Array]:
    """The network and its input."""
    if model.name in IMAGE_NETWORKS:
        return build_image_network(model, params), channels_last(x)
    return build(model, params), x


def train(p: Settings, x: Array, target: Array, params: Arrays) -> Run:
    """A step, whose value is the loss of the batch."""
    network, x = prepared(p.model, x, params)
    return lambda: (network.train_on_batch(x, target),)


def infer(p: Settings, x: Array, params: Arrays) -> Run:
    network, x = prepared(p.model, x, params)
    return lambda: (network.predict_on_batch(x),)
