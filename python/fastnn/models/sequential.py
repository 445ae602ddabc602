from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastnn.arrays import PartialShape
from fastnn.layers import InputLayer, Layer, deserialize
from fastnn.masks import masked
from fastnn.models.graph import direct_call
from fastnn.models.joining import joined_layers
from fastnn.models.model import Model
from fastnn.registry import serialize
from fastnn.structure import structure_changed
from fastnn.symbolic import SymbolicTensor, shapes_of, symbols


class Sequential(Model):
    """Layers one after the other: y = layers[-1](... layers[0](x)).

    layers: Layers, and Input(shape) in front if the weights should be made before the first call.
    """

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        self._called: list[Layer] = []  # the same without the Input
        self._steps: list[Callable[[Any], Any]] | None = None
        self._tensors: list[Any] = []  # the symbolic input and what each layer makes of it
        self._input_dtype: Any = None
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._maybe_build()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer at the end. Raises TypeError for what is no layer, ValueError for a name that is taken."""
        if isinstance(layer, SymbolicTensor):
            made_by = layer.node.operation if layer.node is not None else None
            if not isinstance(made_by, InputLayer):
                raise TypeError(f"[{self.name}] expected a Layer or an Input, got the output of {layer.name}")
            layer = made_by
        if not isinstance(layer, Layer):
            raise TypeError(f"[{self.name}] expected a Layer or an Input, got {type(layer).__name__}")
        if any(layer.name == other.name for other in self._layers):
            raise ValueError(f"[{self.name}] expected layers of different names, got {layer.name!r} twice")
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(f"[{self.name}] expected Input in front, got it after {self._layers[-1].name}")
        if not self._layers and layer._input_shape_hint is not None:
            self.add(InputLayer(batch_shape=layer._input_shape_hint), rebuild=False)
        self._layers.append(layer)
        self._steps = None
        if not isinstance(layer, InputLayer):
            self._called.append(layer)
            self._dtype = self._called[0]._dtype  # inputs go to the first layer as precise as it wants them
        self._track(layer)
        self.built = False
        if rebuild:
            self._maybe_build()

    def pop(self, rebuild: bool = True) -> Layer:
        """Takes the last layer away and returns it."""
        if not self.layers:
            raise ValueError(f"[{self.name}] expected a layer to take away, got an empty model")
        layer = self._layers.pop()
        self._called.pop()
        self._steps = None
        self._sublayers.remove(layer)
        structure_changed()
        shape, self.built, self._build_shape = self._build_shape, False, None
        self._tensors = self._tensors[: len(self._called) + 1]
        if rebuild:
            self._maybe_build()
            if not self.built and shape is not None and self._called:
                self.build(shape)
        return layer

    def _maybe_build(self) -> None:
        first = self._layers[0] if self._layers else None
        if isinstance(first, InputLayer):
            self.build(first.batch_shape)
            return
        shape = getattr(first, "input_shape", None)
        if isinstance(first, Model) and isinstance(shape, tuple):  # that of a model which knows what it takes
            self._input_dtype = first.input.dtype
            self.build(shape)

    @property
    def layers(self) -> list[Layer]:
        """The layers without the Input."""
        return list(self._called)

    def build(self, input_shape: PartialShape | None = None) -> None:
        """Makes the weights of all layers. input_shape: the batch first, None for its length.

        Raises ValueError where a layer cannot take the shape it gets, with the shapes that led there.
        """
        front = self._layers[0] if self._layers and isinstance(self._layers[0], InputLayer) else None
        if input_shape is None:
            if front is None:
                raise ValueError(f"[{self.name}] expected an input_shape, got None and no Input in front")
            input_shape = front.batch_shape
        shape: PartialShape = tuple(input_shape)
        if not self._tensors or self._tensors[0].shape != shape:
            if front is None or front.batch_shape != shape:
                front = InputLayer(batch_shape=shape, dtype=self._input_dtype)
            self._tensors = [front.output]
        for position, layer in enumerate(self._called):
            if position + 1 < len(self._tensors):
                continue  # built before, when the layers behind it were not there
            try:
                self._tensors.append(layer(self._tensors[-1]))
            except (ValueError, TypeError) as error:
                raise type(error)(f"{error}\n  in layer {position} of {self.name}") from None
        self.built = True
        self._steps = None
        self._build_shape = shape

    def _build_from(self, x: Any, *args: Any, **kwargs: Any) -> None:
        if not self._layers:
            raise ValueError(f"[{self.name}] expected a model with layers, got none; add() them before a call")
        dtype = getattr(x, "dtype", None)
        self._input_dtype = dtype if dtype is not None and dtype.kind in "iub" else None
        super()._build_from(x)

    # ---- its graph -------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic input, in a list. Raises AttributeError before the model is built."""
        return [self.input]

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs, in a list. Raises AttributeError before the model is built."""
        return symbols(self.output)

    @property
    def input(self) -> SymbolicTensor:
        self._require_built()
        found: SymbolicTensor = self._tensors[0]
        return found

    @property
    def output(self) -> Any:
        self._require_built()
        return self._tensors[-1]

    @property
    def output_names(self) -> list[str]:
        return [self._layers[-1].name]

    def _require_built(self) -> None:
        if self._build_shape is None:
            raise AttributeError(f"[{self.name}] expected a built model; it has seen no input shape yet")

    @property
    def input_shape(self) -> PartialShape:
        """The batch first. Raises AttributeError before the model is built."""
        shape: PartialShape = self.input.shape
        return shape

    @property
    def output_shape(self) -> PartialShape:
        """The batch first. Raises AttributeError before the model is built."""
        shape: PartialShape = shapes_of(self.output)
        return shape

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        shape: PartialShape = shapes_of(self.compute_output_spec(SymbolicTensor(input_shape, self._dtype)))
        return shape

    def compute_output_spec(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What the last layer makes of a symbolic input."""
        x = inputs
        for layer in self._called:
            layer._build_once(shapes_of(x))
            x = layer.compute_output_spec(x)
        return x

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self._steps is None:
            masks = any(layer._makes_masks for layer in self._walk())
            direct = partial(direct_call, dtype=self._dtype)
            self._steps = list(self._called) if masks else joined_layers(self._called, direct)
        x = inputs
        steps: Sequence[Callable[[Any], Any]] = self._steps
        if mask is not None:
            x, steps = masked(x, mask), self._called
        for step in steps:
            x = step(x)
        return x

    def get_config(self) -> dict[str, Any]:
        shape = None if self._build_shape is None else list(self._build_shape)
        return {
            "name": self.name,
            "trainable": self._trainable,
            "layers": [serialize(layer) for layer in self._layers],
            "build_input_shape": shape,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Sequential:
        model = cls([deserialize(layer, custom_objects) for layer in config["layers"]], name=config.get("name"))
        shape = config.get("build_input_shape")
        if shape is not None and not model.built:
            model.build(tuple(shape))
        model._trainable = config.get("trainable", True)  # the layers have their own
        return model
