"""A count that changes with what models are made of: until then lists of weights and recorded steps may be kept."""

from __future__ import annotations

from typing import Any, ClassVar

_version = 0
_freezings = 0


def structure_version() -> int:
    """Changes when a layer is built, added, frozen or set otherwise, when weights move, when a setting changes."""
    return _version


def parts_version() -> int:
    """The same, but for freezing: what was made for some frozen layers holds again when the same ones are frozen."""
    return _version - _freezings


def structure_changed() -> None:
    global _version
    _version += 1


def freezing_changed() -> None:
    """Some layer is frozen, or is no longer."""
    global _version, _freezings
    _version += 1
    _freezings += 1


class Structural:
    """Base class of what a recorded step is made of: setting a public attribute anew changes the structure.

    free: attributes that may change from step to step.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self.free:
            known = self.__dict__
            if name in known and known[name] is not value:
                structure_changed()
        object.__setattr__(self, name, value)


def is_ours(thing: Any) -> bool:
    """True for what this package defines: a class, a function, or an object of such a class."""
    return str(getattr(thing, "__module__", None) or "").startswith("fastnn.")
