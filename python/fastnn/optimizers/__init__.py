"""Optimizers, with Keras's names, arguments and defaults."""

from collections.abc import Mapping as _Mapping
from typing import Any as _Any

from fastnn.optimizers import schedules as schedules
from fastnn.optimizers.adadelta import Adadelta as Adadelta
from fastnn.optimizers.adafactor import Adafactor as Adafactor
from fastnn.optimizers.adagrad import Adagrad as Adagrad
from fastnn.optimizers.adam import Adam as Adam
from fastnn.optimizers.adam import AdamW as AdamW
from fastnn.optimizers.adamax import Adamax as Adamax
from fastnn.optimizers.ftrl import Ftrl as Ftrl
from fastnn.optimizers.lamb import Lamb as Lamb
from fastnn.optimizers.lion import Lion as Lion
from fastnn.optimizers.nadam import Nadam as Nadam
from fastnn.optimizers.optimizer import Optimizer as Optimizer
from fastnn.optimizers.optimizer import registry as _registry
from fastnn.optimizers.rmsprop import RMSprop as RMSprop
from fastnn.optimizers.sgd import SGD as SGD
from fastnn.registry import serialize as serialize

_registry.add(AdamW, "adamw")
_registry.add(RMSprop, "rmsprop")
_registry.add(SGD, "sgd")


def deserialize(config: _Any, custom_objects: _Mapping[str, _Any] | None = None) -> _Any:
    """The optimizer that serialize() described. custom_objects: optimizers and schedules of your own, by class name."""
    if isinstance(config, _Mapping):
        rate = config["config"].get("learning_rate")
        if isinstance(rate, _Mapping):
            made = schedules.deserialize(rate, custom_objects)
            config = {**config, "config": {**config["config"], "learning_rate": made}}
    return _registry.deserialize(config, custom_objects)


def get(identifier: _Any) -> Optimizer:
    """The optimizer of that name or configuration; an Optimizer as it is."""
    if isinstance(identifier, Optimizer):
        return identifier
    found: Optimizer = deserialize(identifier) if isinstance(identifier, _Mapping) else _registry.get(identifier)
    return found
