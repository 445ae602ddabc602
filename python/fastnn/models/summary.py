"""A model as a table: layers, output shapes, numbers of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def print_summary(model: Any, line_length: int | None, print_fn: Callable[[str], Any]) -> None:
    """Prints one row per layer and the totals."""
    rows = [("Layer (type)", "Output Shape", "Param #"), *_rows(model)]
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(3)]
    if line_length is not None:
        widths[0] = max(widths[0], line_length - widths[1] - widths[2] - 4)
    rule = "─"
    print_fn(f'Model: "{model.name}"')
    print_fn("┌" + "┬".join(rule * w for w in widths) + "┐")
    for number, row in enumerate(rows):
        print_fn(
            "│"
            + "│".join(_cell(text, w, right=i == 2) for i, (text, w) in enumerate(zip(row, widths, strict=True)))
            + "│"
        )
        if number == 0:
            print_fn("├" + "┼".join(rule * w for w in widths) + "┤")
    print_fn("└" + "┴".join(rule * w for w in widths) + "┘")
    trainable = sum(v.size for v in model.trainable_variables)
    frozen = sum(v.size for v in model.non_trainable_variables)
    size = sum(v.size * v.dtype.itemsize for v in model.variables)
    print_fn(f" Total params: {trainable + frozen:,} ({_bytes(size)})")
    print_fn(f" Trainable params: {trainable:,}")
    print_fn(f" Non-trainable params: {frozen:,}")


def _rows(model: Any) -> list[tuple[str, str, str]]:
    shape = model._build_shape
    rows = []
    for layer in model.layers:
        output = "?"
        if shape is not None:
            shape = layer.compute_output_shape(shape)
            output = str(shape)
        count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        rows.append((f"{layer.name} ({type(layer).__name__})", output, count))
    return rows


def _cell(text: str, width: int, right: bool) -> str:
    return f" {text:>{width - 2}} " if right else f" {text:<{width - 2}} "


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KB", "MB"):
        if amount < 1024:
            return f"{amount:.2f} {unit}"
        amount /= 1024
    return f"{amount:.2f} GB"
