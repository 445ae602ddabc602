"""Models as a description and arrays: for files, for pickle, for copies."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastnn import layers, losses, metrics, optimizers
from fastnn.arrays import Array
from fastnn.autograd import Variable
from fastnn.io import safetensors
from fastnn.layers.layer import Layer, registry
from fastnn.models.model import Model
from fastnn.registry import serialize

_WEIGHTS, _OPTIMIZER = "weights/", "optimizer/"


def save_model(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes a model into one safetensors file. Raises ValueError if it is not built, FileExistsError as Model.save."""
    if not overwrite and Path(filepath).exists():
        raise FileExistsError(f"[save] expected a new file, got {filepath}, which exists; use overwrite=True")
    if not model.built:
        raise ValueError(f"[save] expected a built model, got {model.name}, which has seen no input shape")
    description, arrays = to_state(model)
    safetensors.write(filepath, arrays, description)


def load_model(
    filepath: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, compile: bool = True
) -> Any:
    """The model that save() wrote.

    Built-in layers come from a closed table; nothing is imported by name, and no code is run.
    custom_objects: layers, losses, metrics and optimizers of your own, by class name. compile: restore the training
    state.
    Raises ValueError for a broken file, an unknown layer, or weights that do not fit.
    """
    arrays, description = safetensors.read(filepath)
    if not compile:
        description = {**description, "compile": None}
    return from_state(description, arrays, custom_objects)


def to_state(model: Model) -> tuple[dict[str, Any], dict[str, Array]]:
    """(description for JSON, arrays) from which from_state() makes the model again."""
    description: dict[str, Any] = {"model": serialize(model), "compile": _compile_config(model)}
    arrays = {_WEIGHTS + key: variable._value.copy() for key, variable in weight_keys(model).items()}
    if description["compile"] is not None and model.optimizer.built:
        arrays |= {_OPTIMIZER + key: value for key, value in model.optimizer.state().items()}
    return description, arrays


def from_state(
    description: dict[str, Any], arrays: dict[str, Array], custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """The model of to_state()."""
    custom = dict(custom_objects or {})
    config = description["model"]
    cls = registry.find(config["class_name"], custom)
    model = cls.from_config(config["config"], custom) if _takes_custom(cls) else cls.from_config(config["config"])
    _set_weights(model, {key.removeprefix(_WEIGHTS): a for key, a in arrays.items() if key.startswith(_WEIGHTS)})
    compiled = description.get("compile")
    if compiled is not None:
        model.compile(
            optimizer=optimizers.deserialize(compiled["optimizer"], custom),
            loss=losses.deserialize(compiled["loss"], custom),
            metrics=[metrics.deserialize(m, custom) if isinstance(m, dict) else m for m in compiled["metrics"]],
            weighted_metrics=[
                metrics.deserialize(m, custom) if isinstance(m, dict) else m for m in compiled["weighted_metrics"]
            ],
        )
        state = {key.removeprefix(_OPTIMIZER): a for key, a in arrays.items() if key.startswith(_OPTIMIZER)}
        if state:
            model.optimizer.build(model.trainable_variables)
            model.optimizer.set_state(state)
    return model


def _takes_custom(cls: type[Layer]) -> bool:
    return "custom_objects" in cls.from_config.__code__.co_varnames


def weight_keys(model: Layer) -> dict[str, Variable]:
    """The weights by path: names of the layers and of the weight, "#2" behind one that stands there already."""
    keys: dict[str, Variable] = {}
    seen: set[int] = set()

    def visit(layer: Layer, prefix: str) -> None:
        for variable in layer._variables:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            key, number = prefix + variable.name, 1
            while key in keys:
                number += 1
                key = f"{prefix}{variable.name}#{number}"
            keys[key] = variable
        for inner in layer._sublayers:
            visit(inner, f"{prefix}{inner.name}/")

    visit(model, "")
    return keys


def _set_weights(model: Layer, arrays: dict[str, Array]) -> None:
    keys = weight_keys(model)
    if keys.keys() != arrays.keys():
        missing, left = sorted(keys.keys() - arrays.keys()), sorted(arrays.keys() - keys.keys())
        raise ValueError(
            f"[load] expected weights for this model, got a file without {missing} and with {left} besides"
        )
    model_order = {id(v): key for key, v in keys.items()}
    model.set_weights([arrays[model_order[id(v)]] for v in model.weights])


def _compile_config(model: Model) -> dict[str, Any] | None:
    compiled = model._compiled
    if compiled is None:
        return None
    try:
        return {
            "optimizer": serialize(compiled["optimizer"]),
            "loss": serialize(compiled["loss"]),
            "metrics": [_metric_config(m) for m in compiled["metrics"]],
            "weighted_metrics": [_metric_config(m) for m in compiled["weighted_metrics"]],
        }
    except (ValueError, TypeError) as error:
        warnings.warn(f"[save] the training state is left out: {error}", stacklevel=4)
        return None


def _metric_config(metric: Any) -> Any:
    if callable(metric) and not isinstance(metric, metrics.Metric):
        raise ValueError(f"[{metric.__name__}] expected a built-in metric, got a function, which cannot be saved")
    return serialize(metric)


__all__ = ["from_state", "layers", "load_model", "save_model", "to_state", "weight_keys"]
