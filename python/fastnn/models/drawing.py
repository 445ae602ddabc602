"""A model as a drawing: boxes and arrows, in SVG."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from fastnn.layers import InputLayer
from fastnn.models.layout import Layout, Point, laid_out
from fastnn.models.outline import Part, is_chain, parts_of

#: Colours of a box's head, light and dark, by a word in the name of its class; the first that fits counts.
_COLOURS = (
    (("input",), ("#e8eaed", "#5f6368")),
    (("conv",), ("#d7e8fb", "#1a5fb4")),
    (("dense", "maxout", "embedding"), ("#dce6fa", "#3450a8")),
    (("lstm", "gru", "rnn", "attention", "bidirectional"), ("#d6efe9", "#12705a")),
    (("pool", "upsampling", "cropping", "padding"), ("#dff1d8", "#3d7a1f")),
    (("normalization", "dropout", "noise"), ("#ece2f7", "#6b3fa0")),
    (("functional", "sequential", "model"), ("#e3ecec", "#3d5656")),
)
_OTHERS = ("#fbeed3", "#8a5a00")

_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
_MONO = "Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_HEAD, _LINE, _PADDING, _MARGIN = 24.0, 17.0, 12.0, 16.0


@dataclass
class _Box:
    """One part: the title, what is beside it, rows below, or the boxes inside."""

    title: str
    name: str
    colours: tuple[str, str]
    rows: list[tuple[str, str]] = field(default_factory=list)
    inside: tuple[list[_Box], Layout] | None = None

    @property
    def size(self) -> tuple[float, float]:
        wide = 1.1 * _text_width(self.title, 13.0) + (_text_width(self.name, 12.0) + 18 if self.name else 0)
        high = _HEAD + len(self.rows) * _LINE + (6 if self.rows else 0)
        for label, value in self.rows:
            wide = max(wide, _mono_width(label) + _mono_width(value) + 12)
        if self.inside is not None:
            wide, high = max(wide, self.inside[1].width + _PADDING), high + self.inside[1].height + 3 * _PADDING
        return wide + 2 * _PADDING, high


class Drawing:
    """SVG text, which a notebook shows."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.svg",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Drawing:
    """Draws a model as boxes and arrows, into an SVG file, and returns the drawing.

    to_file: where to; None for no file. A name with another suffix than .svg gets that one, with a warning.
    rankdir: "TB", "BT", "LR" or "RL", where the drawing begins and ends. expand_nested: models inside models as boxes
    that hold theirs. dpi: 200 for the natural size. The other switches say what each box tells.
    Raises ValueError for a model that is not built, or another rankdir.
    """
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ValueError(f"[plot_model] expected rankdir 'TB', 'BT', 'LR' or 'RL', got {rankdir!r}")
    if not model.built:
        raise ValueError(f"[plot_model] expected a built model, got {model.name}, which has seen no input shape")
    told = _Told(show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations, show_trainable)
    flat = rankdir in ("LR", "RL")
    boxes, layout = _laid_out(parts_of(model, with_input=True), told, flat)
    drawing = Drawing(_svg(boxes, layout, rankdir, dpi))
    if to_file is not None:
        path = Path(to_file)
        if path.suffix != ".svg":
            path = path.with_suffix(".svg")
            warnings.warn(f"[plot_model] drawings are SVG files; written to {path}", stacklevel=2)
        path.write_text(drawing.svg, encoding="utf-8")
    return drawing


@dataclass
class _Told:
    """What each box tells."""

    shapes: bool
    dtype: bool
    names: bool
    nested: bool
    activations: bool
    trainable: bool

    def box(self, part: Part, flat: bool) -> _Box:
        kind = "Input" if isinstance(part.operation, InputLayer) else part.kind
        box = _Box(kind, part.name if self.names else "", _colours_of(kind))
        if self.activations and part.activation:
            box.rows.append(("activation", part.activation))
        if self.dtype and part.dtypes:
            box.rows.append(("dtype", ", ".join(part.dtypes)))
        if self.shapes and part.outputs:
            if kind != "Input":
                box.rows.append(("in", _shapes(part.inputs)))
            box.rows.append(("out", _shapes(part.outputs)))
        if self.trainable and part.layer is not None and part.layer.weights:
            box.rows.append(("trainable", "yes" if part.layer.trainable else "no"))
        if self.nested and part.layer is not None:
            inner = parts_of(part.layer, with_input=True)
            if inner:
                box.inside = _laid_out(inner, self, flat)
        return box


def _laid_out(parts: list[Part], told: _Told, flat: bool) -> tuple[list[_Box], Layout]:
    """The boxes and their places. flat: rows run from left to right; the layout is made upright and turned later."""
    boxes = [told.box(part, flat) for part in parts]
    number = {part.name: position for position, part in enumerate(parts)}
    edges = [
        (number[source.name], position)
        for position, part in enumerate(parts)
        for source in part.sources
        if number[source.name] != position
    ]
    if not any(part.calls for part in parts) and is_chain(parts):  # connections are not known: as they were made
        edges = [(position, position + 1) for position in range(len(parts) - 1)]
    sizes = [box.size[::-1] if flat else box.size for box in boxes]
    layout = laid_out(sizes, edges, *((18.0, 44.0) if flat else (26.0, 34.0)))
    return boxes, _turned(layout) if flat else layout


def _turned(layout: Layout) -> Layout:
    """The layout with x and y exchanged; a place keeps the middle of its upper edge."""
    for place in layout.places:
        x, y = place.x, place.y
        place.x, place.y = y + place.height / 2, x - place.width / 2
        place.width, place.height = place.height, place.width
    arrows = [[(y, x) for x, y in points] for points in layout.arrows]
    return Layout(layout.places, arrows, layout.height, layout.width)


def _colours_of(kind: str) -> tuple[str, str]:
    low = kind.lower()
    return next((colours for words, colours in _COLOURS if any(word in low for word in words)), _OTHERS)


def _shapes(shapes: list[Any]) -> str:
    return "  ".join(map(str, shapes))


def _text_width(text: str, size: float) -> float:
    narrow = sum(letter in "iljtf.,:;'|! ()[]" for letter in text)
    return size * (0.62 * (len(text) - narrow) + 0.34 * narrow)


def _mono_width(text: str) -> float:
    return 11.0 * 0.605 * len(text)


# ---- SVG ----------------------------------------------------------------------------------------------------------


def _svg(boxes: list[_Box], layout: Layout, rankdir: str, dpi: int) -> str:
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    scale = dpi / 200
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * scale:.0f}" height="{height * scale:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0.5 L7.5 4 L0 7.5 z" fill="#6b7280"/></marker></defs>',
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#ffffff"/>',
    ]
    _draw(lines, boxes, layout, (_MARGIN, _MARGIN), rankdir)
    return "\n".join([*lines, "</svg>\n"])


def _draw(lines: list[str], boxes: list[_Box], layout: Layout, at: Point, rankdir: str) -> None:
    """Adds the arrows, then the boxes, of a layout whose corner is `at`."""

    def turned(point: Point) -> Point:
        x = layout.width - point[0] if rankdir == "RL" else point[0]
        y = layout.height - point[1] if rankdir == "BT" else point[1]
        return at[0] + x, at[1] + y

    for points in layout.arrows:
        path = _path([turned(point) for point in points], flat=rankdir in ("LR", "RL"))
        lines.append(f'<path d="{path}" fill="none" stroke="#6b7280" stroke-width="1.4" marker-end="url(#head)"/>')
    for box, place in zip(boxes, layout.places, strict=True):
        x, y = place.x - place.width / 2, place.y
        x = layout.width - x - place.width if rankdir == "RL" else x
        y = layout.height - y - place.height if rankdir == "BT" else y
        _draw_box(lines, box, (at[0] + x, at[1] + y), (place.width, place.height), rankdir)


def _path(points: list[Point], flat: bool) -> str:
    """A smooth line, upright at every point; along the rows where they run from left to right."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        if flat:
            bend = (x1 - x0) / 2
            path += f" C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        else:
            bend = (y1 - y0) / 2
            path += f" C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}"
    return path


def _draw_box(lines: list[str], box: _Box, at: Point, size: tuple[float, float], rankdir: str) -> None:
    (x, y), (width, height) = at, size
    light, dark = box.colours
    lines.append(
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" fill="#ffffff" '
        f'stroke="{dark}" stroke-width="1.2"/>'
    )
    plain = not box.rows and box.inside is None
    bottom = "" if plain else f"V{y + _HEAD:.1f} H{x:.1f} "
    corner = f"V{y + height - 6:.1f} a6 6 0 0 1 -6 6 H{x + 6:.1f} a6 6 0 0 1 -6 -6 " if plain else bottom
    lines.append(
        f'<path d="M{x:.1f} {y + 6:.1f} a6 6 0 0 1 6 -6 H{x + width - 6:.1f} a6 6 0 0 1 6 6 {corner}z" '
        f'fill="{light}" stroke="{dark}" stroke-width="1.2"/>'
    )
    _draw_title(lines, box, at, width)
    for number, (label, value) in enumerate(box.rows):
        base = y + _HEAD + 16 + number * _LINE
        lines.append(_text(label, x + _PADDING, base, 11, "#6b7280", mono=True))
        lines.append(_text(value, x + width - _PADDING, base, 11, "#1f2937", mono=True, anchor="end"))
    if box.inside is not None:
        inner, layout = box.inside
        top = y + height - layout.height - 1.5 * _PADDING
        _draw(lines, inner, layout, (x + (width - layout.width) / 2, top), rankdir)


def _draw_title(lines: list[str], box: _Box, at: Point, width: float) -> None:
    """The title in the middle of the head; at its left end, if the name stands at the right one."""
    x, base = at[0], at[1] + 16.5
    title = f'font-family="{_FONT}" font-size="13" font-weight="600" fill="{box.colours[1]}"'
    if not box.name:
        lines.append(
            f'<text x="{x + width / 2:.1f}" y="{base:.1f}" {title} text-anchor="middle">{escape(box.title)}</text>'
        )
        return
    lines.append(f'<text x="{x + _PADDING:.1f}" y="{base:.1f}" {title}>{escape(box.title)}</text>')
    lines.append(_text(box.name, x + width - _PADDING, base, 12, "#374151", anchor="end"))


def _text(text: str, x: float, y: float, size: int, fill: str, mono: bool = False, anchor: str = "start") -> str:
    family = _MONO if mono else _FONT
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{family}" font-size="{size}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
