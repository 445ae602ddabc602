"""Models as a description and arrays: for files, for pickle, for copies."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from inspect import isfunction
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import layers
from fastnn.arrays import Array
from fastnn.autograd import Variable, raw
from fastnn.io import safetensors
from fastnn.layers.layer import Layer, registry
from fastnn.models.model import Model
from fastnn.random import SeedGenerator
from fastnn.registry import serialize
from fastnn.structure import is_ours

_WEIGHTS, _OWN, _OPTIMIZER, _RANDOM = "weights/", "own/", "optimizer/", "random/"


def save_model(
    model: Model, filepath: str | os.PathLike[str], overwrite: bool = True, zipped: bool | None = None
) -> None:
    """Writes a model into one safetensors file. Raises ValueError if it is not built, FileExistsError as Model.save."""
    if not overwrite and Path(filepath).exists():
        raise FileExistsError(f"[save] expected a new file, got {filepath}, which exists; use overwrite=True")
    if not model.built:
        raise ValueError(f"[save] expected a built model, got {model.name}, which has seen no input shape")
    description, arrays = to_state(model)
    safetensors.write(filepath, arrays, description)


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model that save() wrote.

    Built-in layers come from a closed table; nothing is imported by name, and no code is run.
    custom_objects: layers, losses, metrics and optimizers of your own, by class name. compile: restore the training
    state. safe_mode is there for Keras's sake: loading is always safe.
    Raises ValueError for a broken file, an unknown layer, or weights that do not fit.
    """
    arrays, description = safetensors.read(filepath)
    if not compile:
        description = {**description, "compile": None}
    try:
        return from_state(description, arrays, custom_objects)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(
            f"[load] expected a description that makes a model, got {type(error).__name__}: {error}"
        ) from error


def save_weights(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes the weights alone into a safetensors file. Raises as save_model()."""
    if not overwrite and Path(filepath).exists():
        raise FileExistsError(f"[save_weights] expected a new file, got {filepath}, which exists; use overwrite=True")
    if not model.built:
        raise ValueError(f"[save_weights] expected a built model, got {model.name}, which has seen no input shape")
    safetensors.write(filepath, _weights(model), _order(model))


def load_weights(model: Model, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
    """Sets the weights that save_weights() or save_model() wrote.

    They are found by the names of layers and weights; where a file has other names, by their order, if number and
    shapes are the same. skip_mismatch: leave what does not fit as it is, instead of a ValueError; where no name is the
    same, names count without the numbers they end with, the first of a kind being the first.
    """
    arrays, description = safetensors.read(filepath)
    if not model.built:
        raise ValueError(f"[load_weights] expected a built model, got {model.name}, which has seen no input shape")
    found = _part(arrays, _WEIGHTS)
    keys = _plain_keys(model)
    order = description.get("weights", [])
    if keys.keys() != found.keys() and [v.shape for v in keys.values()] == [found[key].shape for key in order]:
        found = {key: found[old] for key, old in zip(keys, order, strict=True)}
    if skip_mismatch:
        if not keys.keys() & found.keys():
            keys, found = _counted(keys, list(keys)), _counted(found, order)
        for key, variable in keys.items():
            if key in found and found[key].shape == variable.shape:
                variable.assign(found[key])
    else:
        _set_weights(model, found)
    _load_own(model, arrays, description, skip_mismatch)


def _counted(by_key: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The same by keys whose layers are numbered anew: what were dense_3 and dense_4 are dense#0 and dense#1."""
    names: dict[str, str] = {}  # of layers, by where they hang
    kinds: Counter[str] = Counter()
    found = {}
    for key in order:
        layer, _, weight = key.rpartition("/")
        if layer not in names:
            kind = re.sub(r"_\d+(?=/|$)", "", layer)
            names[layer] = f"{kind}#{kinds[kind]}"
            kinds[kind] += 1
        found[f"{names[layer]}/{weight}"] = by_key[key]
    return found


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model that to_json() described, with weights of its own."""
    config = json.loads(json_string)
    return registry.deserialize(config, custom_objects)


def to_state(model: Model) -> tuple[dict[str, Any], dict[str, Array]]:
    """(description for JSON, arrays) from which from_state() makes the model again."""
    keys = weight_keys(model)
    description: dict[str, Any] = {
        "model": serialize(model),
        "compile": _compile_config(model),
        **_order(model),
    }
    if isinstance(model._build_shape, tuple):
        description["build_shape"] = list(model._build_shape)
    arrays = _weights(model)
    arrays |= {_RANDOM + key: generator.state.copy() for key, generator in random_keys(model).items()}
    if description["compile"] is not None and model.optimizer.built:
        key_of = {id(variable): key for key, variable in keys.items()}
        description["optimizer_weights"] = [key_of.get(id(v)) for v in model.optimizer._variables]
        if None in description["optimizer_weights"]:
            raise ValueError(
                f"[save] expected an optimizer of {model.name} alone, got one that serves other weights too"
            )
        arrays |= {_OPTIMIZER + key: value for key, value in model.optimizer.state().items()}
    return description, arrays


def from_state(
    description: dict[str, Any], arrays: dict[str, Array], custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """The model of to_state()."""
    custom = dict(custom_objects or {})
    model = registry.deserialize(description["model"], custom)
    weights = _part(arrays, _WEIGHTS)
    if description.get("build_shape") is not None and _plain_keys(model).keys() != weights.keys():
        Layer.compute_output_shape(model, tuple(description["build_shape"]))  # a call makes what build() left
    _set_weights(model, weights)
    _load_own(model, arrays, description)
    generators = random_keys(model)
    for key, stream in _part(arrays, _RANDOM).items():
        generators[key].state[...] = stream
    compiled = description.get("compile")
    if compiled is not None:
        model.compile_from_config(compiled, custom)
        state = _part(arrays, _OPTIMIZER)
        if state:
            keys = weight_keys(model)
            model.optimizer.build([keys[key] for key in description["optimizer_weights"]])
            model.optimizer.set_state(state)
    return model


def own_classes(model: Model) -> dict[str, Any]:
    """Classes and functions of a model's parts that are not fastnn's, by name: custom_objects for a copy."""
    parts: list[Any] = [part for layer in model._walk() for part in (layer, *vars(layer).values())]
    for given in (model._compiled or {}).values():
        parts += [leaf for part in _leaves(given) for leaf in (part, getattr(part, "fn", None))]
    parts += [getattr(model.optimizer, "_schedule", None)]
    found = [getattr(type(part), "_declared", type(part)) for part in parts if hasattr(part, "get_config")]
    found += [part for part in parts if isfunction(part)]
    return {item.__name__: item for item in found if not is_ours(item)}


def _part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def weight_keys(model: Layer) -> dict[str, Variable]:
    """The weights by path: where the layers hang, and the weight's name, "#2" behind one that stands there already."""
    keys: dict[str, Variable] = {}
    seen: set[int] = set()
    for prefix, layer in _walk(model):
        for variable in layer._variables:
            if id(variable) not in seen:
                seen.add(id(variable))
                keys[_free(prefix + variable.name, keys)] = variable
    return keys


def _own_ways(model: Layer) -> dict[str, Layer]:
    """By path: the layers whose class says itself what of their weights is saved, and how."""
    hooks = ("save_own_variables", "load_own_variables")
    return {
        prefix: layer
        for prefix, layer in _walk(model)
        if any(getattr(type(layer), hook) is not getattr(Layer, hook) for hook in hooks)
    }


def _plain_keys(model: Layer) -> dict[str, Variable]:
    """weight_keys() without the weights of layers that save theirs in a way of their own."""
    apart = {id(variable) for layer in _own_ways(model).values() for variable in layer._variables}
    return {key: variable for key, variable in weight_keys(model).items() if id(variable) not in apart}


def _weights(model: Layer) -> dict[str, Array]:
    """What a file holds of a model's weights."""
    arrays = {_WEIGHTS + key: variable._value.copy() for key, variable in _plain_keys(model).items()}
    for prefix, layer in _own_ways(model).items():
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        arrays |= {f"{_OWN}{prefix}:{key}": np.array(raw(value)) for key, value in store.items()}
    return arrays


def _order(model: Layer) -> dict[str, Any]:
    """The paths of weights, and of layers that save theirs in a way of their own, for loading by order."""
    return {"weights": list(_plain_keys(model)), "own": list(_own_ways(model))}


def _load_own(
    model: Layer, arrays: Mapping[str, Array], description: Mapping[str, Any], skip_mismatch: bool = False
) -> None:
    """Has layers load what they saved in a way of their own: by path, or by order where all paths are others."""
    ways, paths = _own_ways(model), description.get("own", [])
    if len(paths) != len(ways) or set(paths) & set(ways):
        paths = list(ways)
    for path, layer in zip(paths, ways.values(), strict=True):
        try:
            layer.load_own_variables(_part(arrays, f"{_OWN}{path}:"))
        except (ValueError, KeyError):
            if not skip_mismatch:
                raise


def random_keys(model: Layer) -> dict[str, SeedGenerator]:
    """The random streams that layers own, by path: names of the layers and of the attribute."""
    keys: dict[str, SeedGenerator] = {}
    for prefix, layer in _walk(model):
        for name, value in vars(layer).items():
            if isinstance(value, SeedGenerator):
                keys[_free(prefix + name, keys)] = value
    return keys


def _walk(model: Layer) -> Iterator[tuple[str, Layer]]:
    """(names of the layers above it and its own, layer) for a layer and all inside it, each once."""
    seen: set[int] = set()
    waiting = [("", model)]
    while waiting:
        prefix, layer = waiting.pop(0)
        if id(layer) not in seen:
            seen.add(id(layer))
            layer._track_containers()
            yield prefix, layer
            names = _attribute_names(layer)
            waiting[:0] = [(f"{prefix}{names.get(id(inner), inner.name)}/", inner) for inner in layer._sublayers]


def _attribute_names(layer: Layer) -> dict[int, str]:
    """Under which public attribute, and where in its list or dict, each layer inside hangs: layers that a constructor
    makes get another automatic name every time, but hang where they hung."""
    found: dict[int, str] = {}
    waiting = [(name, value) for name, value in vars(layer).items() if not name.startswith("_")]
    for name, value in waiting:
        if isinstance(value, Layer):
            found.setdefault(id(value), name)
        elif isinstance(value, (list, tuple)):
            waiting += [(f"{name}/{position}", part) for position, part in enumerate(value)]
        elif isinstance(value, dict):
            waiting += [(f"{name}/{key}", part) for key, part in value.items()]
    return found


def _free(key: str, taken: Mapping[str, Any]) -> str:
    """key, or key#2, key#3 ... if it is taken."""
    number, found = 1, key
    while found in taken:
        number += 1
        found = f"{key}#{number}"
    return found


def _set_weights(model: Layer, arrays: dict[str, Array]) -> None:
    keys = _plain_keys(model)
    if keys.keys() != arrays.keys():
        missing, left = sorted(keys.keys() - arrays.keys()), sorted(arrays.keys() - keys.keys())
        raise ValueError(
            f"[load] expected weights for this model, got a file without {missing} and with {left} besides"
        )
    values = {id(variable): arrays[key] for key, variable in keys.items()}
    model.set_weights([values.get(id(variable), variable._value) for variable in model.weights])


def _compile_config(model: Model) -> dict[str, Any] | None:
    try:
        return model.get_compile_config()
    except (ValueError, TypeError) as error:
        warnings.warn(f"[save] the training state is left out: {error}", stacklevel=4)
        return None


def _leaves(given: Any) -> list[Any]:
    """What stands in lists and dicts."""
    if isinstance(given, (list, tuple, dict)):
        return [leaf for part in (given.values() if isinstance(given, dict) else given) for leaf in _leaves(part)]
    return [given]


__all__ = ["from_state", "layers", "load_model", "save_model", "to_state", "weight_keys"]
