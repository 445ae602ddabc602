from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.training.callbacks.callback import Callback


class CSVLogger(Callback):
    """Writes a row per epoch into a CSV file: the epoch, then the figures by name. The first epoch's are the columns.

    append: True goes on with a file that exists.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self._file: Any = None
        self._writer: Any = None
        self._names: list[str] = []

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._close()
        self._file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115 (open while training)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = logs or {}
        if self._writer is None:
            self._names = sorted(logs)
            if not any(name.startswith("val_") for name in logs):  # room for validation in later epochs
                self._names += [f"val_{name}" for name in self._names]
            self._writer = csv.writer(self._file, delimiter=self.sep)
            if not self.append or Path(self.filename).stat().st_size == 0:
                self._writer.writerow(["epoch", *self._names])
        self._writer.writerow([epoch, *(_cell(logs.get(name, "NA")) for name in self._names)])
        self._file.flush()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    return f"[{', '.join(map(str, value))}]" if np.ndim(value) else value
