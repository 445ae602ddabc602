"""Where the boxes of a graph go, and the ways of its arrows: layers of boxes, long arrows kept straight.

Boxes are put into rows by the longest way from an input; an arrow over several rows gets a place in each. Rows are put
in order by the middle of what each box is connected with, and moved towards it as far as the others let them: a least
squares fit under distances, by pooling (Ayer et al., 1955). After Sugiyama et al., 1981.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]

_SWEEPS = 12


@dataclass
class Place:
    """A box, or where an arrow passes a row. x: its middle, y: its upper edge."""

    width: float
    height: float
    row: int = 0
    x: float = 0.0
    y: float = 0.0
    weight: float = 1.0
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)


@dataclass
class Layout:
    """places: those of the boxes, in their order. arrows: per edge the points it passes, first and last at boxes."""

    places: list[Place]
    arrows: list[list[Point]]
    width: float
    height: float


def laid_out(
    sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]], gap: float = 28.0, row_gap: float = 34.0
) -> Layout:
    """Places for boxes of these (width, height) and arrows between them, given by numbers.

    An arrow to a box of a smaller number goes upwards: the number is the order in which boxes may stand.
    """
    places = [Place(width, height) for width, height in sizes]
    down = [(min(edge), max(edge)) for edge in edges]
    for position, number in enumerate(_rows(len(sizes), down)):
        places[position].row = number
    ways = [_way(places, edge) for edge in down]
    rows = _ordered(places)
    y = 0.0
    for row in rows:
        height = max(places[i].height for i in row)
        for i in row:
            places[i].y = y + (height - places[i].height) / 2
        y += height + row_gap
    _moved(places, rows, gap)
    for chain in _chains(places):
        _straighten(places, rows, chain, gap)
    left = min((p.x - p.width / 2 for p in places), default=0.0)
    for place in places:
        place.x -= left
    right = max((p.x + p.width / 2 for p in places), default=0.0)
    arrows = _arrows(places, ways)
    arrows = [way if start < end else way[::-1] for way, (start, end) in zip(arrows, edges, strict=True)]
    return Layout(places[: len(sizes)], arrows, right, max(y - row_gap, 0.0))


def _rows(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The longest way to each box; boxes without an arrow to them stand just above what they lead to."""
    rows = [0] * count
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for start, end in edges:
        into[end].append(start)
        out[start].append(end)
    missing = [len(found) for found in into]
    ready = [i for i in range(count) if not missing[i]]
    for i in ready:  # grows while it is gone through
        for end in out[i]:
            rows[end] = max(rows[end], rows[i] + 1)
            missing[end] -= 1
            if not missing[end]:
                ready.append(end)
    for i in range(count):
        if not into[i] and out[i]:
            rows[i] = min(rows[end] for end in out[i]) - 1
    return rows


def _way(places: list[Place], edge: tuple[int, int]) -> list[int]:
    """The places an arrow passes; new ones in the rows between, which pull harder so that long arrows are straight."""
    start, end = edge
    way = [start]
    for row in range(places[start].row + 1, places[end].row):
        places.append(Place(10.0, 0.0, row, weight=4.0))
        way.append(len(places) - 1)
    way.append(end)
    for before, after in pairwise(way):
        places[before].after.append(after)
        places[after].before.append(before)
    return way


def _ordered(places: list[Place]) -> list[list[int]]:
    """Rows of places, with few crossings: by the middle of the neighbours, down and up."""
    rows: list[list[int]] = [[] for _ in range(max((p.row for p in places), default=-1) + 1)]
    for i, place in enumerate(places):
        rows[place.row].append(i)
    rank = {i: float(at) for row in rows for at, i in enumerate(row)}
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            middle = {}
            for i in row:
                near = places[i].before if sweep % 2 == 0 else places[i].after
                middle[i] = sum(rank[k] / len(near) for k in near) if near else rank[i]
            row.sort(key=lambda i: middle[i])
            for at, i in enumerate(row):
                rank[i] = at - (len(row) - 1) / 2
    return rows


def _moved(places: list[Place], rows: list[list[int]], gap: float) -> None:
    """Sets x: first side by side, then towards the neighbours."""
    for row in rows:
        _fit(places, row, [0.0] * len(row), gap)
    for sweep in range(2 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = []
            for i in row:
                near = [*places[i].before, *places[i].after]
                total = sum(places[k].weight for k in near)
                wanted.append(sum(places[k].x * places[k].weight for k in near) / total if near else places[i].x)
            _fit(places, row, wanted, gap)


def _chains(places: list[Place]) -> list[list[int]]:
    """Places that lead to the next alone, which comes from them alone, one below the other."""
    follows = {}
    for i, place in enumerate(places):
        if len(place.after) == 1 and len(places[place.after[0]].before) == 1:
            follows[i] = place.after[0]
    chains = []
    for first in follows.keys() - set(follows.values()):
        chain = [first]
        while chain[-1] in follows:
            chain.append(follows[chain[-1]])
        chains.append(chain)
    return sorted(chains)


def _straighten(places: list[Place], rows: list[list[int]], chain: list[int], gap: float) -> None:
    """Puts a chain exactly one below the other, where there is room."""
    x = sum(places[i].x for i in chain) / len(chain)
    for i in chain:
        for other in rows[places[i].row]:
            least = (places[i].width + places[other].width) / 2 + gap / 2
            if other != i and abs(places[other].x - x) < least:
                return
    for i in chain:
        places[i].x = x


def _fit(places: list[Place], row: list[int], wanted: list[float], gap: float) -> None:
    """The nearest to what is wanted that keeps order and distances: neighbours that would overlap share their mean."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + places[left].width / 2 + gap + places[right].width / 2)
    blocks: list[list[float]] = []  # [mean, weight, count]
    for i, want, offset in zip(row, wanted, offsets, strict=True):
        blocks.append([want - offset, places[i].weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, weight, count = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * weight) / (last[1] + weight)
            last[1] += weight
            last[2] += count
    means = [mean for mean, _, count in blocks for _ in range(int(count))]
    for i, mean, offset in zip(row, means, offsets, strict=True):
        places[i].x = mean + offset


def _arrows(places: list[Place], ways: list[list[int]]) -> list[list[Point]]:
    """The points of each way; arrows into and out of one box side by side, in the order of where they come from."""
    ends: dict[tuple[int, bool], list[tuple[float, int]]] = {}
    for number, way in enumerate(ways):
        ends.setdefault((way[-1], True), []).append((places[way[-2]].x, number))
        ends.setdefault((way[0], False), []).append((places[way[1]].x, number))
    shifts: dict[tuple[int, bool], float] = {}
    for (i, into), found in ends.items():
        step = min(18.0, places[i].width / (len(found) + 1))
        for at, (_, number) in enumerate(sorted(found)):
            shifts[number, into] = (at - (len(found) - 1) / 2) * step
    arrows = []
    for number, way in enumerate(ways):
        first, last = places[way[0]], places[way[-1]]
        points = [(first.x + shifts[number, False], first.y + first.height)]
        points += [(places[i].x, places[i].y) for i in way[1:-1]]
        arrows.append([*points, (last.x + shifts[number, True], last.y)])
    return arrows
