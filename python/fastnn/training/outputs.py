"""The outputs of a model, one after the other, and what was said about them in the same order.

A model returns an array, or several in lists, tuples or dicts. Targets, weights, losses and metrics may come in the
same nesting, or as a list in the order of the outputs, or as a dict by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Outputs:
    """The outputs of one model. names: those the model gives its outputs, if it does; None where there is none."""

    def __init__(self, y_pred: Any, names: Sequence[str] | None) -> None:
        self.paths: list[tuple[Any, ...]] = _paths(y_pred, names)
        self.single = not isinstance(y_pred, (list, tuple, Mapping))
        self.flat = all(len(path) <= 1 for path in self.paths)
        self.names: list[str | None] = [None] * len(self.paths)
        if names is not None and len(names) == len(self.paths):
            self.names = list(names)
        if not self.single and not isinstance(y_pred, (list, tuple)):
            self.names = ["/".join(map(str, path)) for path in self.paths]

    def __len__(self) -> int:
        return len(self.paths)

    def pick(self, y_pred: Any) -> list[Any]:
        """The outputs of a call."""
        if self.single:
            return [y_pred]
        return [_at(y_pred, path) for path in self.paths]

    def align(self, given: Any, what: str, where: str, leaf: Any = None) -> list[Any]:
        """What `given` says about each output, None where it says nothing.

        leaf: a test for what is one thing although it is a list, and then stands for every output.
        Raises ValueError if it fits neither number, names nor nesting.
        """
        if given is None or not isinstance(given, (list, tuple, Mapping)) or (leaf is not None and leaf(given)):
            return [given] * len(self)
        if self.flat and isinstance(given, Mapping):
            if set(given) <= set(self.names):
                return [given.get(name) for name in self.names]
        elif self.flat and len(given) == len(self):
            return list(given)
        elif not self.flat:
            try:
                return [_said(given, path) for path in self._known(given)]
            except (KeyError, IndexError, TypeError):
                pass
            if len(given) == len(self) and not any(isinstance(part, (list, tuple, Mapping)) for part in given):
                return list(given)
        names = [name for name in self.names if name is not None]
        known = f" named {', '.join(map(repr, names))}" if names else ""
        got = f"keys {', '.join(map(repr, given))}" if isinstance(given, Mapping) else f"{len(given)} of them"
        raise ValueError(f"[{where}] expected {what} for {len(self)} outputs{known}, got {got}")

    def _known(self, given: Any) -> list[tuple[Any, ...]]:
        """The paths of the outputs. Raises KeyError for a key in `given` that leads to none."""
        for path in _paths(given, None):
            if not any(path[: len(own)] == own[: len(path)] for own in self.paths):
                raise KeyError(path)
        return self.paths


def _paths(y_pred: Any, names: Sequence[str] | None) -> list[tuple[Any, ...]]:
    """Where the outputs are; those of a dict in the order of names, or of its keys."""
    if isinstance(y_pred, Mapping):
        keys = list(names) if names is not None and set(names) == set(y_pred) else sorted(y_pred)
        return [(key, *path) for key in keys for path in _paths(y_pred[key], None)]
    if isinstance(y_pred, (list, tuple)):
        return [(i, *path) for i, part in enumerate(y_pred) for path in _paths(part, None)]
    return [()]


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def _said(given: Any, path: tuple[Any, ...]) -> Any:
    """What stands at the path; None where a dict has no such key, or the whole group is None."""
    for key in path:
        if given is None:
            return None
        if not isinstance(given, (list, tuple, Mapping)):
            raise TypeError(f"one thing for a group of outputs, {key!r} among them")
        given = given.get(key) if isinstance(given, Mapping) else given[key]
    return given


def free_name(name: str, taken: Any) -> str:
    """name, or name_1, name_2 ... if it is taken."""
    if name not in taken:
        return name
    number = 1
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
