"""Classes and functions of the user's own by name, so that configurations which name them can be read again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from inspect import isclass
from typing import Any


class _Scope(threading.local):
    objects: Mapping[str, Any] = {}


_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}
_scope = _Scope()


class CustomObjectScope:
    """Objects of one's own by name, for what is made of configurations inside a `with`.

    with CustomObjectScope({"Scale": Scale}):
        model = load_model(path)

    A scope inside another adds to it. It holds for the thread that entered it.
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self.custom_objects = dict(custom_objects or {})
        self._before: list[Mapping[str, Any]] = []

    def __enter__(self) -> CustomObjectScope:
        self._before.append(_scope.objects)
        _scope.objects = {**_scope.objects, **self.custom_objects}
        return self

    def __exit__(self, *args: Any) -> None:
        _scope.objects = self._before.pop()


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """What register_keras_serializable() has registered, by name; may be added to."""
    return _registered


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """A decorator that registers a class or function as "package>name", its own name by default.

    Configurations hold that name from then on, and what reads them finds it without custom_objects.
    Raises ValueError for a class without get_config().
    """

    def register(item: Any) -> Any:
        if isclass(item) and not hasattr(item, "get_config"):
            raise ValueError(
                f"[register_keras_serializable] expected a class with get_config(), got {item.__name__} without it"
            )
        _registered[f"{package}>{name or item.__name__}"] = item
        _names[item] = f"{package}>{name or item.__name__}"
        return item

    return register


def get_registered_name(obj: Any) -> str:
    """The name a class or function is registered by, else its own."""
    known = _names.get(obj)
    return str(obj.__name__) if known is None else known


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """What has that name: in a scope, registered, in custom_objects, in module_objects; None if nothing has."""
    for objects in (_scope.objects, _registered, custom_objects, module_objects):
        if objects and name in objects:
            return objects[name]
    return None
