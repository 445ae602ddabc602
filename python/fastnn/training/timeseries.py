"""Windows of a time series as batches."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.training.dataset import PyDataset


class Windows(PyDataset):
    """Batches of windows of a time series, and what belongs to each: see timeseries_dataset_from_array()."""

    def __init__(self, data: Array, targets: Array | None, starts: Array, steps: Array, batch_size: int | None) -> None:
        super().__init__()
        self._data, self._targets, self._starts, self._steps = data, targets, starts, steps
        self._batch_size = batch_size

    def __len__(self) -> int:
        return len(self._starts) if self._batch_size is None else ceil(len(self._starts) / self._batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"[timeseries] expected a batch in [0, {len(self)}), got {index}")
        some = index if self._batch_size is None else slice(index * self._batch_size, (index + 1) * self._batch_size)
        starts = self._starts[some]
        x = self._data[starts[..., None] + self._steps]
        return x if self._targets is None else (x, self._targets[starts])

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Windows:
    """Windows of a time series, for fit() and its like, or to be gone through.

    data: (t, ...), a step of time along the first axis. targets: (t', ...) or None; targets[i] belongs to the window
    that begins at data[i]. sequence_length: steps in a window. sequence_stride: steps from one window's beginning to
    the next one's. sampling_rate: steps between neighbours in a window. batch_size: windows in a batch, the last one
    may be shorter; None for windows one by one. shuffle, seed: windows in an order drawn once. start_index, end_index:
    only the data from the one to before the other. format: of Keras, which makes other data sets; changes nothing here.
    A batch is x, (n, sequence_length, ...), or (x, targets of x). Raises ValueError for settings that give no window.
    """
    series = np.asarray(data)
    begin, end = start_index or 0, len(series) if end_index is None else end_index
    for name, value in (("start_index", begin), ("end_index", end)):
        if not 0 <= value <= len(series):
            raise ValueError(f"[timeseries_dataset_from_array] expected {name} in [0, {len(series)}], got {value}")
    for name, value in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        if value < 1:
            raise ValueError(f"[timeseries_dataset_from_array] expected {name} >= 1, got {value}")
    count = end - begin - (sequence_length - 1) * sampling_rate
    wanted = None if targets is None else np.asarray(targets)[begin:end]
    if wanted is not None:
        count = min(count, len(wanted))
    if count < 1:
        raise ValueError(
            f"[timeseries_dataset_from_array] expected at least {(sequence_length - 1) * sampling_rate + 1} steps for "
            f"a window, and a target, got {end - begin} steps"
        )
    starts = np.arange(0, count, sequence_stride)
    if shuffle:
        np.random.default_rng(seed).shuffle(starts)
    steps = np.arange(0, sequence_length * sampling_rate, sampling_rate)
    return Windows(series[begin:end], wanted, starts, steps, batch_size)
