"""PyTorch, eager.  Backward cases call the ATen backward operators directly where there is one."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models import Layer, Model
from bench.peers import Array, Arrays, Outputs, Run, Settings, Unsupported

MEMORY_FORMAT = torch.contiguous_format  # torch_nhwc sets channels_last
COMPILE = False  # torch_compile sets True

aten = torch.ops.aten


def version() -> str:
    return torch.__version__


def configure(threads: int) -> None:
    torch.set_num_threads(threads)


def to_numpy(value: Tensor) -> Array:
    return value.detach().contiguous().numpy()


def tensor(array: Array) -> Tensor:
    t = torch.from_numpy(array)
    return t.contiguous(memory_format=MEMORY_FORMAT) if t.dim() == 4 else t


def no_grad(function: Callable[[], Any]) -> Run:
    """A forward-only `run`: `function` under inference mode."""

    @torch.inference_mode()
    def run() -> Outputs:
        result = function()
        return result if isinstance(result, tuple) else (result,)

    return run


def with_gradients(function: Callable[[], Any], inputs: list[Tensor], grad: Tensor) -> Run:
    """A forward and backward `run` that returns the gradients of `inputs`."""
    for t in inputs:
        t.requires_grad_()

    def run() -> Outputs:
        return torch.autograd.grad(function(), inputs, grad)

    return run


# ---------------------------------------------------------------------------------------------- dense algebra


def gemm(p: Settings, a: Array, b: Array) -> Run:
    a, b = tensor(a), tensor(b)
    a, b = (a.t() if p.op[0] == "t" else a), (b.t() if p.op[1] == "t" else b)
    return no_grad(lambda: torch.mm(a, b))


def dense_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    x, w, b = tensor(x), tensor(w), tensor(b)
    return no_grad(lambda: torch.addmm(b, x, w).relu_())


def dense_bwd(p: Settings, x: Array, w: Array, y: Array, dy: Array) -> Run:
    x, w, y, dy = map(tensor, (x, w, y, dy))

    def work() -> Any:
        dz = aten.threshold_backward(dy, y, 0)
        return torch.mm(dz, w.t()), torch.mm(x.t(), dz), dz.sum(0)

    return no_grad(work)


# ------------------------------------------------------------------------------------- convolution and pooling


def conv_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    x, w, b = tensor(x), tensor(w), tensor(b)
    return no_grad(lambda: F.conv2d(x, w, b, p.stride, p.pad, 1, p.groups))


def _conv_backward(p: Settings, x: Array, w: Array, dy: Array, mask: list[bool]) -> Run:
    x, w, dy = tensor(x), tensor(w), tensor(dy)
    index = mask.index(True)

    def work() -> Any:
        return aten.convolution_backward(
            dy, x, w, None, [p.stride] * 2, [p.pad] * 2, [1, 1], False, [0, 0], p.groups, mask
        )[index]

    return no_grad(work)


def conv_bwd_data(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    return _conv_backward(p, x, w, dy, [True, False, False])


def conv_bwd_weight(p: Settings, x: Array, w: Array, dy: Array) -> Run:
    return _conv_backward(p, x, w, dy, [False, True, False])


def maxpool_fwd(p: Settings, x: Array) -> Run:
    x = tensor(x)
    return no_grad(lambda: F.max_pool2d(x, p.k, p.stride, p.pad))


def maxpool_bwd(p: Settings, x: Array, dy: Array) -> Run:
    x, dy = tensor(x), tensor(dy)
    _, where = F.max_pool2d(x, p.k, p.stride, p.pad, return_indices=True)
    window = [p.k] * 2, [p.stride] * 2, [p.pad] * 2
    return no_grad(lambda: aten.max_pool2d_with_indices_backward(dy, x, *window, [1, 1], False, where))


def avgpool_fwd(p: Settings, x: Array) -> Run:
    x = tensor(x)
    return no_grad(lambda: F.avg_pool2d(x, p.k, p.stride, p.pad))


def avgpool_bwd(p: Settings, x: Array, dy: Array) -> Run:
    x, dy = tensor(x), tensor(dy)
    window = [p.k] * 2, [p.stride] * 2, [p.pad] * 2
    return no_grad(lambda: aten.avg_pool2d_backward(dy, x, *window, False, True, None))


def globalmax_fwd(p: Settings, x: Array) -> Run:
    x = tensor(x)
    return no_grad(lambda: F.adaptive_max_pool2d(x, 1))


def globalmax_bwd(p: Settings, x: Array, dy: Array) -> Run:
    x, dy = tensor(x), tensor(dy)
    _, where = F.adaptive_max_pool2d(x, 1, return_indices=True)
    return no_grad(lambda: aten.adaptive_max_pool2d_backward(dy, x, where))


def globalavg_fwd(p: Settings, x: Array) -> Run:
    x = tensor(x)
    return no_grad(lambda: F.adaptive_avg_pool2d(x, 1))


def globalavg_bwd(p: Settings, x: Array, dy: Array) -> Run:
    x, dy = tensor(x), tensor(dy)
    size = x.shape[2] * x.shape[3]
    return no_grad(lambda: dy.expand(x.shape) / size)  # what autograd does for one cell


# ---------------------------------------------------------------------------------------- elementwise and norms

ACTIVATIONS = {
    "relu": (torch.relu, lambda x, y, dy: aten.threshold_backward(dy, y, 0)),
    "leaky_relu": (F.leaky_relu, lambda x, y, dy: aten.leaky_relu_backward(dy, x, 0.01, False)),
    "elu": (F.elu, lambda x, y, dy: aten.elu_backward(dy, 1.0, 1, 1, True, y)),
    "sigmoid": (torch.sigmoid, lambda x, y, dy: aten.sigmoid_backward(dy, y)),
    "tanh": (torch.tanh, lambda x, y, dy: aten.tanh_backward(dy, y)),
    "gelu": (F.gelu, lambda x, y, dy: aten.gelu_backward(dy, x)),
    "swish": (F.silu, lambda x, y, dy: aten.silu_backward(dy, x)),
    "softplus": (F.softplus, lambda x, y, dy: aten.softplus_backward(dy, x, 1, 20)),
    "softmax": (lambda x: torch.softmax(x, -1), lambda x, y, dy: aten._softmax_backward_data(dy, y, -1, torch.float32)),
}


def act_fwd(p: Settings, x: Array) -> Run:
    x, forward = tensor(x), ACTIVATIONS[p.fn][0]
    return no_grad(lambda: forward(x))


def act_bwd(p: Settings, x: Array, y: Array, dy: Array) -> Run:
    x, y, dy = map(tensor, (x, y, dy))
    backward = ACTIVATIONS[p.fn][1]
    return no_grad(lambda: backward(x, y, dy))


def batchnorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    x, gamma, beta = tensor(x), tensor(gamma), tensor(beta)
    mean, var = torch.zeros_like(gamma), torch.ones_like(gamma)
    return no_grad(lambda: torch.native_batch_norm(x, gamma, beta, mean, var, True, 0.1, p.eps)[0])


def batchnorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    x, gamma, beta, dy = map(tensor, (x, gamma, beta, dy))
    mean, var = torch.zeros_like(gamma), torch.ones_like(gamma)
    _, save_mean, save_rstd = torch.native_batch_norm(x, gamma, beta, mean, var, True, 0.1, p.eps)
    return no_grad(
        lambda: aten.native_batch_norm_backward(dy, x, gamma, mean, var, save_mean, save_rstd, True, p.eps, [True] * 3)
    )


def layernorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    x, gamma, beta = tensor(x), tensor(gamma), tensor(beta)
    return no_grad(lambda: F.layer_norm(x, gamma.shape, gamma, beta, p.eps))


def layernorm_bwd(p: Settings, x: Array, gamma: Array, beta: Array, dy: Array) -> Run:
    x, gamma, beta, dy = map(tensor, (x, gamma, beta, dy))
    shape = list(gamma.shape)
    _, mean, rstd = torch.native_layer_norm(x, shape, gamma, beta, p.eps)
    return no_grad(lambda: aten.native_layer_norm_backward(dy, x, shape, mean, rstd, gamma, beta, [True] * 3))


def softmax_xent(p: Settings, logits: Array, labels: Array) -> Run:
    logits, labels = tensor(logits).requires_grad_(), tensor(labels)

    def run() -> Outputs:
        loss = F.cross_entropy(logits, labels)
        return (loss, *torch.autograd.grad(loss, (logits,)))

    return run


def huber(p: Settings, y: Array, target: Array) -> Run:
    y, target = tensor(y).requires_grad_(), tensor(target)

    def run() -> Outputs:
        loss = F.huber_loss(y, target)
        return (loss, *torch.autograd.grad(loss, (y,)))

    return run


def dropout_fwd(p: Settings, x: Array) -> Run:
    x = tensor(x)
    return no_grad(lambda: F.dropout(x, p.rate, True))


# -------------------------------------------------------------------------- sequences, attention and embeddings


def _recurrent(kind: type[nn.RNNBase], arrays: Arrays, batch_first: bool = False) -> nn.RNNBase:
    """An nn.LSTM or nn.GRU with the given weights."""
    module = kind(arrays["w_ih"].shape[1], arrays["w_hh"].shape[1], batch_first=batch_first)
    names = {"weight_ih_l0": "w_ih", "weight_hh_l0": "w_hh", "bias_ih_l0": "b_ih", "bias_hh_l0": "b_hh"}
    load(module, {own: arrays[theirs] for own, theirs in names.items()})
    return module


def load(module: nn.Module, arrays: Arrays) -> None:
    """Copies arrays into a module's parameters and buffers of the given names."""
    state = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        for name, array in arrays.items():
            state[name].copy_(torch.from_numpy(array))


def _recurrent_fwd(kind: type[nn.RNNBase], x: Array, weights: Arrays) -> Run:
    module, x = _recurrent(kind, weights), tensor(x)
    return no_grad(lambda: module(x)[0])


def _recurrent_fwdbwd(kind: type[nn.RNNBase], x: Array, dh: Array, weights: Arrays) -> Run:
    module, x, dh = _recurrent(kind, weights), tensor(x), tensor(dh)
    return with_gradients(lambda: module(x)[0], [x, *module.parameters()], dh)


def lstm_fwd(p: Settings, x: Array, **weights: Array) -> Run:
    return _recurrent_fwd(nn.LSTM, x, weights)


def lstm_fwdbwd(p: Settings, x: Array, dh: Array, **weights: Array) -> Run:
    return _recurrent_fwdbwd(nn.LSTM, x, dh, weights)


def gru_fwd(p: Settings, x: Array, **weights: Array) -> Run:
    return _recurrent_fwd(nn.GRU, x, weights)


def gru_fwdbwd(p: Settings, x: Array, dh: Array, **weights: Array) -> Run:
    return _recurrent_fwdbwd(nn.GRU, x, dh, weights)


def attention_fwd(p: Settings, q: Array, k: Array, v: Array) -> Run:
    q, k, v = map(torch.from_numpy, (q, k, v))
    return no_grad(lambda: F.scaled_dot_product_attention(q, k, v))


def attention_fwdbwd(p: Settings, q: Array, k: Array, v: Array, do: Array) -> Run:
    q, k, v, do = map(torch.from_numpy, (q, k, v, do))
    return with_gradients(lambda: F.scaled_dot_product_attention(q, k, v), [q, k, v], do)


def embedding_fwd(p: Settings, table: Array, ids: Array) -> Run:
    table, ids = tensor(table), tensor(ids)
    return no_grad(lambda: F.embedding(ids, table))


def embedding_bwd(p: Settings, table: Array, ids: Array, dy: Array) -> Run:
    ids, dy, vocab = tensor(ids), tensor(dy), len(table)
    return no_grad(lambda: aten.embedding_dense_backward(dy, ids, vocab, -1, False))


def optimizer(p: Settings, param: Array, grad: Array) -> Run:
    param = nn.Parameter(tensor(param))
    param.grad = tensor(grad)
    options = {"lr": p.lr, "fused": True}
    step = {
        "sgd": lambda: torch.optim.SGD([param], **options),
        "momentum": lambda: torch.optim.SGD([param], momentum=0.9, **options),
        "adam": lambda: torch.optim.Adam([param], **options),
        "adamw": lambda: torch.optim.AdamW([param], weight_decay=0.01, **options),
    }[p.fn]().step

    def run() -> Outputs:
        step()
        return (param,)

    return run


# ------------------------------------------------------------------------------------------------ whole models


class Recurrent(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)[0]


class LastStep(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]


class MeanTime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class Residual(nn.Module):
    def __init__(self, main: nn.Module, skip: nn.Module) -> None:
        super().__init__()
        self.main, self.skip = main, skip

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + self.skip(x)


def build(layers: Iterable[Layer], params: Arrays, prefix: str = "") -> nn.Module:
    """The layers as a module holding copies of the given parameters."""
    return nn.Sequential(*(_layer(layer, params, f"{prefix}{i}") for i, layer in enumerate(layers)))


def _layer(layer: Layer, params: Arrays, path: str) -> nn.Module:
    own = {name[len(path) + 1 :]: value for name, value in params.items() if name.startswith(path + ".")}
    kind = layer.kind
    if kind == "dense":
        module = nn.Linear(layer.n_in, layer.n_out)
        load(module, {"weight": own["w"], "bias": own["b"]})
    elif kind == "conv":
        module = nn.Conv2d(
            layer.c_in, layer.c_out, layer.k, layer.stride, layer.pad, groups=layer.groups, bias=layer.bias
        )
        load(module, dict(weight=own["w"], **({"bias": own["b"]} if layer.bias else {})))
    elif kind == "batchnorm":
        module = nn.BatchNorm2d(layer.c)
        load(
            module,
            {"weight": own["gamma"], "bias": own["beta"], "running_mean": own["mean"], "running_var": own["var"]},
        )
    elif kind == "embedding":
        module = nn.Embedding(layer.vocab, layer.dim)
        load(module, {"weight": own["w"]})
    elif kind in ("lstm", "gru"):
        module = Recurrent(_recurrent(nn.LSTM if kind == "lstm" else nn.GRU, own, batch_first=True))
    elif kind == "transformer":
        module = nn.TransformerEncoderLayer(layer.d, layer.heads, layer.ff, dropout=0.0, batch_first=True)
        names = {
            "self_attn.in_proj_weight": "w_qkv",
            "self_attn.in_proj_bias": "b_qkv",
            "self_attn.out_proj.weight": "w_o",
            "self_attn.out_proj.bias": "b_o",
            "linear1.weight": "w_1",
            "linear1.bias": "b_1",
            "linear2.weight": "w_2",
            "linear2.bias": "b_2",
            "norm1.weight": "ln1_gamma",
            "norm1.bias": "ln1_beta",
            "norm2.weight": "ln2_gamma",
            "norm2.bias": "ln2_beta",
        }
        load(module, {theirs: own[ours] for theirs, ours in names.items()})
    elif kind == "residual":
        module = Residual(build(layer.main, params, f"{path}.main."), build(layer.skip, params, f"{path}.skip."))
    else:
        module = {
            "relu": nn.ReLU,
            "sigmoid": nn.Sigmoid,
            "flatten": nn.Flatten,
            "last_step": LastStep,
            "mean_time": MeanTime,
            "maxpool": lambda: nn.MaxPool2d(layer.k),
            "global_avgpool": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        }[kind]()
    return module


def loss_function(model: Model) -> Callable[[Tensor, Tensor], Tensor]:
    if model.loss == "xent":
        return lambda y, target: F.cross_entropy(y.flatten(0, -2), target.flatten())
    return {"bce": F.binary_cross_entropy_with_logits, "mse": F.mse_loss}[model.loss]


def _prepare(module: nn.Module, x: Tensor) -> nn.Module:
    """Applies the variant's memory format and compilation."""
    if MEMORY_FORMAT is torch.channels_last:
        if x.dim() != 4:
            raise Unsupported("no images")
        module = module.to(memory_format=torch.channels_last)
    if COMPILE:
        torch.compiler.reset()  # every case starts with an empty cache
        return torch.compile(module)
    return module


def train(p: Settings, x: Array, target: Array, params: Arrays) -> Run:
    x, target, loss_of = tensor(x), tensor(target), loss_function(p.model)
    module = _prepare(build(p.model.layers, params), x)
    adam = torch.optim.Adam(module.parameters(), 1e-3, fused=True)

    def run() -> Outputs:
        adam.zero_grad(set_to_none=True)
        loss = loss_of(module(x), target)
        loss.backward()
        adam.step()
        return (loss,)

    return run


def infer(p: Settings, x: Array, params: Arrays) -> Run:
    x = tensor(x)
    module = _prepare(build(p.model.layers, params).eval(), x)
    return no_grad(lambda: module(x))
