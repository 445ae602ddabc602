"""Models for inference, in which normalisation and activation are part of the convolution before them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastnn import activations
from fastnn.activations import FUSED
from fastnn.arrays import Array
from fastnn.layers import Activation, BatchNormalization, Dense, Layer, ReLU
from fastnn.layers.convolution import ChannelConvolution, Convolution, TransposedConvolution
from fastnn.models.cloning import clone_model
from fastnn.models.functional import Functional
from fastnn.models.model import Model
from fastnn.models.sequential import Sequential
from fastnn.registry import made_from_config

_LINEAR_LAYERS = (Convolution, TransposedConvolution, ChannelConvolution, Dense)


class Chain(NamedTuple):
    """A layer and what follows it and nothing else: what is folded into it."""

    norm: BatchNormalization | None
    activation: Layer | None


def fuse(model: Any) -> Any:
    """A copy of a built model for inference, with fewer layers and the same results.

    Batch normalisation after a convolution or Dense layer that is linear becomes part of its weights, with the moving
    mean m and variance v: kernel' = kernel s, bias' = (bias - m) s + beta, s = gamma / sqrt(v + epsilon). An activation
    after that, or after such a layer itself, becomes part of its kernel's last pass. Both only where nothing else uses
    what lies between. Models inside are fused as well. Results differ in the last bits. Sequential and functional
    models; raises ValueError for others, and for one that has no weights yet.
    """
    if not isinstance(model, (Sequential, Functional)) or not model.built:
        raise ValueError(f"[fuse] expected a built Sequential or functional model, got {model!r}")
    chains = _chains(_followers(model))
    folded = {id(part) for chain in chains.values() for part in chain if part is not None}
    copies: list[tuple[Layer, Layer]] = []

    def copied(layer: Layer) -> Layer:
        if isinstance(layer, (Sequential, Functional)):
            return fuse(layer)  # type: ignore[no-any-return]
        config = layer.get_config()
        if id(layer) in chains:
            norm, activation = chains[id(layer)]
            config["use_bias"] = layer.use_bias or norm is not None  # type: ignore[attr-defined]
            if activation is not None:
                config["activation"] = activations.serialize(_function(activation))
        copies.append((layer, made_from_config(type(layer), config, None)))
        return copies[-1][1]

    if isinstance(model, Sequential):
        kept = [layer for layer in model._layers if id(layer) not in folded]
        twin: Model = Sequential([copied(layer) for layer in kept], model._trainable, model.name)
        if not twin.built and model._build_shape is not None:
            twin.build(model._build_shape)
    else:
        dropped: set[int] = set()

        def clone(layer: Layer) -> Layer:
            if id(layer) not in folded:
                return copied(layer)
            gone = Activation("linear")
            dropped.add(id(gone))
            return gone

        def call(layer: Layer, *args: Any, **kwargs: Any) -> Any:
            return args[0] if id(layer) in dropped else layer(*args, **kwargs)

        twin = clone_model(model, None, clone, call)
    for layer, copy in copies:
        copy.set_weights(_weights(layer, chains.get(id(layer), Chain(None, None)).norm))
    return twin


def _followers(model: Any) -> dict[int, tuple[Layer, Layer | None]]:
    """By id: each layer that is called once, and the layer that alone takes its output, if there is one."""
    if isinstance(model, Sequential):
        following = [*model.layers[1:], None]
        return {id(a): (a, b) for a, b in zip(model.layers, following, strict=True)}
    nodes, outputs = model._graph.nodes, {id(t) for t in model._graph.outputs}
    calls: dict[int, int] = {}
    users: dict[int, list[Any]] = {}
    for node in nodes:
        calls[id(node.operation)] = calls.get(id(node.operation), 0) + 1
        for tensor in node.inputs:
            users.setdefault(id(tensor), []).append(node)
    found = {}
    for node in nodes:
        if not isinstance(node.operation, Layer) or calls[id(node.operation)] > 1:
            continue
        then = users.get(id(node.outputs), []) if id(node.outputs) not in outputs else []
        one = len(then) == 1 and isinstance(then[0].operation, Layer) and calls[id(then[0].operation)] == 1
        found[id(node.operation)] = (node.operation, then[0].operation if one else None)
    return found


def _chains(followers: dict[int, tuple[Layer, Layer | None]]) -> dict[int, Chain]:
    chains = {}
    for key, (layer, then) in followers.items():
        if not isinstance(layer, _LINEAR_LAYERS) or layer.activation is not activations.linear:
            continue
        if layer.activity_regularizer is not None or layer.use_bias == "shared":
            continue
        norm = then if isinstance(then, BatchNormalization) and _is_last(then.axis, layer) else None
        if norm is not None:
            then = followers.get(id(norm), (norm, None))[1]
        activation = (
            then if then is not None and _function(then) in FUSED and then.activity_regularizer is None else None
        )
        if norm is not None or activation is not None:
            chains[key] = Chain(norm, activation)
    return chains


def _is_last(axis: int, layer: Any) -> bool:
    return axis in (-1, getattr(layer, "rank", -2) + 1)


def _function(layer: Layer) -> Any:
    """The activation that a layer is, with its defaults, or None."""
    if type(layer) is Activation:
        return layer.activation
    plain = type(layer) is ReLU and (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0.0, 0.0)
    return activations.relu if plain else None


def _weights(layer: Any, norm: BatchNormalization | None) -> list[Array]:
    """A layer's weights with those of the normalisation after it."""
    if norm is None:
        return list(layer.get_weights())
    *kernels, kernel = (v.numpy().astype(np.float64) for v in layer.weights if v is not layer.bias)
    scale = 1 / np.sqrt(norm.moving_variance.numpy().astype(np.float64) + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * norm.gamma.numpy()
    bias = np.zeros(scale.shape) if layer.bias is None else layer.bias.numpy()
    bias = (bias - norm.moving_mean.numpy()) * scale + (0 if norm.beta is None else norm.beta.numpy())
    if isinstance(layer, TransposedConvolution):
        kernel = kernel * scale[:, None]  # (..., filters, c)
    elif isinstance(layer, ChannelConvolution) and not kernels:
        kernel = kernel * scale.reshape(kernel.shape[-2:])  # (..., c, m)
    else:
        kernel = kernel * scale
    return [*kernels, kernel, bias]
