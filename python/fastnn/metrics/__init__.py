"""Metrics, with Keras's names, arguments and defaults."""

from typing import Any as _Any

from fastnn.losses.crossentropy import binary_crossentropy as binary_crossentropy
from fastnn.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from fastnn.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fastnn.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from fastnn.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from fastnn.losses.hinge import categorical_hinge as categorical_hinge
from fastnn.losses.hinge import hinge as hinge
from fastnn.losses.hinge import squared_hinge as squared_hinge
from fastnn.losses.probabilistic import kl_divergence as kl_divergence
from fastnn.losses.probabilistic import poisson as poisson
from fastnn.losses.regression import huber as huber
from fastnn.losses.regression import log_cosh as log_cosh
from fastnn.losses.regression import mean_absolute_error as mean_absolute_error
from fastnn.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fastnn.losses.regression import mean_squared_error as mean_squared_error
from fastnn.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fastnn.metrics.accuracy import Accuracy as Accuracy
from fastnn.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from fastnn.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from fastnn.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from fastnn.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from fastnn.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from fastnn.metrics.accuracy import binary_accuracy as binary_accuracy
from fastnn.metrics.accuracy import by_shape as _accuracy_by_shape
from fastnn.metrics.accuracy import categorical_accuracy as categorical_accuracy
from fastnn.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from fastnn.metrics.accuracy import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from fastnn.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from fastnn.metrics.confusion import AUC as AUC
from fastnn.metrics.confusion import FalseNegatives as FalseNegatives
from fastnn.metrics.confusion import FalsePositives as FalsePositives
from fastnn.metrics.confusion import Precision as Precision
from fastnn.metrics.confusion import PrecisionAtRecall as PrecisionAtRecall
from fastnn.metrics.confusion import Recall as Recall
from fastnn.metrics.confusion import RecallAtPrecision as RecallAtPrecision
from fastnn.metrics.confusion import SensitivityAtSpecificity as SensitivityAtSpecificity
from fastnn.metrics.confusion import SpecificityAtSensitivity as SpecificityAtSensitivity
from fastnn.metrics.confusion import TrueNegatives as TrueNegatives
from fastnn.metrics.confusion import TruePositives as TruePositives
from fastnn.metrics.confusion import confusion_matrix as confusion_matrix
from fastnn.metrics.correlation import ConcordanceCorrelation as ConcordanceCorrelation
from fastnn.metrics.correlation import PearsonCorrelation as PearsonCorrelation
from fastnn.metrics.correlation import concordance_correlation as concordance_correlation
from fastnn.metrics.correlation import pearson_correlation as pearson_correlation
from fastnn.metrics.f_score import F1Score as F1Score
from fastnn.metrics.f_score import FBetaScore as FBetaScore
from fastnn.metrics.iou import BinaryIoU as BinaryIoU
from fastnn.metrics.iou import IoU as IoU
from fastnn.metrics.iou import MeanIoU as MeanIoU
from fastnn.metrics.iou import OneHotIoU as OneHotIoU
from fastnn.metrics.iou import OneHotMeanIoU as OneHotMeanIoU
from fastnn.metrics.margin import CategoricalHinge as CategoricalHinge
from fastnn.metrics.margin import Hinge as Hinge
from fastnn.metrics.margin import SquaredHinge as SquaredHinge
from fastnn.metrics.metric import Mean as Mean
from fastnn.metrics.metric import MeanMetricWrapper as MeanMetricWrapper
from fastnn.metrics.metric import Metric as Metric
from fastnn.metrics.metric import Sum as Sum
from fastnn.metrics.metric import registry as _registry
from fastnn.metrics.probabilistic import BinaryCrossentropy as BinaryCrossentropy
from fastnn.metrics.probabilistic import CategoricalCrossentropy as CategoricalCrossentropy
from fastnn.metrics.probabilistic import KLDivergence as KLDivergence
from fastnn.metrics.probabilistic import Poisson as Poisson
from fastnn.metrics.probabilistic import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from fastnn.metrics.probabilistic import by_shape as _crossentropy_by_shape
from fastnn.metrics.regression import CosineSimilarity as CosineSimilarity
from fastnn.metrics.regression import LogCoshError as LogCoshError
from fastnn.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from fastnn.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from fastnn.metrics.regression import MeanSquaredError as MeanSquaredError
from fastnn.metrics.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from fastnn.metrics.regression import R2Score as R2Score
from fastnn.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
from fastnn.registry import serialize as serialize

_registry.add(MeanSquaredError, "mse", "MSE")
_registry.add(RootMeanSquaredError, "rmse", "RMSE")
_registry.add(MeanAbsoluteError, "mae", "MAE")
_registry.add(MeanAbsolutePercentageError, "mape", "MAPE")
_registry.add(MeanSquaredLogarithmicError, "msle", "MSLE")
_registry.add(LogCoshError, "logcosh", "log_cosh")
_registry.add(KLDivergence, "kl_divergence", "kld", "KLD")
_registry.add(BinaryCrossentropy, "bce", "BCE")
_registry.add(TopKCategoricalAccuracy, "top_k_categorical_accuracy")
_registry.add(SparseTopKCategoricalAccuracy, "sparse_top_k_categorical_accuracy")
_registry.add(F1Score, "f1_score")
_registry.add(FBetaScore, "fbeta_score")
_registry.add(R2Score, "r2_score")
_registry.add(BinaryIoU, "binary_iou")
deserialize = _registry.deserialize

for _more_is_better in (
    Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, AUC, Precision, Recall, TruePositives, TrueNegatives, PrecisionAtRecall,
    RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity, ConcordanceCorrelation, PearsonCorrelation,
    F1Score, FBetaScore, BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU, CosineSimilarity, R2Score,
):  # fmt: skip
    _more_is_better.direction = "up"
for _less_is_better in (
    FalseNegatives, FalsePositives, CategoricalHinge, Hinge, SquaredHinge, BinaryCrossentropy, CategoricalCrossentropy,
    KLDivergence, Poisson, SparseCategoricalCrossentropy, LogCoshError, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredError, MeanSquaredLogarithmicError, RootMeanSquaredError,
):  # fmt: skip
    _less_is_better.direction = "down"

#: What is chosen by the shapes of labels and predictions.
_BY_SHAPE: dict[str, _Any] = {
    "accuracy": _accuracy_by_shape,
    "acc": _accuracy_by_shape,
    "crossentropy": _crossentropy_by_shape,
    "ce": _crossentropy_by_shape,
}


def get(identifier: _Any, y_true: _Any = None, y_pred: _Any = None) -> Metric:
    """The metric of that name, configuration or function.

    "accuracy", "acc", "crossentropy" and "ce" are chosen by the shapes of y_true and y_pred.
    """
    if isinstance(identifier, str) and identifier in _BY_SHAPE and y_pred is not None:
        chosen: Metric = _BY_SHAPE[identifier](y_true, y_pred)(name=identifier)
        return chosen
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        return MeanMetricWrapper(identifier)
    metric: Metric = identifier if isinstance(identifier, Metric) else _registry.get(identifier)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric
