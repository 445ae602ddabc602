"""Losses, with Keras's names, arguments and defaults."""

from typing import Any as _Any

from fastnn.losses.circle import Circle as Circle
from fastnn.losses.circle import circle as circle
from fastnn.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from fastnn.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from fastnn.losses.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from fastnn.losses.crossentropy import binary_crossentropy as binary_crossentropy
from fastnn.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from fastnn.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fastnn.losses.ctc import CTC as CTC
from fastnn.losses.ctc import ctc as ctc
from fastnn.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from fastnn.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from fastnn.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from fastnn.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from fastnn.losses.hinge import CategoricalHinge as CategoricalHinge
from fastnn.losses.hinge import Hinge as Hinge
from fastnn.losses.hinge import SquaredHinge as SquaredHinge
from fastnn.losses.hinge import categorical_hinge as categorical_hinge
from fastnn.losses.hinge import hinge as hinge
from fastnn.losses.hinge import squared_hinge as squared_hinge
from fastnn.losses.loss import Loss as Loss
from fastnn.losses.loss import registry as _registry
from fastnn.losses.overlap import Dice as Dice
from fastnn.losses.overlap import Tversky as Tversky
from fastnn.losses.overlap import dice as dice
from fastnn.losses.overlap import tversky as tversky
from fastnn.losses.probabilistic import KLDivergence as KLDivergence
from fastnn.losses.probabilistic import Poisson as Poisson
from fastnn.losses.probabilistic import kl_divergence as kl_divergence
from fastnn.losses.probabilistic import poisson as poisson
from fastnn.losses.regression import CosineSimilarity as CosineSimilarity
from fastnn.losses.regression import Huber as Huber
from fastnn.losses.regression import LogCosh as LogCosh
from fastnn.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from fastnn.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from fastnn.losses.regression import MeanSquaredError as MeanSquaredError
from fastnn.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from fastnn.losses.regression import RootMeanSquaredError as RootMeanSquaredError
from fastnn.losses.regression import cosine_similarity as cosine_similarity
from fastnn.losses.regression import huber as huber
from fastnn.losses.regression import log_cosh as log_cosh
from fastnn.losses.regression import mean_absolute_error as mean_absolute_error
from fastnn.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fastnn.losses.regression import mean_squared_error as mean_squared_error
from fastnn.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fastnn.losses.regression import root_mean_squared_error as root_mean_squared_error
from fastnn.losses.robust import CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy
from fastnn.losses.robust import categorical_generalized_cross_entropy as categorical_generalized_cross_entropy
from fastnn.registry import serialize as serialize
from fastnn.registry import snake_case as _snake_case
from fastnn.structure import is_ours as _is_ours

_registry.add(MeanSquaredError, "mse", "MSE")
_registry.add(MeanAbsoluteError, "mae", "MAE")
_registry.add(MeanAbsolutePercentageError, "mape", "MAPE")
_registry.add(MeanSquaredLogarithmicError, "msle", "MSLE")
_registry.add(RootMeanSquaredError, "rmse", "RMSE")
_registry.add(BinaryCrossentropy, "bce", "BCE")
_registry.add(BinaryFocalCrossentropy, "bfce", "BFCE")
_registry.add(KLDivergence, "kl_divergence", "kld", "KLD")
_registry.add(LogCosh, "logcosh")
deserialize = _registry.deserialize


class _FunctionLoss(Loss):
    """A loss from a function (y_true, y_pred) -> values of the user's own."""

    def __init__(self, fn: _Any) -> None:
        super().__init__(getattr(fn, "__name__", None))
        self.fn = fn
        self._casts = True
        self.recordable = _is_ours(fn)

    def call(self, y_true: _Any, y_pred: _Any) -> _Any:
        return self.fn(y_true, y_pred)

    def get_config(self) -> dict[str, _Any]:
        return {"fn": serialize(self.fn)}

    @classmethod
    def from_config(cls, config: dict[str, _Any]) -> _Any:
        return cls(_registry.find(config["fn"]))


#: What is chosen by the shapes of labels and predictions.
BY_SHAPE = ("crossentropy", "ce")


def _crossentropy_by_shape(y_true: _Any, y_pred: _Any) -> type[Loss]:
    """The cross-entropy that "crossentropy" means for labels and predictions of these shapes."""
    if y_pred.shape[-1:] in ((1,), ()) or y_pred.ndim < 2:
        return BinaryCrossentropy
    sparse = y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1
    return SparseCategoricalCrossentropy if sparse else CategoricalCrossentropy


def get(identifier: _Any) -> _Any:
    """The function of a function's name or alias; an object of a class, its name or a configuration; else itself.

    A function gives one value per sample, an object reduces them.
    """
    if isinstance(identifier, str):
        cls = _registry.find(identifier)
        return cls() if identifier == cls.__name__ else globals()[_snake_case(cls.__name__)]
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    return _registry.get(identifier)


def loss_of(identifier: _Any, y_true: _Any = None, y_pred: _Any = None) -> Loss | None:
    """What a model trains with by that name, configuration or function; None for None.

    "crossentropy" and "ce" are chosen by the shapes of y_true and y_pred.
    """
    if isinstance(identifier, str) and identifier in BY_SHAPE and y_true is not None:
        return _crossentropy_by_shape(y_true, y_pred)()
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        name = getattr(identifier, "__name__", "")
        same = name in _registry and globals().get(name) is identifier
        found: Loss = _registry.get(name) if same else _FunctionLoss(identifier)
        return found
    found = _registry.get(identifier)
    return found
