"""Flat storage: the buffers behind Variables, their gradients and the optimizers' slots.

All Variables of one dtype lie one after the other in one buffer, each beginning on a cache line; their gradients lie in
a second buffer of the same layout. Zeroing, updating and saving are then single passes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

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

    def runs(self, variables: Iterable[Variable], marked: Container[int] = (), merged: bool = True) -> Array:
        """int64, (r, 3). Offsets and lengths that cover the variables, and 0 where id(variable) is marked, else 1.

        merged: equal neighbours are one run; else each variable has its own.
        """
        pieces = sorted(
            (self.offsets[id(v)], -(-v.size // ALIGNMENT) * ALIGNMENT, int(id(v) not in marked))
            for v in variables
            if v.size
        )
        runs: list[list[int]] = []
        for offset, length, flag in pieces:
            if merged and runs and runs[-1][0] + runs[-1][1] == offset and runs[-1][2] == flag:
                runs[-1][1] += length
            else:
                runs.append([offset, length, flag])
        return np.array(runs, np.int64).reshape(-1, 3)


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
