"""Figures: the metrics that compile() was given, for each output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn import metrics
from fastnn.autograd import raw
from fastnn.masks import mask_of, masked
from fastnn.metrics import Metric
from fastnn.training.objective import Objective
from fastnn.training.outputs import Outputs, free_name


class Figures:
    """Metrics by the names they have in logs. They are made with the first batch, whose shapes say what "accuracy"
    means.

    plain, weighted: a list of metrics for the one output; for several, a list or dict of lists. Weighted ones see the
    sample weights.
    """

    def __init__(self, plain: Any, weighted: Any) -> None:
        for argument, given in (("metrics", plain), ("weighted_metrics", weighted)):
            if given is not None and not isinstance(given, (list, tuple, Mapping)):
                raise TypeError(f"[compile] expected {argument} as a list or a dict, got {given!r}")
        self.plain, self.weighted = plain, weighted
        self.built = False
        self.named: dict[str, Metric] = {}
        self._fed: list[tuple[int, Metric, bool]] = []  # output, metric, whether it sees weights

    @property
    def metrics(self) -> list[Metric]:
        return list(self.named.values())

    def update(self, objective: Objective, y: Any, y_pred: Any, sample_weight: Any, names: Any) -> None:
        """Adds a batch."""
        if not self.built:
            self._build(objective, y, y_pred, names)
        if not self._fed:
            return
        outputs = objective.outputs
        assert outputs is not None
        if outputs.single and not isinstance(y, (list, tuple, Mapping)):
            values = masked(raw(y_pred), mask_of(y_pred))
            for _, metric, weighted in self._fed:
                metric.update_state(y, values, sample_weight if weighted else None)
            return
        predictions, truths = outputs.pick(y_pred), objective.targets(y)
        weights = outputs.align(sample_weight, "sample_weight", "compute_metrics")
        for i, metric, weighted in self._fed:
            values = masked(raw(predictions[i]), mask_of(predictions[i]))
            metric.update_state(truths[i], values, weights[i] if weighted else None)

    def _build(self, objective: Objective, y: Any, y_pred: Any, names: Any) -> None:
        outputs = objective.outputs or objective.build(y, y_pred, names)
        self.built = True
        if not self.plain and not self.weighted:
            return
        truths, predictions = objective.targets(y), outputs.pick(y_pred)
        for argument, given, weighted in (("metrics", self.plain, False), ("weighted_metrics", self.weighted, True)):
            for i, asked in enumerate(_by_output(outputs, given, argument)):
                for identifier in asked:
                    metric = metrics.get(identifier, truths[i], raw(predictions[i]))
                    self._add(i, metric, weighted, outputs.names[i] if len(outputs) > 1 else None)

    def _add(self, output: int, metric: Metric, weighted: bool, prefix: str | None) -> None:
        start = "" if prefix is None else f"{prefix}_"
        name = f"{start}{metric.name}"
        if weighted and name in self.named:
            name = f"{start}weighted_{metric.name}"
        self.named[free_name(name, self.named)] = metric
        self._fed.append((output, metric, weighted))


def _by_output(outputs: Outputs, given: Any, argument: str) -> list[list[Any]]:
    """The metrics asked for each output."""
    if not given:
        return [[] for _ in outputs.paths]
    if len(outputs) == 1:
        return [_flat(given)]
    found = outputs.align(given, argument, "compile")
    return [[] if part is None else _flat(part) for part in found]


def _flat(given: Any) -> list[Any]:
    if isinstance(given, Mapping) and not {"class_name", "config"} <= set(given):
        return [leaf for part in given.values() for leaf in _flat(part)]
    if isinstance(given, (list, tuple)):
        return [leaf for part in given for leaf in _flat(part)]
    return [] if given is None else [given]
