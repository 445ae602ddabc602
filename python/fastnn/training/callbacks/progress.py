"""What fit, evaluate and predict show: a bar per epoch (verbose 1) or a line per epoch (verbose 2)."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from fastnn.training.callbacks.callback import Callback


def describe(logs: Mapping[str, Any] | None) -> str:
    """ "loss: 0.1234 - accuracy: 0.9000"."""
    return " - ".join(f"{name}: {value:.4f}" for name, value in (logs or {}).items())


class ProgressBar(Callback):
    """A bar by tqdm for every epoch, with the figures so far."""

    def __init__(self, steps: int, epochs: int | None, label: str = "") -> None:
        super().__init__()
        self.steps, self.epochs, self.label = steps, epochs, label
        self._bar: Any = None
        self._shown = 0.0

    def _open(self, label: str) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(
            total=self.steps, desc=label, unit="batch", file=sys.stdout, dynamic_ncols=True, mininterval=0.1
        )

    def _step(self, batch: int, logs: Mapping[str, Any] | None) -> None:
        now = time.monotonic()
        if now - self._shown > 0.1:  # formatting the figures costs more than a small step
            self._bar.set_postfix_str(describe(logs), refresh=False)
            self._shown = now
        self._bar.update(1)

    def _close(self, logs: Mapping[str, Any] | None) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(describe(logs))
            self._bar.close()
            self._bar = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._open(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._step(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._close(logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._close(logs)


class StepBar(ProgressBar):
    """The same for an evaluation or a prediction."""

    def __init__(self, steps: int, label: str) -> None:
        super().__init__(steps, None, label)

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._open(self.label)

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._step(batch, logs)

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._close(logs)

    on_predict_begin, on_predict_batch_end, on_predict_end = on_test_begin, on_test_batch_end, on_test_end


class EpochLine(Callback):
    """One line for every epoch, for log files."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        seconds = time.monotonic() - self._began
        print(f"Epoch {epoch + 1}/{self.epochs} - {seconds:.2f} s - {describe(logs)}", flush=True)
