"""Flat storage: the buffers behind Variables, their gradients and the optimizers' slots.

All Variables of one dtype lie one after the other in one buffer, each beginning on a cache line; their gradients lie in
a second buffer of the same layout. Zeroing, updating and saving are then single passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Variable, Want
from fastnn.backend import full
from fastnn.structure import structure_changed

#: Every Variable begins at a multiple of so many elements: 64 bytes of float32.
ALIGNMENT = 16


class FlatBuffer:
    """Variables of one dtype. values, grads: (size,); what lies between Variables stays zero."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.dtype = variables[0].dtype
        self.offsets: dict[int, int] = {}
        size = 0
        for variable in variables:
            self.offsets[id(variable)] = size
            size += -(-variable.size // ALIGNMENT) * ALIGNMENT
        self.values = full((size,), 0.0, self.dtype)
        self.grads = full((size,), 0.0, self.dtype)
        for variable in variables:
            self._adopt(variable)

    def _adopt(self, variable: Variable) -> None:
        values = self._view(self.values, variable)
        values[...] = variable._value
        variable._value = values
        variable.want = Want(self._view(self.grads, variable))
        variable.storage = self
        structure_changed()

    def _view(self, buffer: Array, variable: Variable) -> Array:
        start = self.offsets[id(variable)]
        return buffer[start : start + variable.size].reshape(variable.shape)

    def slot(self, buffer: Array, variable: Variable) -> Array:
        """The part of a buffer of this layout that belongs to variable, in its shape."""
        return self._view(buffer, variable)

    def runs(self, variables: Iterable[Variable]) -> Array:
        """int64, (r, 2). Offsets and lengths that cover the variables; neighbours are one run."""
        pieces = sorted((self.offsets[id(v)], -(-v.size // ALIGNMENT) * ALIGNMENT) for v in variables if v.size)
        merged: list[list[int]] = []
        for offset, length in pieces:
            if merged and merged[-1][0] + merged[-1][1] == offset:
                merged[-1][1] += length
            else:
                merged.append([offset, length])
        return np.array(merged, np.int64).reshape(-1, 2)


class FlatStorage:
    """Packs Variables into FlatBuffers. A Variable is packed once, keeps its identity, and its later owners share it.

    variables: floating ones; those packed before stay where they are.
    buffers: the buffers that hold them, each once.
    """

    def __init__(self, variables: Iterable[Variable]) -> None:
        unique = list({id(v): v for v in variables}.values())
        fresh: dict[np.dtype[np.generic], list[Variable]] = {}
        for variable in unique:
            if variable.storage is None:
                fresh.setdefault(variable.dtype, []).append(variable)
        for group in fresh.values():
            FlatBuffer(group)
        self.buffers: list[FlatBuffer] = list({id(v.storage): v.storage for v in unique}.values())
