"""What a constructor was given, for classes that do not say themselves what makes them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from inspect import Parameter, signature
from typing import Any, NamedTuple


class Given(NamedTuple):
    """arguments: by name, what JSON can hold. left_out: the names of those that it cannot."""

    arguments: dict[str, Any]
    left_out: tuple[str, ...]

    def completed(self, config: dict[str, Any], cls: type) -> dict[str, Any]:
        """config with the arguments, without what cls's constructor does not take."""
        missing = [name for name in self.left_out if name not in config]
        if missing:
            raise NotImplementedError(
                f"[{cls.__name__}] expected get_config() to be implemented, since its constructor was given "
                f"{', '.join(missing)}, which cannot be described"
            )
        parameters = signature(cls.__init__).parameters  # type: ignore[misc]
        if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values()):
            config = {name: value for name, value in config.items() if name in parameters}
        return {**config, **{name: value for name, value in self.arguments.items() if name not in config}}


def given_to(constructor: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Given | None:
    """The arguments of a call of a constructor; None if they do not fit, as those of a copy."""
    try:
        bound = signature(constructor).bind(None, *args, **options)
    except TypeError:
        return None
    found: dict[str, Any] = {}
    for (name, value), kind in zip(bound.arguments.items(), _kinds(constructor, bound.arguments), strict=True):
        if kind is Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is not Parameter.VAR_POSITIONAL or value:
            found[name] = value
    own = next(iter(bound.arguments))  # self
    found.pop(own, None)
    plain = {name: deepcopy(value) for name, value in found.items() if _is_plain(value)}
    return Given(plain, tuple(name for name in found if name not in plain))


def _kinds(constructor: Callable[..., Any], names: Mapping[str, Any]) -> list[Any]:
    parameters = signature(constructor).parameters
    return [parameters[name].kind for name in names]


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    return value is None or isinstance(value, (bool, int, float, str))
