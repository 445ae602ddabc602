"""ONNX Runtime: forward kernels and inference, on graphs built by hand, inputs and outputs bound in advance."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bench.models import Layer
from bench.peers import Array, Arrays, Outputs, Run, Settings, Unsupported

OPSET = 20
Value = tuple[str, tuple[int, ...]]  # the name of a node's output, and its shape
_threads = 1


def version() -> str:
    return onnxruntime.__version__


def configure(threads: int) -> None:
    global _threads
    _threads = threads


def to_numpy(value: Any) -> Array:
    return value


class Graph:
    """Collects nodes and constants; `session` turns them into something to run."""

    def __init__(self) -> None:
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def add(self, op: str, *inputs: str | Array, outputs: int = 1, **attributes: Any) -> str:
        """Adds a node; inputs are names, arrays, or '' for one left out.  Returns its (first) output's name."""
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.count += 1
        made = [f"v{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, names, made, **attributes))
        return made[0]

    def runner(self, feeds: Arrays, output: str) -> Run:
        """A `run` for the given named input arrays."""
        kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}
        inputs = [helper.make_tensor_value_info(n, kinds[a.dtype], a.shape) for n, a in feeds.items()]
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", inputs, [result], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
        (first,) = session.run([output], feeds)
        made = onnxruntime.OrtValue.ortvalue_from_numpy(first)
        binding.bind_ortvalue_output(output, made)

        def run() -> Outputs:
            session.run_with_iobinding(binding)
            return (made.numpy(),)

        return run


def single(op: str, x: Array, *others: Array, **attributes: Any) -> Run:
    """A `run` for one node; only x is an input, the rest are weights."""
    graph = Graph()
    return graph.runner({"x": x}, graph.add(op, "x", *others, **attributes))


def gemm(p: Settings, a: Array, b: Array) -> Run:
    graph = Graph()
    return graph.runner(
        {"a": a, "b": b}, graph.add("Gemm", "a", "b", transA=int(p.op[0] == "t"), transB=int(p.op[1] == "t"))
    )


def dense_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    graph = Graph()
    return graph.runner({"x": x}, graph.add("Relu", graph.add("Gemm", "x", w, b)))


def conv_fwd(p: Settings, x: Array, w: Array, b: Array) -> Run:
    return single("Conv", x, w, b, strides=[p.stride] * 2, pads=[p.pad] * 4, group=p.groups)


def maxpool_fwd(p: Settings, x: Array) -> Run:
    return single("MaxPool", x, kernel_shape=[p.k] * 2, strides=[p.stride] * 2, pads=[p.pad] * 4)


def avgpool_fwd(p: Settings, x: Array) -> Run:
    return single(
        "AveragePool", x, kernel_shape=[p.k] * 2, strides=[p.stride] * 2, pads=[p.pad] * 4, count_include_pad=1
    )


def globalmax_fwd(p: Settings, x: Array) -> Run:
    return single("GlobalMaxPool", x)


def globalavg_fwd(p: Settings, x: Array) -> Run:
    return single("GlobalAveragePool", x)


def act_fwd(p: Settings, x: Array) -> Run:
    ops = {
        "relu": "Relu",
        "leaky_relu": "LeakyRelu",
        "elu": "Elu",
        "sigmoid": "Sigmoid",
        "tanh": "Tanh",
        "gelu": "Gelu",
        "softplus": "Softplus",
        "softmax": "Softmax",
    }
    graph = Graph()
    if p.fn == "swish":
        return graph.runner({"x": x}, graph.add("Mul", "x", graph.add("Sigmoid", "x")))
    return graph.runner({"x": x}, graph.add(ops[p.fn], "x"))


def layernorm_fwd(p: Settings, x: Array, gamma: Array, beta: Array) -> Run:
    return single("LayerNormalization", x, gamma, beta, epsilon=p.eps)


def embedding_fwd(p: Settings, table: Array, ids: Array) -> Run:
    graph = Graph()
    return graph.runner({"ids": ids}, graph.add("Gather", table, "ids"))


def attention_fwd(p: Settings, q: Array, k: Array, v: Array) -> Run:
    graph = Graph()
    scaled = graph.add("Mul", "q", np.float32(q.shape[-1] ** -0.5))
    scores = graph.add("MatMul", scaled, graph.add("Transpose", "k", perm=[0, 1, 3, 2]))
    return graph.runner({"q": q, "k": k, "v": v}, graph.add("MatMul", graph.add("Softmax", scores), "v"))


def _recurrent(graph: Graph, kind: str, x: str, w: SimpleNamespace) -> str:
    """Adds an LSTM or GRU; x is (T, N, I).  Returns the hidden states (T, N, H)."""
    hidden = w.w_hh.shape[1]
    order = [0, 3, 1, 2] if kind == "LSTM" else [1, 0, 2]  # ONNX wants i, o, f, g and z, r, n

    def reordered(array: Array) -> Array:
        return np.concatenate([np.split(array, len(order))[gate] for gate in order])[None]

    bias = np.concatenate([reordered(w.b_ih), reordered(w.b_hh)], 1)
    extra = {} if kind == "LSTM" else {"linear_before_reset": 1}
    states = graph.add(kind, x, reordered(w.w_ih), reordered(w.w_hh), bias, hidden_size=hidden, **extra)
    return graph.add("Squeeze", states, np.array([1]))


def lstm_fwd(p: Settings, x: Array, **weights: Array) -> Run:
    graph = Graph()
    return graph.runner({"x": x}, _recurrent(graph, "LSTM", "x", SimpleNamespace(**weights)))


def gru_fwd(p: Settings, x: Array, **weights: Array) -> Run:
    graph = Graph()
    return graph.runner({"x": x}, _recurrent(graph, "GRU", "x", SimpleNamespace(**weights)))


# ------------------------------------------------------------------------------------------------ whole models


def infer(p: Settings, x: Array, params: Arrays) -> Run:
    graph = Graph()
    value, _ = _build(graph, p.model.layers, params, "x", x.shape, "")
    return graph.runner({"x": x}, value)


def _build(graph: Graph, layers: Iterable[Layer], params: Arrays, x: str, shape: tuple[int, ...], prefix: str) -> Value:
    """Adds the layers; returns the output's name and shape (None where it no longer matters)."""
    for index, layer in enumerate(layers):
        x, shape = _add(graph, layer, params, x, shape, f"{prefix}{index}")
    return x, shape


def _add(graph: Graph, layer: Layer, params: Arrays, x: str, shape: tuple[int, ...], path: str) -> Value:
    kind = layer.kind
    w = SimpleNamespace(
        **{
            k[len(path) + 1 :]: v
            for k, v in params.items()
            if k.startswith(path + ".") and "." not in k[len(path) + 1 :]
        }
    )
    if kind == "dense":
        out = (*shape[:-1], layer.n_out)
        if len(shape) == 2:
            return graph.add("Gemm", x, w.w, w.b, transB=1), out
        return graph.add("Add", graph.add("MatMul", x, w.w.T), w.b), out
    if kind == "conv":
        weights = (w.w, w.b) if layer.bias else (w.w,)
        out = (shape[0], layer.c_out, *tuple((s + 2 * layer.pad - layer.k) // layer.stride + 1 for s in shape[2:]))
        return graph.add("Conv", x, *weights, strides=[layer.stride] * 2, pads=[layer.pad] * 4, group=layer.groups), out
    if kind == "batchnorm":
        return graph.add("BatchNormalization", x, w.gamma, w.beta, w.mean, w.var), shape
    if kind == "maxpool":
        return (
            graph.add("MaxPool", x, kernel_shape=[layer.k] * 2, strides=[layer.k] * 2),
            shape[:2] + tuple(s // layer.k for s in shape[2:]),
        )
    if kind == "embedding":
        return graph.add("Gather", w.w, x), (*shape, layer.dim)
    if kind in ("lstm", "gru"):
        states = _recurrent(graph, kind.upper(), graph.add("Transpose", x, perm=[1, 0, 2]), w)
        return graph.add("Transpose", states, perm=[1, 0, 2]), (*shape[:2], layer.hidden)
    if kind == "transformer":
        return _transformer(graph, layer, w, x, shape), shape
    if kind == "residual":
        main, out = _build(graph, layer.main, params, x, shape, f"{path}.main.")
        skip, _ = _build(graph, layer.skip, params, x, shape, f"{path}.skip.")
        return graph.add("Add", main, skip), out
    if kind == "flatten":
        return graph.add("Flatten", x), (shape[0], int(np.prod(shape[1:])))
    if kind == "global_avgpool":
        return graph.add("Flatten", graph.add("GlobalAveragePool", x)), shape[:2]
    if kind == "last_step":
        return graph.add("Gather", x, np.array(-1), axis=1), (shape[0], shape[2])
    if kind == "mean_time":
        return graph.add("ReduceMean", x, np.array([1]), keepdims=0), (shape[0], shape[2])
    if kind in ("relu", "sigmoid"):
        return graph.add(kind.capitalize(), x), shape
    raise Unsupported(kind)


def _transformer(graph: Graph, layer: Layer, w: SimpleNamespace, x: str, shape: tuple[int, ...]) -> str:
    n, steps, d = shape
    heads = np.array([n, steps, layer.heads, d // layer.heads])

    def project(value: Any, weight: Array, bias: Array) -> str:
        return graph.add("Add", graph.add("MatMul", value, weight.T), bias)

    def head_major(part: int, perm: list[int]) -> str:
        weight, bias = np.split(w.w_qkv, 3)[part], np.split(w.b_qkv, 3)[part]
        return graph.add("Transpose", graph.add("Reshape", project(x, weight, bias), heads), perm=perm)

    q, k, v = head_major(0, [0, 2, 1, 3]), head_major(1, [0, 2, 3, 1]), head_major(2, [0, 2, 1, 3])
    scores = graph.add("Mul", graph.add("MatMul", q, k), np.float32((d // layer.heads) ** -0.5))
    mixed = graph.add("Transpose", graph.add("MatMul", graph.add("Softmax", scores), v), perm=[0, 2, 1, 3])
    mixed = project(graph.add("Reshape", mixed, np.array([n, steps, d])), w.w_o, w.b_o)
    x = graph.add("LayerNormalization", graph.add("Add", x, mixed), w.ln1_gamma, w.ln1_beta)
    hidden = project(graph.add("Relu", project(x, w.w_1, w.b_1)), w.w_2, w.b_2)
    return graph.add("LayerNormalization", graph.add("Add", x, hidden), w.ln2_gamma, w.ln2_beta)
