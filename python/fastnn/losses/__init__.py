"""Losses, with Keras's names, arguments and defaults."""

from typing import Any as _Any

from fastnn.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from fastnn.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from fastnn.losses.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from fastnn.losses.crossentropy import binary_crossentropy as binary_crossentropy
from fastnn.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from fastnn.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fastnn.losses.loss import Loss as Loss
from fastnn.losses.loss import registry as _registry
from fastnn.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from fastnn.losses.regression import MeanSquaredError as MeanSquaredError
from fastnn.losses.regression import mean_absolute_error as mean_absolute_error
from fastnn.losses.regression import mean_squared_error as mean_squared_error
from fastnn.registry import serialize as serialize

_registry.add(MeanSquaredError, "mse", "MSE")
_registry.add(MeanAbsoluteError, "mae", "MAE")
_registry.add(BinaryCrossentropy, "bce", "BCE")
deserialize = _registry.deserialize


class _FunctionLoss(Loss):
    """A loss from a function (y_true, y_pred) -> values of the user's own."""

    def __init__(self, fn: _Any) -> None:
        super().__init__(getattr(fn, "__name__", None))
        self.fn = fn

    def call(self, y_true: _Any, y_pred: _Any) -> _Any:
        return self.fn(y_true, y_pred)

    def get_config(self) -> dict[str, _Any]:
        raise ValueError(
            f"[{self.name}] expected a built-in loss or a Loss class, got a function, which cannot be saved"
        )


def get(identifier: _Any) -> Loss | None:
    """The loss of that name, configuration or function; None for None."""
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        name = getattr(identifier, "__name__", "")
        same = name in _registry and globals().get(name) is identifier
        found: Loss = _registry.get(name) if same else _FunctionLoss(identifier)
        return found
    found = _registry.get(identifier)
    return found
