"""Mean hinge losses."""

from __future__ import annotations

from fastnn.arrays import DTypeLike
from fastnn.losses.hinge import categorical_hinge, hinge, squared_hinge
from fastnn.metrics.metric import MeanMetricWrapper, MeanOverOutputs


class Hinge(MeanOverOutputs):
    """Mean of max(1 - y_true y_pred, 0), labels -1 and 1, or 0 and 1."""

    def __init__(self, name: str | None = "hinge", dtype: DTypeLike | None = None) -> None:
        super().__init__(hinge, name, dtype)


class SquaredHinge(MeanOverOutputs):
    """Mean of max(1 - y_true y_pred, 0)^2, labels -1 and 1, or 0 and 1."""

    def __init__(self, name: str | None = "squared_hinge", dtype: DTypeLike | None = None) -> None:
        super().__init__(squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """Mean of max(1 + best score of a wrong class - score of the right one, 0), one-hot labels."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: DTypeLike | None = None) -> None:
        super().__init__(categorical_hinge, name, dtype)
