"""Objective: the losses that compile() was given, one for each output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnn import losses, ops
from fastnn.losses.loss import Loss
from fastnn.structure import is_ours
from fastnn.training.outputs import Outputs, free_name


class Objective:
    """Losses and their weights. Which output each belongs to is found with the first batch.

    loss: a loss for all outputs, or a list or dict of them, None for an output that is not judged. loss_weights:
    numbers in the same order or by the same names, or one number.
    """

    def __init__(self, loss: Any, loss_weights: Any) -> None:
        if loss_weights is not None and not isinstance(loss_weights, (int, float, list, tuple, Mapping)):
            raise TypeError(f"[compile] expected loss_weights as a number, a list or a dict, got {loss_weights!r}")
        self.loss, self.loss_weights = _each(_ready, loss), loss_weights
        self.outputs: Outputs | None = None
        self.names: list[str] = []  # of the losses of their own, where there are several
        self._terms: list[tuple[int, Loss, float | None]] = []

    @property
    def recordable(self) -> bool:
        """Whether all losses are this package's own, so that a step through them can be replayed."""
        return all(is_ours(type(loss)) and loss.recordable for loss in _flat(self.loss) if isinstance(loss, Loss))

    def build(self, y: Any, y_pred: Any, names: Sequence[str] | None) -> Outputs:
        """Finds out which loss belongs to which output."""
        outputs = Outputs(y_pred, names)
        given = self.loss
        if outputs.single and isinstance(given, (list, tuple, Mapping)) and len(given) == 1:
            (given,) = given.values() if isinstance(given, Mapping) else given
        found = [_only(loss) for loss in outputs.align(given, "a loss", "compile")]
        weights = outputs.align(self.loss_weights, "loss_weights", "compile")
        truths = self._targets(outputs, y, [loss is not None for loss in found])
        predictions = outputs.pick(y_pred)
        self._terms, own = [], []
        for i, loss in enumerate(found):
            if loss is not None:
                made = losses.loss_of(loss, truths[i], predictions[i])
                assert made is not None
                self._terms.append((i, made, None if weights[i] is None else float(weights[i])))
                own.append(outputs.names[i] or made.name)
        self.names = []
        if len(own) > 1:
            for name in own:
                self.names.append(free_name(f"{name}_loss", self.names))
        self.outputs = outputs
        return outputs

    def targets(self, y: Any) -> list[Any]:
        """The targets of each output."""
        assert self.outputs is not None
        judged = {i for i, _, _ in self._terms}
        return self._targets(self.outputs, y, [i in judged for i in range(len(self.outputs))])

    def _targets(self, outputs: Outputs, y: Any, judged: list[bool]) -> list[Any]:
        if outputs.single:
            if isinstance(y, (list, tuple, Mapping)) and len(y) == 1:
                (y,) = y.values() if isinstance(y, Mapping) else y
            return [y]
        if y is None:
            return [None] * len(outputs)
        parts = list(y) if isinstance(y, (list, tuple)) else None
        if parts is None and not isinstance(y, Mapping):
            parts = [y]
        if parts is not None and len(parts) != len(outputs) and len(parts) == sum(judged):
            left = iter(parts)  # none for outputs without a loss
            return [next(left) if wanted else None for wanted in judged]
        if parts is not None and outputs.flat and len(parts) != len(outputs):
            raise ValueError(f"[compute_loss] expected targets for {len(outputs)} outputs, got {len(parts)}")
        return outputs.align(y, "targets", "compute_loss")

    def values(self, y: Any, y_pred: Any, sample_weight: Any, names: Sequence[str] | None) -> list[Any]:
        """The loss of each output that has one, without its weight."""
        outputs = self.outputs or self.build(y, y_pred, names)
        if outputs.single and self._terms and not isinstance(y, (list, tuple, Mapping)):
            return [self._terms[0][1](_needed(y), y_pred, sample_weight)]
        predictions = outputs.pick(y_pred)
        truths = self.targets(y)
        weights = outputs.align(sample_weight, "sample_weight", "compute_loss")
        return [loss(_needed(truths[i]), predictions[i], weights[i]) for i, loss, _ in self._terms]

    def weighted(self, values: Sequence[Any]) -> list[Any]:
        """The losses times their weights."""
        return [
            value if weight is None else ops.multiply(value, weight)
            for value, (_, _, weight) in zip(values, self._terms, strict=True)
        ]


def _only(loss: Any) -> Any:
    """The loss of an output, which may stand in a list of its own."""
    return loss[0] if isinstance(loss, (list, tuple)) and len(loss) == 1 else loss


def _needed(y: Any) -> Any:
    if y is None:
        raise ValueError("[compute_loss] expected targets y, got None")
    return y


def _ready(loss: Any) -> Any:
    """A loss by name or configuration; what depends on the shapes of the first batch stays a name."""
    return loss if isinstance(loss, str) and loss in losses.BY_SHAPE else losses.loss_of(loss)


def _each(function: Any, data: Any) -> Any:
    if isinstance(data, Mapping) and not {"class_name", "config"} <= set(data):
        return {key: _each(function, part) for key, part in data.items()}
    if isinstance(data, (list, tuple)):
        return [_each(function, part) for part in data]
    return function(data)


def _flat(data: Any) -> list[Any]:
    if isinstance(data, Mapping):
        return [leaf for part in data.values() for leaf in _flat(part)]
    if isinstance(data, (list, tuple)):
        return [leaf for part in data for leaf in _flat(part)]
    return [data]


def count_of(y_pred: Any) -> int:
    """The number of samples that predictions are for."""
    while not hasattr(y_pred, "shape"):
        y_pred = next(iter(y_pred.values() if isinstance(y_pred, Mapping) else y_pred))
    shape = y_pred.shape
    return int(shape[0]) if shape else 1
