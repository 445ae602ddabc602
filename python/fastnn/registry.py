"""Closed tables of names: how strings and configurations become objects, without importing anything by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any


def snake_case(name: str) -> str:
    """ "LeakyReLU" -> "leaky_re_lu", as Keras names its layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


_name_counts: dict[str, int] = {}


def unique_name(base: str) -> str:
    """base, then base_1, base_2 ..., as Keras counts."""
    count = _name_counts.get(base, 0)
    _name_counts[base] = count + 1
    return f"{base}_{count}" if count else base


class Registry:
    """The classes or functions of one kind, found by class name, by snake_case name, or by an alias."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._by_name: dict[str, Any] = {}

    def add(self, item: Any, *aliases: str) -> Any:
        for name in (item.__name__, snake_case(item.__name__), *aliases):
            self._by_name[name] = item
        return item

    def add_own(self, item: Any) -> None:
        """Adds a class of this package; a user's subclass is left to custom_objects, so that the table stays closed."""
        if item.__module__.partition(".")[0] == __name__.partition(".")[0]:
            self.add(item)

    def find(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The item of that name. Raises ValueError naming the closest ones if there is none."""
        if custom_objects and name in custom_objects:
            return custom_objects[name]
        found = self._by_name.get(name)
        if found is None:
            near = get_close_matches(name, self._by_name, 3) or sorted(self._by_name)
            raise ValueError(f"[{self.kind}] expected a known name such as {', '.join(map(repr, near))}, got {name!r}")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def get(self, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """An object from a name, a configuration {"class_name", "config"}, a class, or the object itself."""
        if identifier is None or (callable(identifier) and not isinstance(identifier, type)):
            return identifier
        if isinstance(identifier, str):
            return _made(self.find(identifier, custom_objects))
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier, custom_objects)
        if isinstance(identifier, type):
            return identifier()
        if hasattr(identifier, "get_config"):
            return identifier
        raise TypeError(f"[{self.kind}] expected a name, a configuration or an object, got {type(identifier).__name__}")

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The object that serialize() described."""
        if config is None or isinstance(config, str):
            return self.get(config, custom_objects)
        found = self.find(config["class_name"], custom_objects)
        return made_from_config(found, config["config"], custom_objects) if isinstance(found, type) else found


def made_from_config(cls: Any, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> Any:
    """cls.from_config(config), with custom_objects where it takes them; cls(**config) if there is no from_config."""
    from_config: Callable[..., Any] | None = getattr(cls, "from_config", None)
    if from_config is None:
        return cls(**config)
    if "custom_objects" in signature(from_config).parameters:
        return from_config(dict(config), custom_objects=custom_objects)
    return from_config(dict(config))


def _made(found: Any) -> Any:
    return found() if isinstance(found, type) else found


def serialize(item: Any) -> Any:
    """A JSON-ready description of an object with get_config, or of a function by its name."""
    if item is None or isinstance(item, str):
        return item
    if hasattr(item, "get_config"):
        return {"class_name": type(item).__name__, "config": item.get_config()}
    if callable(item) and hasattr(item, "__name__"):
        return item.__name__
    raise TypeError(f"[serialize] expected an object with get_config or a function, got {type(item).__name__}")
