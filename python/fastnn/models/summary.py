"""A model as a table: layers, output shapes, numbers of parameters, connections."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from fastnn.autograd import Variable
from fastnn.models.outline import Part, is_chain, parts_of

#: Columns are as wide as what they hold, up to so many characters, unless a line length is given.
_WIDEST = {"Layer (type)": 52, "Output Shape": 44, "Param #": 20, "Connected to": 40, "Trainable": 9}

#: Where columns end in a line of given length, as shares of it.
_POSITIONS = {3: (0.45, 0.80, 1.0), 4: (0.3, 0.56, 0.74, 1.0)}

_HEADER = ("Layer (type)", "Output Shape", "Param #")


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Prints one row per layer or op and the totals, line by line. See Model.summary()."""
    parts = parts_of(model)
    connected = not is_chain(parts)
    header = [*_HEADER, *(["Connected to"] if connected else []), *(["Trainable"] if show_trainable else [])]
    rows: list[list[str]] = []
    for part in parts[slice(*_bounds(parts, layer_range))]:
        rows += _rows(part, connected, show_trainable, expand_nested, "")
    show = print_fn or print
    show(f'Model: "{model.name}"')
    for line in _table(header, rows, _widths(header, rows, line_length, positions, connected)):
        show(line)
    for line in _totals(model):
        show(line)


def _bounds(parts: list[Part], layer_range: Sequence[str] | None) -> tuple[int, int]:
    """Where the parts begin and end whose names, or patterns of names, are given."""
    if layer_range is None:
        return 0, len(parts)
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"[summary] expected layer_range as two names, got {layer_range!r}")
    found = [[i for i, part in enumerate(parts) if re.match(name, part.name)] for name in layer_range]
    for name, positions in zip(layer_range, found, strict=True):
        if not positions:
            raise ValueError(f"[summary] expected layer_range of {[part.name for part in parts]}, got {name!r}")
    first, last = found[0][0], found[1][-1]
    return min(first, last), max(first, last) + 1


def _rows(part: Part, connected: bool, show_trainable: bool, expand: bool, indent: str) -> list[list[str]]:
    layer = part.layer
    row = [f"{indent}{part.name} ({part.kind})", _shapes(part.outputs), _count(part)]
    if connected:
        sources = [f"{source.name}[{source.call}][{source.output}]" for source in part.sources]
        row.append(", ".join(sources) or "-")
    if show_trainable:
        has_weights = layer is not None and bool(layer.weights)
        row.append("-" if not has_weights or layer is None else "Y" if layer.trainable else "N")
    rows = [row]
    if expand and layer is not None:
        deeper = "   " + (indent or "└ ")
        for inner in parts_of(layer):
            inner.sources = []
            rows += _rows(inner, connected, show_trainable, expand, deeper)
    return rows


def _shapes(shapes: list[Any]) -> str:
    if not shapes:
        return "?"
    return str(shapes[0]) if len(shapes) == 1 else str(shapes)


def _count(part: Part) -> str:
    if part.layer is None:
        return "0"
    return f"{part.layer.count_params():,}" if part.layer.built else "0 (unbuilt)"


def _widths(
    header: list[str],
    rows: list[list[str]],
    line_length: int | None,
    positions: Sequence[float] | None,
    connected: bool,
) -> list[int]:
    """Characters for what each column holds."""
    if line_length is None and positions is None:
        columns = zip(header, *rows, strict=True)
        return [min(_WIDEST[name], max(map(len, column))) for name, column in zip(header, columns, strict=True)]
    length = line_length or (108 if connected else 88)
    ends = list(positions or _POSITIONS[4 if connected else 3])
    if "Trainable" in header and len(ends) < len(header):
        ends = [0.9 * end for end in ends] + [1.0]
    stops = [int(end if end > 1 else end * length) for end in ends]
    widths = [stop - start - 3 for start, stop in zip([0, *stops], stops, strict=False)]
    if len(widths) != len(header) or min(widths) < 1:
        raise ValueError(f"[summary] expected positions for {len(header)} columns in {length} characters, got {ends}")
    return widths


def _table(header: list[str], rows: list[list[str]], widths: list[int]) -> list[str]:
    def rule(left: str, cross: str, right: str) -> str:
        return left + cross.join("─" * (width + 2) for width in widths) + right

    right = [name == "Param #" for name in header]
    lines = [rule("┌", "┬", "┐"), *_lines(header, widths, right), rule("├", "┼", "┤")]
    for row in rows:
        lines += _lines(row, widths, right)
    return [*lines, rule("└", "┴", "┘")]


def _lines(row: list[str], widths: list[int], right: list[bool]) -> list[str]:
    """A row, whose cells go on in the next line where they are too long."""
    cells = [_wrapped(text, width) for text, width in zip(row, widths, strict=True)]
    found = []
    for texts in zip_longest(*cells, fillvalue=""):
        padded = (
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(texts, widths, right, strict=True)
        )
        found.append("│ " + " │ ".join(padded) + " │")
    return found


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    indent = min(len(text) - len(text.lstrip(" └")), width // 2)
    return wrap(text, width, subsequent_indent=" " * indent)


def _totals(model: Any) -> list[str]:
    trainable, frozen = model.trainable_variables, model.non_trainable_variables
    state = [] if not model.compiled or not model.optimizer.built else list(model.optimizer.state().values())
    totals = {
        "Total": [*trainable, *frozen, *state],
        "Trainable": trainable,
        "Non-trainable": frozen,
        **({"Optimizer": state} if state else {}),
    }
    return [f" {name} params: {sum(a.size for a in arrays):,} ({_bytes(arrays)})" for name, arrays in totals.items()]


def _bytes(arrays: Sequence[Variable | Any]) -> str:
    amount = float(sum(array.size * array.dtype.itemsize for array in arrays))
    for unit in ("B", "KB", "MB"):
        if amount < 1024:
            return f"{amount:.2f} {unit}"
        amount /= 1024
    return f"{amount:.2f} GB"
