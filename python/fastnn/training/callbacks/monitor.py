"""MonitorCallback: a callback that watches one figure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.metrics import Metric
from fastnn.training.callbacks.callback import Callback


class MonitorCallback(Callback):
    """Base class of callbacks that wait for a figure to get better.

    monitor: its name in the logs. mode: "min" or "max", or "auto", by the metric of that name: losses and errors are to
    fall, accuracies to rise. baseline: the first value to beat. min_delta: by how much.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"[{type(self).__name__}] expected mode 'auto', 'min' or 'max', got {mode!r}")
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: Any = baseline
        self._rises: bool | None = None if mode == "auto" else mode == "max"

    def monitored(self, logs: Mapping[str, Any] | None) -> float | None:
        """The figure; None, and a warning, where the logs lack it."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            known = ", ".join(logs or ()) or "none"
            warnings.warn(
                f"[{type(self).__name__}] expected a figure {self.monitor!r} in the logs, got {known}", stacklevel=3
            )
            return None
        if np.ndim(value):
            raise ValueError(f"[{type(self).__name__}] expected {self.monitor} to be one number, got {value!r}")
        return float(value)

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether value beats reference by min_delta. NaN beats nothing, and anything but NaN beats NaN."""
        if reference is None or math.isnan(reference):
            return reference is None or not math.isnan(value)
        if self._rises is None:
            self._rises = self._direction()
        return value - self.min_delta > reference if self._rises else value + self.min_delta < reference

    def _direction(self) -> bool:
        """True if the monitored figure is to rise."""
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return False
        for metric in getattr(self.model, "metrics", ()):
            known = isinstance(metric, Metric) and metric.direction is not None
            if known and (name == metric.name or name.endswith(f"_{metric.name}")):
                return bool(metric.direction == "up")
        raise ValueError(
            f"[{type(self).__name__}] expected mode 'min' or 'max' for {self.monitor!r}, whose direction is not known, "
            "got 'auto'"
        )
