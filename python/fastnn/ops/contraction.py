"""Sums of products over named axes: einsum, tensordot, inner, outer. Made of transposes and matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import composite, raw
from fastnn.ops.elementwise import multiply
from fastnn.ops.gemm import matmul
from fastnn.ops.rearrange import diagonal
from fastnn.ops.reduce import sum
from fastnn.ops.transpose import reshape, transpose


def _shape(x: Any) -> tuple[int, ...]:
    return np.shape(raw(x))


class _Labelled:
    """An operand and one letter for each of its axes."""

    def __init__(self, x: Any, labels: str) -> None:
        self.x, self.labels = x, labels

    def sizes(self) -> dict[str, int]:
        return dict(zip(self.labels, _shape(self.x), strict=True))

    def summed(self, wanted: str) -> _Labelled:
        """Without the axes that are not wanted."""
        away = tuple(i for i, label in enumerate(self.labels) if label not in wanted)
        kept = "".join(label for label in self.labels if label in wanted)
        return _Labelled(sum(self.x, away), kept) if away else self

    def once(self) -> _Labelled:
        """With each letter once: of axes that share one their diagonal."""
        x, labels = self.x, self.labels
        for label in self.labels:
            while labels.count(label) > 1:
                first, second = labels.index(label), labels.rindex(label)
                x = diagonal(x, 0, first, second)
                labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
        return _Labelled(x, labels)

    def ordered(self, labels: str) -> Any:
        order = [self.labels.index(label) for label in labels]
        return self.x if order == list(range(len(order))) else transpose(self.x, order)


def _product(a: _Labelled, b: _Labelled, wanted: str) -> _Labelled:
    """The product of both, summed over what is not wanted: one matrix product for each place in the shared axes."""
    a, b = a.summed(b.labels + wanted), b.summed(a.labels + wanted)
    both = [label for label in a.labels if label in b.labels]
    batch = "".join(label for label in both if label in wanted)
    inner = "".join(label for label in both if label not in wanted)
    rows = "".join(label for label in a.labels if label not in both)
    cols = "".join(label for label in b.labels if label not in both)
    sizes = {**b.sizes(), **a.sizes()}

    def length(labels: str) -> int:
        return prod(sizes[label] for label in labels)

    lead = [sizes[label] for label in batch]
    left = reshape(a.ordered(batch + rows + inner), (*lead, length(rows), length(inner)))
    right = reshape(b.ordered(batch + inner + cols), (*lead, length(inner), length(cols)))
    y = reshape(matmul(left, right), (*lead, *(sizes[label] for label in rows + cols)))
    return _Labelled(y, batch + rows + cols)


def _parse(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, an ellipsis replaced by letters of its own."""
    if not isinstance(subscripts, str):
        raise TypeError(f"[einsum] expected subscripts as a string, got {type(subscripts).__name__}")
    text = subscripts.replace(" ", "")
    left, arrow, result = text.partition("->")
    operands = left.split(",")
    if len(operands) != len(shapes):
        raise ValueError(f"[einsum] expected {len(operands)} operands for {subscripts!r}, got {len(shapes)}")
    spare = [chr(code) for code in range(ord("A"), ord("z") + 1) if chr(code).isalpha() and chr(code) not in text]
    lead = max([len(shape) - len(o) + 3 for o, shape in zip(operands, shapes, strict=True) if "..." in o], default=0)
    lead_labels = "".join(spare[:lead])
    found = []
    for labels, shape in zip(operands, shapes, strict=True):
        own = len(shape) - len(labels) + 3 if "..." in labels else 0
        full = labels.replace("...", lead_labels[lead - own :])
        if own < 0 or len(full) != len(shape) or not all(label.isalpha() for label in full):
            raise ValueError(f"[einsum] expected a letter for each axis of {shape}, got {labels!r} in {subscripts!r}")
        found.append(full)
    every = "".join(found)
    if not arrow:
        once = sorted(label for label in set(every) if every.count(label) == 1 and label not in lead_labels)
        return found, lead_labels + "".join(once)
    result = result.replace("...", lead_labels)
    if len(set(result)) < len(result) or not set(result) <= set(every):
        raise ValueError(f"[einsum] expected a result of the operands' letters, each once, got {subscripts!r}")
    return found, result


def _check_sizes(operands: Sequence[_Labelled], subscripts: str) -> None:
    known: dict[str, int] = {}
    for operand in operands:
        for label, length in zip(operand.labels, _shape(operand.x), strict=True):
            if known.setdefault(label, length) != length:
                raise ValueError(
                    f"[einsum] expected one length for {label!r} in {subscripts!r}, got {known[label]} and {length}"
                )


@composite
def einsum(subscripts: str, *operands: Any) -> Any:
    """Sum of products over named axes, as numpy.einsum: einsum("ij,jk->ik", a, b) is the matrix product.

    subscripts: a letter for each axis of each operand, "..." for those in front, which do not broadcast; after "->" the
    axes of the result, by default those with a letter that occurs once. Operands are multiplied from left to right.
    A letter twice in one operand stands for the diagonal of these axes. Raises ValueError if subscripts do not fit.
    """
    labels, result = _parse(subscripts, [_shape(x) for x in operands])
    parts = [_Labelled(x, own) for x, own in zip(operands, labels, strict=True)]
    _check_sizes(parts, subscripts)
    parts = [part.once() for part in parts]
    y = parts[0]
    for i, part in enumerate(parts[1:], 2):
        y = _product(y, part, result + "".join(later.labels for later in parts[i:]))
    return y.summed(result).ordered(result)


@composite
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sum of products over pairs of axes. axes: how many last ones of x1 and first ones of x2, or (of x1, of x2)."""
    n1, n2 = len(_shape(x1)), len(_shape(x2))
    if isinstance(axes, (int, np.integer)):
        of_1, of_2 = list(range(n1 - int(axes), n1)), list(range(int(axes)))
    else:
        of_1, of_2 = ([int(a)] if isinstance(a, (int, np.integer)) else [int(i) for i in a] for a in axes)
    of_1, of_2 = ([normalize_axes(a, n, "tensordot")[0] for a in of] for of, n in ((of_1, n1), (of_2, n2)))
    lengths = [[_shape(x)[a] for a in of] for x, of in ((x1, of_1), (x2, of_2))]
    if lengths[0] != lengths[1]:
        raise ValueError(f"[tensordot] expected axes of equal lengths, got {lengths[0]} and {lengths[1]}")
    rest_1, rest_2 = ([a for a in range(n) if a not in of] for n, of in ((n1, of_1), (n2, of_2)))
    outer = [_shape(x1)[a] for a in rest_1] + [_shape(x2)[a] for a in rest_2]
    left = reshape(transpose(x1, [*rest_1, *of_1]), (prod(_shape(x1)[a] for a in rest_1), prod(lengths[0])))
    right = reshape(transpose(x2, [*of_2, *rest_2]), (prod(lengths[0]), prod(_shape(x2)[a] for a in rest_2)))
    return reshape(matmul(left, right), outer)


@composite
def dot(x1: Any, x2: Any, *, out: Array | None = None) -> Any:
    """Dot product as numpy.dot: y[..., i, ..., j] = sum_p x1[..., i, p] x2[..., p, j]; a scalar multiplies.

    x1: real, (..., k). x2: real, (..., k, n) or (k,). out: where x2 has at most two axes.
    """
    n1, n2 = len(_shape(x1)), len(_shape(x2))
    if n1 == 0 or n2 == 0:
        return multiply(x1, x2, out=out)
    if n2 > 2 and out is None:
        return tensordot(x1, x2, ((-1,), (-2,)))
    return matmul(x1, x2, out=out)


@composite
def inner(x1: Any, x2: Any) -> Any:
    """Sum of products over the last axes: y[..., ...] = sum_p x1[..., p] x2[..., p]; a scalar multiplies."""
    if not _shape(x1) or not _shape(x2):
        return multiply(x1, x2)
    return tensordot(x1, x2, ((-1,), (-1,)))


@composite
def outer(x1: Any, x2: Any) -> Any:
    """Every product of an element of x1 with one of x2, both flattened: y[i, j] = x1[i] x2[j]."""
    return multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


@composite
def vdot(x1: Any, x2: Any) -> Any:
    """Sum of the products of all elements: y = sum(x1 x2)."""
    return sum(multiply(reshape(x1, -1), reshape(x2, -1)))
