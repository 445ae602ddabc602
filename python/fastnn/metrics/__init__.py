"""Metrics, with Keras's names, arguments and defaults."""

from typing import Any as _Any

from fastnn.metrics.accuracy import Accuracy as Accuracy
from fastnn.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from fastnn.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from fastnn.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from fastnn.metrics.accuracy import binary_accuracy as binary_accuracy
from fastnn.metrics.accuracy import by_shape as _accuracy_by_shape
from fastnn.metrics.accuracy import categorical_accuracy as categorical_accuracy
from fastnn.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from fastnn.metrics.metric import Mean as Mean
from fastnn.metrics.metric import MeanMetricWrapper as MeanMetricWrapper
from fastnn.metrics.metric import Metric as Metric
from fastnn.metrics.metric import registry as _registry
from fastnn.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from fastnn.metrics.regression import MeanSquaredError as MeanSquaredError
from fastnn.registry import serialize as serialize

_registry.add(MeanSquaredError, "mse", "MSE")
_registry.add(MeanAbsoluteError, "mae", "MAE")
deserialize = _registry.deserialize


def get(identifier: _Any, y_true: _Any = None, y_pred: _Any = None) -> Metric:
    """The metric of that name, configuration or function. "accuracy" is chosen by the shapes of y_true and y_pred."""
    if identifier in ("accuracy", "acc") and y_pred is not None:
        chosen: _Any = _accuracy_by_shape(y_true, y_pred)
        accuracy: Metric = chosen(name=identifier)
        return accuracy
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        return MeanMetricWrapper(identifier)
    metric: Metric = identifier if isinstance(identifier, Metric) else _registry.get(identifier)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric
