"""Epochs: what data give from one epoch to the next, whatever kind of data they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import count
from typing import Any

import numpy as np

from fastnn.random import SeedGenerator
from fastnn.training.batches import Batch, Batches, as_arrays, as_batch, each, leaves, samples_of, with_class_weights
from fastnn.training.dataset import PyDataset, batches_of


class Epochs:
    """An epoch of batches at a time, out of passes over the data.

    length: the number of batches in a pass, None if it is not known. steps: the number of batches in an epoch, which
    goes on where the one before it ended; None for whole passes.
    """

    def __init__(self, length: int | None, steps: int | None) -> None:
        self.length, self.steps = length, steps
        self._pass: Iterator[Batch] | None = None

    @property
    def number(self) -> int | None:
        """How many batches an epoch has, as far as it is known."""
        return self.length if self.steps is None else self.steps

    def first(self) -> Any:
        """The inputs of some batch, by which a model is built; None if there is none."""
        raise NotImplementedError

    def begin(self) -> Iterator[Batch]:
        """A new pass over the data, or the one there is."""
        raise NotImplementedError

    def on_epoch_begin(self) -> None:
        """The beginning of an epoch."""

    def on_epoch_end(self) -> None:
        """The end of an epoch."""

    def __iter__(self) -> Iterator[Batch]:
        """The batches of an epoch."""
        self.on_epoch_begin()
        if self.steps is not None:
            return self._some(self.steps)
        return self.begin()

    def _some(self, steps: int) -> Iterator[Batch]:
        """The next so many batches. Warns, as Keras does, if a pass ends among them."""
        done = 0
        if self._pass is None:
            self._pass = self.begin()
        for _ in range(2):
            for batch in self._pass:
                yield batch
                done += 1
                if done == steps:
                    return
            before, self._pass = self._pass, self.begin()
            if done or self._pass is before:
                break  # else the epoch before this one ended where its pass did
        self.warn(done)

    def warn(self, done: int) -> None:
        """Says that an epoch has ended before its time."""
        warnings.warn(
            f"[fit] expected {self.steps or 'more'} batches in an epoch, got {done}: the data have ended. They have to "
            "give steps_per_epoch * epochs batches, or begin anew",
            stacklevel=5,
        )


class TableEpochs(Epochs):
    """Epochs of arrays."""

    def __init__(self, batches: Batches, steps: int | None) -> None:
        super().__init__(len(batches), steps)
        self.batches = batches

    def first(self) -> Any:
        return each(lambda a: a[:1], self.batches.data[0]) if self.batches.samples else None

    def begin(self) -> Iterator[Batch]:
        return iter(self.batches)


class DatasetEpochs(Epochs):
    """Epochs of a PyDataset. shuffle: a random stream for the order of the batches, or None."""

    def __init__(
        self,
        dataset: PyDataset,
        steps: int | None,
        shuffle: SeedGenerator | None,
        class_weight: Mapping[int, float] | None,
        where: str,
    ) -> None:
        super().__init__(dataset.num_batches, steps)
        if self.length is None and steps is None:
            raise ValueError(f"[{where}] expected a number of steps for a PyDataset without end, got None")
        if self.length == 0:
            raise ValueError(f"[{where}] expected at least one batch, got a PyDataset of length 0")
        self.dataset, self.shuffle, self.class_weight, self.where = dataset, shuffle, class_weight, where

    def first(self) -> Any:
        return as_batch(self.dataset[0], self.where)[0]

    def begin(self) -> Iterator[Batch]:
        numbers: Iterable[int] = count() if self.length is None else range(self.length)
        if self.shuffle is not None and self.length is not None:
            numbers = self.shuffle.numpy().permutation(self.length).tolist()
        for data in batches_of(self.dataset, iter(numbers)):
            yield with_class_weights(as_batch(data, self.where), self.class_weight, self.where)

    def on_epoch_begin(self) -> None:
        self.dataset.on_epoch_begin()
        self.length = self.dataset.num_batches

    def on_epoch_end(self) -> None:
        self.dataset.on_epoch_end()


class IterableEpochs(Epochs):
    """Epochs of a generator, which goes on from epoch to epoch, or of what can be iterated over again and again."""

    def __init__(
        self, data: Iterable[Any], steps: int | None, class_weight: Mapping[int, float] | None, where: str
    ) -> None:
        super().__init__(_length(data), steps)
        self.data, self.class_weight, self.where = data, class_weight, where
        self._only = hasattr(data, "__next__")  # an iterator: there is one pass
        self._peeked: list[Any] = []
        self._begun: Iterator[Batch] | None = None

    def first(self) -> Any:
        if not self._only:
            for data in self.data:
                return as_batch(data, self.where)[0]
            return None
        if not self._peeked:
            self._peeked = [data for _, data in zip(range(1), self.data, strict=False)]
        return as_batch(self._peeked[0], self.where)[0] if self._peeked else None

    def begin(self) -> Iterator[Batch]:
        if not self._only:
            return self._batches(iter(self.data))
        if self._begun is None:
            self._begun = self._batches(iter(self.data))
        return self._begun

    def _batches(self, found: Iterator[Any]) -> Iterator[Batch]:
        while True:
            try:
                data = self._peeked.pop() if self._peeked else next(found)
            except StopIteration:
                return
            batch = as_batch(data, self.where)
            if not samples_of(batch[0]):
                raise ValueError(f"[{self.where}] expected batches of at least one sample, got one of none")
            yield with_class_weights(batch, self.class_weight, self.where)


def is_stream(x: Any) -> bool:
    """True for data that give whole batches: generators, data sets, loaders; False for arrays and what can be one."""
    if isinstance(x, (PyDataset, Mapping, list, tuple, np.ndarray)) or x is None:
        return isinstance(x, PyDataset)
    return hasattr(x, "__iter__") and not hasattr(x, "__array__") and not isinstance(x, (str, bytes))


def epochs_of(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: Any = False,
    class_weight: Mapping[int, float] | None = None,
    where: str,
) -> Epochs:
    """The epochs of any kind of data that fit() takes.

    Raises ValueError for arguments that this kind of data cannot have, and for arrays that do not fit.
    """
    if shuffle not in (True, False, "batch"):
        raise ValueError(f"[{where}] expected shuffle True, False or 'batch', got {shuffle!r}")
    if not is_stream(x):
        return _table_epochs(x, y, sample_weight, batch_size, steps, shuffle, class_weight, where)
    for name, given in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
        if given is not None:
            raise ValueError(f"[{where}] expected no {name} beside {type(x).__name__}, which gives whole batches")
    if isinstance(x, PyDataset):
        return DatasetEpochs(x, steps, SeedGenerator() if shuffle else None, class_weight, where)
    return IterableEpochs(x, steps, class_weight, where)


def _table_epochs(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None, shuffle: Any, class_weight: Any,
    where: str,
) -> TableEpochs:  # fmt: skip
    if x is None:
        raise ValueError(f"[{where}] expected x, got None")
    data: Batch = (
        as_arrays(x, "x", where), as_arrays(y, "y", where), as_arrays(sample_weight, "sample_weight", where)
    )  # fmt: skip
    if not leaves(data[0]):
        raise TypeError(f"[{where}] expected arrays, got {type(x).__name__}")
    if class_weight is not None:
        Batches(data, 1, None, where)  # refuses lengths that differ
        data = with_class_weights(data, class_weight, where)
    stream = SeedGenerator() if shuffle else None
    batches = Batches(data, 32 if batch_size is None else batch_size, stream, where, shuffle == "batch")
    if batches.samples == 0:
        raise ValueError(f"[{where}] expected at least one sample, got none")
    return TableEpochs(batches, steps)


def _length(data: Any) -> int | None:
    """len(data), None if there is none; PyTorch's loaders of endless data have a len() that fails."""
    try:
        return len(data) if isinstance(data, Sized) else None
    except TypeError:
        return None
