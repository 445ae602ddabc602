"""Activation functions by name, as layers take them. Arguments and defaults are those of Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastnn import ops
from fastnn.ops import celu as celu
from fastnn.ops import elu as elu
from fastnn.ops import glu as glu
from fastnn.ops import hard_shrink as hard_shrink
from fastnn.ops import hard_sigmoid as hard_sigmoid
from fastnn.ops import hard_silu as hard_silu
from fastnn.ops import hard_tanh as hard_tanh
from fastnn.ops import leaky_relu as leaky_relu
from fastnn.ops import log_sigmoid as log_sigmoid
from fastnn.ops import log_softmax as log_softmax
from fastnn.ops import mish as mish
from fastnn.ops import relu as relu
from fastnn.ops import relu6 as relu6
from fastnn.ops import selu as selu
from fastnn.ops import sigmoid as sigmoid
from fastnn.ops import silu as silu
from fastnn.ops import soft_shrink as soft_shrink
from fastnn.ops import softmax as softmax
from fastnn.ops import softplus as softplus
from fastnn.ops import softsign as softsign
from fastnn.ops import sparse_plus as sparse_plus
from fastnn.ops import sparse_sigmoid as sparse_sigmoid
from fastnn.ops import sparsemax as sparsemax
from fastnn.ops import squareplus as squareplus
from fastnn.ops import tanh as tanh
from fastnn.ops import tanh_shrink as tanh_shrink
from fastnn.ops import threshold as threshold
from fastnn.ops.dense import ACTIVATIONS
from fastnn.registry import Registry
from fastnn.registry import deserialize_keras_object as _from_description
from fastnn.registry import serialize as _described

_registry = Registry("activations")
deserialize = _registry.deserialize

swish = silu
hard_swish = hard_silu
binary_step = ops.binary_step  # not Keras's


def linear(x: Any) -> Any:
    """Identity: y = x."""
    return x


def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit: y = x P(X <= x) for a standard normal X, or its tanh approximation."""
    return ops.gelu(x, approximate)


def exponential(x: Any) -> Any:
    """Exponential: y = e^x."""
    return ops.exp(x)


_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    linear, binary_step, celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh,
    leaky_relu, log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus,
    softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold,
)  # fmt: skip
_ALIASES = {silu: ("swish",), hard_silu: ("hard_swish",)}

for _function in _FUNCTIONS:
    _registry.add(_function, *_ALIASES.get(_function, ()))

#: The activations that a dense layer computes in its own kernel, with their defaults.
FUSED: dict[Callable[..., Any], str] = {f: f.__name__ for f in _FUNCTIONS if f.__name__ in ACTIVATIONS}


def get(identifier: Any) -> Callable[..., Any]:
    """The function of that name or description; linear for None; a function or layer as it is."""
    if identifier is None:
        return linear
    if isinstance(identifier, Mapping):
        described: Callable[..., Any] = _from_description(identifier)  # may be a layer
        return described
    found: Callable[..., Any] = _registry.get(identifier)
    return found


def serialize(activation: Callable[..., Any]) -> Any:
    """What get() finds it by: a name, the description of a layer.

    A function of the user's own is to be registered, or in custom_objects, where it is read. Raises ValueError for a
    lambda, and for a function of the user's own that has the name of another.
    """
    described = _described(activation)
    if isinstance(described, str) and described in _registry and _registry.find(described) is not activation:
        raise ValueError(f"[activations.serialize] expected another name than {described!r}, which is taken")
    return described


class Recommendation(NamedTuple):
    """What to try first: activations of the hidden layers and of the last one, and the loss that goes with it."""

    hidden: str
    output: str
    loss: str


_RECOMMENDED = {
    "regression": Recommendation("relu", "linear", "mean_squared_error"),
    "binary": Recommendation("relu", "sigmoid", "binary_crossentropy"),
    "multiclass": Recommendation("relu", "softmax", "categorical_crossentropy"),
    "multilabel": Recommendation("relu", "sigmoid", "binary_crossentropy"),
}


def recommend(task: str) -> Recommendation:
    """Activations and loss to try first for a task: "regression", "binary", "multiclass" or "multilabel".

    With integer labels "multiclass" goes with sparse_categorical_crossentropy. Raises ValueError for another task.
    """
    if task not in _RECOMMENDED:
        raise ValueError(f"[recommend] expected a task of {', '.join(_RECOMMENDED)}, got {task!r}")
    return _RECOMMENDED[task]
