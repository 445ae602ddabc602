"""Arguments of calls in a graph, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Variable
from fastnn.random import SeedGenerator
from fastnn.symbolic import SymbolicTensor


def encoded(value: Any, tensors: Mapping[int, int], variables: Mapping[int, int]) -> Any:
    """What JSON can hold. tensors, variables: their numbers by id. Raises TypeError for what cannot be described."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, SymbolicTensor):
        return {"tensor": tensors[id(value)]}
    if isinstance(value, Variable):
        return {"variable": variables[id(value)]}
    if isinstance(value, list):
        return [encoded(part, tensors, variables) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(part, tensors, variables) for part in value]}
    if isinstance(value, Mapping):
        return {"dict": {key: encoded(part, tensors, variables) for key, part in value.items()}}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, (np.ndarray, np.generic)):
        return {"array": np.asarray(value).tolist(), "dtype": value.dtype.name, "shape": list(value.shape)}
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return {"dtype": np.dtype(value).name}
    if isinstance(value, SeedGenerator):
        return {"seed_generator": value.seed}
    raise TypeError(f"[get_config] expected arguments that JSON can hold, got {type(value).__name__} in a graph")


def decoded(value: Any, tensors: Sequence[SymbolicTensor], variables: Sequence[Variable]) -> Any:
    """What encoded() was given, with these tensors and variables."""
    if isinstance(value, list):
        return [decoded(part, tensors, variables) for part in value]
    if not isinstance(value, Mapping):
        return value
    if "array" in value:
        return np.array(value["array"], value["dtype"]).reshape(value["shape"])
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "variable":
        return variables[held]
    if kind == "tuple":
        return tuple(decoded(part, tensors, variables) for part in held)
    if kind == "dict":
        return {key: decoded(part, tensors, variables) for key, part in held.items()}
    if kind == "slice":
        return slice(*held)
    if kind == "ellipsis":
        return Ellipsis
    if kind == "dtype":
        return np.dtype(held)
    if kind == "seed_generator":
        return SeedGenerator(held)
    raise ValueError(f"[from_config] expected a known kind of argument, got {kind!r}")
