"""Copies of models with weights of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastnn.layers import InputLayer, Layer
from fastnn.losses import Loss
from fastnn.metrics import Metric
from fastnn.models.functional import Functional, replay
from fastnn.models.model import Model
from fastnn.models.saving import own_classes
from fastnn.models.sequential import Sequential
from fastnn.optimizers import Optimizer
from fastnn.registry import made_from_config
from fastnn.symbolic import SymbolicTensor, replaced, symbols


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """A model of the same calls through new layers, whose weights are drawn anew.

    input_tensors: symbolic tensors to begin with, in place of new Inputs. clone_function: layer -> its copy; by default
    from its configuration. call_function(layer, *args, **kwargs): how a copy is called, for functional models.
    recursive: whether clone_function is asked for the layers inside models inside too.
    The copy is compiled as the model is, with an optimizer and metrics that begin anew.
    Raises ValueError for a model of a class of one's own with other arguments than the model.
    """
    clones: dict[int, Layer] = {}

    def clone(layer: Layer) -> Layer:
        if id(layer) not in clones:
            if recursive and isinstance(layer, (Functional, Sequential)):
                clones[id(layer)] = clone_model(layer, None, clone_function, call_function, True)
            else:
                clones[id(layer)] = (clone_function or _from_config)(layer)
        return clones[id(layer)]

    if isinstance(model, Sequential):
        return _compiled_as(model, _sequential(model, input_tensors, clone))
    if isinstance(model, Functional):
        return _compiled_as(model, _functional(model, input_tensors, clone, call_function))
    if input_tensors is not None or clone_function is not None or call_function is not None:
        raise ValueError(
            f"[clone_model] expected a Sequential or functional model, got {type(model).__name__}; without other "
            "arguments it can be cloned by its get_config()"
        )
    return _from_config(model)


def _compiled_as(model: Any, twin: Any) -> Any:
    if model._compiled is not None:
        twin.compile(**{name: _anew(part) for name, part in model._compiled.items()})
    return twin


def _anew(part: Any) -> Any:
    """What compile() was given, with new objects in place of those that have a state or settings."""
    if isinstance(part, Mapping):
        return {name: _anew(one) for name, one in part.items()}
    if isinstance(part, (list, tuple)):
        return [_anew(one) for one in part]
    if isinstance(part, (Loss, Metric, Optimizer)):
        return made_from_config(type(part), part.get_config(), None)
    return part


def _from_config(layer: Layer) -> Any:
    custom = own_classes(layer) if isinstance(layer, Model) else None
    return made_from_config(getattr(type(layer), "_declared", type(layer)), layer.get_config(), custom)


def _sequential(model: Sequential, input_tensors: Any, clone: Callable[[Layer], Layer]) -> Sequential:
    given: list[Any] = symbols(input_tensors)
    if len(given) > 1 or (given and not _is_input(given[0])):
        raise ValueError(f"[clone_model] expected one Input for a Sequential model, got {input_tensors!r}")
    if not given:
        given = [_from_config(layer) for layer in model._layers if isinstance(layer, InputLayer)]
    twin = Sequential([*given, *(clone(layer) for layer in model.layers)], model._trainable, model.name)
    if model._build_shape is not None and not twin.built:
        twin.build(model._build_shape)
    return twin


def _functional(
    model: Functional, input_tensors: Any, clone: Callable[[Layer], Layer], call_function: Callable[..., Any] | None
) -> Any:
    given = symbols(input_tensors) if input_tensors is not None else [_new_input(tensor) for tensor in model.inputs]
    if len(given) != len(model.inputs):
        raise ValueError(f"[clone_model] expected {len(model.inputs)} input_tensors, got {len(given)}")
    known = {id(old): new for old, new in zip(model.inputs, given, strict=True)}

    def operation_of(layer: Layer) -> Callable[..., Any]:
        twin = clone(layer)
        return twin if call_function is None else lambda *args, **kwargs: call_function(twin, *args, **kwargs)

    replay(model._graph.nodes, known, operation_of)
    plain = type(model).__init__ is Functional.__init__
    twin = (type(model) if plain else Functional)(
        replaced(model.input, lambda tensor: known[id(tensor)]),
        replaced(model.output, lambda tensor: known[id(tensor)]),
        name=model.name,
    )
    twin._trainable = model._trainable
    return twin


def _new_input(tensor: SymbolicTensor) -> SymbolicTensor:
    assert tensor.node is not None and isinstance(tensor.node.operation, InputLayer)
    made: SymbolicTensor = _from_config(tensor.node.operation).output
    return made


def _is_input(tensor: SymbolicTensor) -> bool:
    return tensor.node is not None and isinstance(tensor.node.operation, InputLayer)
