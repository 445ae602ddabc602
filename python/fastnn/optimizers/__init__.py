"""Optimizers, with Keras's names, arguments and defaults."""

from typing import Any as _Any

from fastnn.optimizers.adam import Adam as Adam
from fastnn.optimizers.optimizer import Optimizer as Optimizer
from fastnn.optimizers.optimizer import registry as _registry
from fastnn.optimizers.rmsprop import RMSprop as RMSprop
from fastnn.optimizers.sgd import SGD as SGD
from fastnn.registry import serialize as serialize

_registry.add(RMSprop, "rmsprop")
_registry.add(SGD, "sgd")
deserialize = _registry.deserialize


def get(identifier: _Any) -> Optimizer:
    """The optimizer of that name or configuration; an Optimizer as it is."""
    if isinstance(identifier, Optimizer):
        return identifier
    found: Optimizer = _registry.get(identifier)
    return found
