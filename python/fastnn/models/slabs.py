"""Predictions for large batches of images: some samples after the others, whose activations stay in the caches.

A layer after the other over 64 images writes and reads megabytes, at the speed of the third-level cache; two to eight
images at a time stay in the second. How many they are follows from shapes alone.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from fastnn.layers import (
    ELU,
    Activation,
    Add,
    Average,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Maximum,
    Multiply,
    PReLU,
    ReLU,
)
from fastnn.layers.convolution import Windowed
from fastnn.layers.image_layer import ImageLayer
from fastnn.structure import is_ours
from fastnn.symbolic import Node, SymbolicTensor, symbols

if TYPE_CHECKING:
    from fastnn.models.trainer import Trainer

#: Bytes that the largest layer may read and write for the samples of a slab: with these it stays in the second-level
#: cache, or nearly. A batch of fewer than SMALL is left whole, one whose slabs would be over LARGE, too.
AIM, SMALL, LARGE = 2 << 20, 4 << 20, 8 << 20

#: Bytes of activations of a slab for each byte of weights, which are read once more for each slab.
PER_WEIGHT = 4

#: Layers that do for a sample what they would do if it were alone, besides those of images.
_APART = (
    Activation, Add, Average, BatchNormalization, Concatenate, Dense, Dropout, ELU, Flatten, LeakyReLU, Maximum,
    Multiply, PReLU, ReLU,
)  # fmt: skip


class Slabs:
    """How a model's batches are cut. None of them is where samples might depend on each other."""

    def __init__(self, model: Trainer) -> None:
        self._largest = self._all = self._weights = 0
        begin, end = getattr(model, "input", None), getattr(model, "output", None)
        if not isinstance(begin, SymbolicTensor) or not isinstance(end, SymbolicTensor) or not is_ours(type(model)):
            return
        nodes = _nodes(begin, end)
        moved = [_bytes(node) if _is_apart(node) else 0 for node in nodes]
        if not moved or not all(moved) or not any(isinstance(node.operation, Windowed) for node in nodes):
            return
        self._largest, self._all = max(moved), sum(moved)
        self._weights = sum(prod(v.shape) * v.dtype.itemsize for v in model.variables)

    def samples(self, batch: int) -> int:
        """How many samples of a batch to take at a time; all of them where nothing is won."""
        if batch * self._largest < SMALL:
            return batch
        size = 1
        while 2 * size * self._largest <= AIM or size * self._all < PER_WEIGHT * self._weights:
            size *= 2
        return size if size < batch and size * self._largest <= LARGE else batch


def _nodes(begin: SymbolicTensor, end: SymbolicTensor) -> list[Node]:
    """The calls that lead from one symbolic tensor to another, or to none if they begin elsewhere, too."""
    found: dict[int, Node] = {}
    pending = [end]
    while pending:
        tensor = pending.pop()
        if tensor is begin or (tensor.node is not None and id(tensor.node) in found):
            continue
        if tensor.node is None or not tensor.node.inputs:
            return []
        found[id(tensor.node)] = tensor.node
        pending += tensor.node.inputs
    return list(found.values())


def _is_apart(node: Node) -> bool:
    """Whether a call does for a sample what it would do if it were alone."""
    layer: Any = node.operation
    if node.kwargs or len(node.args) != 1:  # training=True, for one
        return False
    if isinstance(layer, (Windowed, ImageLayer)):
        return is_ours(type(layer))
    return type(layer) in _APART and getattr(layer, "axis", -1) != 0


def _bytes(node: Node) -> int:
    """What a call reads and writes for one sample; 0 if that is not known."""
    total = 0
    for tensor in (*node.inputs, *symbols(node.outputs)):
        sizes = [size for size in tensor.shape[1:] if size is not None]
        if not sizes or len(sizes) + 1 < len(tensor.shape):
            return 0
        total += prod(sizes) * tensor.dtype.itemsize
    return total
