"""What fit, evaluate and predict show: a bar per epoch (verbose 1) or a line per epoch (verbose 2)."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any

from fastnn.training.callbacks.callback import Callback

#: Seconds between two drawings: formatting the figures costs more than a small step.
INTERVAL = 0.1

BATCHES = frozenset({"on_train_batch_end", "on_test_batch_end", "on_predict_batch_end"})


def describe(logs: Mapping[str, Any] | None) -> str:
    """ "loss: 0.1234 - accuracy: 0.9000"."""
    return " - ".join(f"{name}: {_number(value)}" for name, value in (logs or {}).items())


def _number(value: Any) -> str:
    try:
        return f"{float(value):.4f}" if abs(float(value)) >= 1e-3 or float(value) == 0 else f"{float(value):.4e}"
    except (TypeError, ValueError):
        return str(value)


def in_notebook() -> bool:
    """Whether this is a notebook's kernel, whose output is no terminal but can show a bar."""
    return "ipykernel" in sys.modules


def shows_bar() -> bool:
    """Whether a bar that moves can be shown: in a terminal or a notebook, not in a file."""
    return in_notebook() or sys.stdout.isatty()


class ProgbarLogger(Callback):
    """Shows how training, an evaluation or a prediction goes on.

    A terminal or a notebook shows a bar that moves. Anything else, such as a log file, gets a line when an epoch, an
    evaluation or a prediction is done, and no control characters. Inside fit, validation shows nothing of its own.
    verbose: of params: 0 shows nothing, 1 or "auto" the bar, 2 the line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._label = ""
        self._began = self._shown = 0.0
        self._seen = self._drawn = 0
        self._training = False

    def set_params(self, params: Any) -> None:
        """Without a bar nothing is to be heard of single batches."""
        super().set_params(params)
        self.ignored = frozenset() if self._has_bar() else BATCHES

    def _has_bar(self) -> bool:
        return self.params["verbose"] in ("auto", 1, True) and shows_bar()

    # ---- the three kinds of output -----------------------------------------------------------------------------

    def _open(self, label: str) -> None:
        self._abandon()
        self._label, self._began = label, time.monotonic()
        self._seen = self._drawn = 0
        self._shown = 0.0
        if self._has_bar():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a notebook without widgets gets a bar of text
                from tqdm.auto import tqdm

                self._bar = tqdm(
                    total=self.params["steps"], desc=label, unit="batch", file=sys.stdout, dynamic_ncols=True
                )

    def _step(self, batch: int, logs: Mapping[str, Any] | None) -> None:
        self._seen = batch + 1
        now = time.monotonic()
        if self._bar is not None and now - self._shown > INTERVAL:
            self._shown = now
            self._draw(logs)

    def _draw(self, logs: Mapping[str, Any] | None) -> None:
        self._bar.set_postfix_str(describe(logs), refresh=False)
        self._bar.update(self._seen - self._drawn)
        self._drawn = self._seen

    def _close(self, logs: Mapping[str, Any] | None) -> None:
        if self._bar is not None:
            self._draw(logs)
            self._bar.refresh()
            self._abandon()
        elif self.params["verbose"]:
            seconds = time.monotonic() - self._began
            figures = describe(logs)
            print(f"{self._label} - {seconds:.2f} s{' - ' if figures else ''}{figures}", flush=True)

    def _abandon(self) -> None:
        """Leaves a bar as it is: training failed or was interrupted, or it is done."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    # ---- events --------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._training = True

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._open(f"Epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._step(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._close(logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._training = False
        self._abandon()

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        if not self._training:
            self._open("evaluate")

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if not self._training:
            self._step(batch, logs)

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if not self._training:
            self._close(logs)

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._open("predict")

    def on_predict_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._step(batch, None)

    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._close(None)
