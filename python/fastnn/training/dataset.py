"""PyDataset: batches of one's own, by number."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any


class PyDataset:
    """Base class of data sets that give whole batches. Implement __getitem__, and __len__ or num_batches.

    class Pictures(PyDataset):
        def __len__(self):
            return ceil(len(self.files) / 32)
        def __getitem__(self, index):
            return load(self.files[32 * index : 32 * index + 32]), self.labels[32 * index : 32 * index + 32]

    A batch is (x,), (x, y) or (x, y, sample_weight). num_batches None means that there is no end, and a number of steps
    has to be given. fit(shuffle=True) asks for the batches of an epoch in random order.
    workers: how many threads make batches in advance, or processes with use_multiprocessing; 1 makes them where they
    are needed. max_queue_size: how many batches wait at most.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        if workers < 0 or max_queue_size < 1:
            raise ValueError(
                f"[PyDataset] expected workers >= 0 and max_queue_size >= 1, got {workers} and {max_queue_size}"
            )
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """The batch of that number."""
        raise NotImplementedError(f"[{type(self).__name__}] expected __getitem__() to be implemented")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are, None for no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"[{type(self).__name__}] expected __len__() or num_batches to be implemented")

    def __iter__(self) -> Iterator[Any]:
        """The batches in their order; without end where their number is not known."""
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        return (self[index] for index in (itertools.count() if count is None else range(count)))

    def on_epoch_begin(self) -> None:
        """Before an epoch asks for batches."""

    def on_epoch_end(self) -> None:
        """After an epoch."""


def batches_of(dataset: PyDataset, numbers: Iterator[int]) -> Iterator[Any]:
    """The batches of these numbers, in this order, made in advance where there are workers."""
    workers = getattr(dataset, "workers", 1)  # a subclass may not have called __init__
    if workers <= 1:
        yield from (dataset[number] for number in numbers)
        return
    made: Executor = ProcessPoolExecutor(workers) if dataset.use_multiprocessing else ThreadPoolExecutor(workers)
    with made as executor:
        waiting: deque[Future[Any]] = deque()
        try:
            for number in numbers:
                waiting.append(executor.submit(dataset.__getitem__, number))
                if len(waiting) >= dataset.max_queue_size:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
