"""Closed tables of names: how strings and configurations become objects, without importing anything by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any

import numpy as np

from fastnn.custom_objects import CustomObjectScope, get_registered_name, get_registered_object


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


def forget_names() -> None:
    """unique_name() counts from the start again."""
    _name_counts.clear()


class Registry:
    """The classes or functions of one kind, found by class name, by snake_case name, or by an alias."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._by_name: dict[str, Any] = {}
        _tables[kind] = self

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
        found = get_registered_object(name, custom_objects, self._by_name)
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
        if config["class_name"] == _FUNCTION:
            return self.get(config["config"], custom_objects)
        registered = config.get("registered_name")
        found = None if registered is None else get_registered_object(registered, custom_objects)
        if found is None:
            found = self.find(config["class_name"], custom_objects)
        return made_from_config(found, config["config"], custom_objects) if isinstance(found, type) else found


def made_from_config(cls: Any, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> Any:
    """cls.from_config(config), cls(**config) if there is no from_config; custom_objects hold for all inside."""
    from_config: Callable[..., Any] | None = getattr(cls, "from_config", None)
    with CustomObjectScope(custom_objects):
        if from_config is None:
            return cls(**config)
        if "custom_objects" in signature(from_config).parameters:
            return from_config(dict(config), custom_objects=custom_objects)
        return from_config(dict(config))


def _made(found: Any) -> Any:
    return found() if isinstance(found, type) else found


#: What stands for a class where a configuration holds a function's name, and an array.
_FUNCTION, _ARRAY = "function", "__numpy__"

#: All tables, by what they hold.
_tables: dict[str, Registry] = {}


def serialize(item: Any) -> Any:
    """A JSON-ready description of an object with get_config, or of a function by its name."""
    if item is None or isinstance(item, str):
        return item
    if hasattr(item, "get_config"):
        cls = type(item)
        described = {"class_name": cls.__name__, "config": serialize_keras_object(item.get_config())}
        name = get_registered_name(cls)
        return described if name == cls.__name__ else {**described, "registered_name": name}
    if callable(item) and hasattr(item, "__name__"):
        if item.__name__ == "<lambda>":
            raise ValueError("[serialize] expected a function with a name, got a lambda")
        return get_registered_name(item)
    raise TypeError(f"[serialize] expected an object with get_config or a function, got {type(item).__name__}")


def serialize_keras_object(obj: Any) -> Any:
    """A description of an object, function or array, and of those in lists and dicts; anything else as it is."""
    if isinstance(obj, Mapping):
        return {key: serialize_keras_object(part) for key, part in obj.items()}
    if isinstance(obj, (list, tuple)):
        return type(obj)(map(serialize_keras_object, obj)) if type(obj) in (list, tuple) else obj
    if isinstance(obj, type):
        return obj
    if isinstance(obj, np.ndarray):
        return {"class_name": _ARRAY, "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, np.generic):
        return obj.item()
    if hasattr(obj, "get_config"):
        return serialize(obj)
    return {"class_name": _FUNCTION, "config": serialize(obj)} if hasattr(obj, "__name__") and callable(obj) else obj


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """What serialize_keras_object() described. custom_objects: what is the user's own, by name. It is always safe.

    Names that are in several tables, such as those of losses and metrics, are told apart by "module" in Keras's
    configurations; without it the first of layers, losses, metrics and so on counts.
    """
    if isinstance(config, (list, tuple)):
        return type(config)(deserialize_keras_object(part, custom_objects) for part in config)
    if not isinstance(config, Mapping):
        return config
    if not {"class_name", "config"} <= config.keys():
        return {key: deserialize_keras_object(part, custom_objects) for key, part in config.items()}
    if config["class_name"] == _ARRAY:
        return np.array(config["config"]["value"], config["config"]["dtype"])
    table = _table_of(config)
    if config["class_name"] == _FUNCTION:
        return table.find(config["config"], custom_objects)
    if not isinstance(config["config"], Mapping):
        raise TypeError(f"[deserialize] expected config as a dict, got {type(config['config']).__name__}")
    return table.deserialize(config, custom_objects)


def _table_of(config: Mapping[str, Any]) -> Registry:
    """The table that has what a configuration names; that of layers if none has."""
    function = config["class_name"] == _FUNCTION
    named = [part for part in str(config.get("module")).split(".") if part in _tables]
    kinds = named or (["activations"] if function else [])
    name = config["config"] if function else config["class_name"]
    return next((_tables[kind] for kind in [*kinds, *_tables] if name in _tables[kind]), _tables["layers"])
