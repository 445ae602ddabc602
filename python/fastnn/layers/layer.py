"""Layer: what has weights and can be called."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from inspect import Parameter, signature
from math import prod
from typing import Any

import numpy as np

from fastnn import backend, constraints, initializers, ops, regularizers
from fastnn.arrays import Array, DTypeLike, PartialShape, float_dtype
from fastnn.autograd import Tensor, Variable, raw
from fastnn.dtype_policies import DTypePolicy
from fastnn.layers.given import Given, given_to
from fastnn.layers.input_spec import check_inputs
from fastnn.masks import mask_of, masks_of, set_mask
from fastnn.masks import table as _masks
from fastnn.random import SeedGenerator
from fastnn.registry import Registry, serialize, snake_case, unique_name
from fastnn.structure import Structural, freezing_changed, is_ours, structure_changed, structure_version
from fastnn.symbolic import (
    Node,
    SymbolicTensor,
    is_symbolic,
    located,
    of_shapes,
    probed,
    replaced,
    shapes_of,
    stand_in,
    symbols,
)

registry = Registry("layers")


class _NotMade:
    """What a layer whose __init__() has not called super().__init__() has in place of an attribute."""

    def __get__(self, layer: Any, owner: type) -> Any:
        if layer is None:
            return self
        raise RuntimeError(f"[{owner.__name__}] expected its __init__() to call super().__init__()")


class _Call(threading.local):
    training: bool | None = None


class _Added:
    """Whether add_loss was ever called: only then is there anything to forget before a call."""

    losses = False


_call = _Call()

#: Held while a layer makes its weights, so that threads which call it first at the same time share them.
_building = threading.RLock()


def is_training() -> bool:
    """Whether the layer that runs now trains."""
    return bool(_call.training)


class Layer(Structural):
    """Base class of layers. A layer of your own implements `build` and `call`.

    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        def call(self, x):
            return x * self.factor

    Called inside a GradientTape on a Tensor, or with trainable weights, a layer returns a Tensor; else arrays in,
    arrays out. `training` is the call's argument, else that of the enclosing call, else False.

    Masks: call() gets that of its input as `mask`, if it has such an argument, and those of inputs of other names as
    `<name>_mask`. With `supports_masking` the output gets what compute_mask() says, by default the input's mask. A
    layer that can do neither refuses an input with a mask, unless drop_mask=True says that the mask ends here.
    """

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        name: str | None = None,
        drop_mask: bool = False,
        **options: Any,
    ) -> None:
        self._begin_tracking()
        shape = options.pop("input_shape", None)
        if "input_dim" in options:
            shape = (options.pop("input_dim"),)
        if options:
            raise TypeError(f"[{type(self).__name__}] expected other arguments than {', '.join(sorted(options))}")
        self._dtype = float_dtype(_of_policy(dtype), type(self).__name__)
        if not isinstance(trainable, bool):
            raise ValueError(f"[{type(self).__name__}] expected trainable True or False, got {trainable!r}")
        self._trainable = trainable
        self.name: str = name or unique_name(snake_case(type(self).__name__))
        self.built = False
        self._input_shape_hint: PartialShape | None = None if shape is None else (None, *shape)
        self._build_shape: PartialShape | None = None
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer)
        if drop_mask:
            self.drop_mask = True

    _dtype: np.dtype[Any] = _NotMade()  # type: ignore[assignment]

    def __new__(cls, *args: Any, **options: Any) -> Any:
        layer = super().__new__(cls)
        if not is_ours(cls) and cls.get_config is Layer.get_config:
            object.__setattr__(layer, "_made_with", given_to(cls.__init__, args, options))
        return layer

    #: What the constructor was given, where get_config() has to tell by itself.
    _made_with: Given | None = None

    #: Whether an output gets a mask, and whether the input's is neither used nor handed on.
    supports_masking = False
    drop_mask = False

    #: The penalty of the layer's output, or None.
    activity_regularizer: Callable[[Any], Any] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        registry.add_own(cls)
        if "build" in cls.__dict__:
            cls.build = _marking_built(cls.build)  # type: ignore[method-assign]
        cls.recordable = cls.__dict__.get("recordable", is_ours(cls))
        names = list(signature(cls.call).parameters)[1:]
        cls._takes_training = _accepts(cls.call, "training")
        cls._training_position = names.index("training") if cls._takes_training else 0
        cls._first_argument = names[0] if names else ""
        cls._mask_arguments = tuple(_mask_arguments(names))
        shapes = list(signature(cls.build).parameters)[1:]
        cls._built_from = tuple((i, n) for i, n in enumerate(names) if len(shapes) > 1 and f"{n}_shape" in shapes)
        if "compute_mask" in cls.__dict__:
            cls._makes_masks = cls.__dict__.get("_makes_masks", True)
            cls.supports_masking = cls.__dict__.get("supports_masking", True)

    #: Whether a step through this layer may be recorded and replayed without its Python: true if `call` does the same
    #: kernels on arrays of the same shapes every time. Own layers may say so; by default they run as they are written.
    recordable = False
    _takes_training = False
    _training_position = 0
    _first_argument = ""
    _mask_arguments: tuple[tuple[int, str, int, str], ...] = ()
    _built_from: tuple[tuple[int, str], ...] = ()  # arguments whose shapes build() gets, where not the first's alone
    _makes_masks = False  # whether compute_mask() is to be asked where no input has a mask

    # ---- what a subclass implements --------------------------------------------------------------------------

    def build(self, input_shape: PartialShape) -> None:
        """Makes the weights. input_shape: the batch first, as a rule None."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] expected call() to be implemented")

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        """The shape that call() makes of input_shape. By default found by calling it on zeros of two batch sizes."""
        y = probed(self, (of_shapes(input_shape, self._dtype),), {})
        shapes: PartialShape = shapes_of(y)
        return shapes

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """What call() makes of symbolic tensors, as symbolic tensors: shapes from compute_output_shape() if it says."""
        shapes = self._output_shapes(args, kwargs)
        if shapes is None or not all(layer.built for layer in self._walk()):
            found = probed(self, args, kwargs)  # which also builds what is inside
            self._forget_losses()
            return found if shapes is None else of_shapes(shapes, self._dtype)
        return of_shapes(shapes, self._dtype)

    def _output_shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What compute_output_shape() says of a call; None if it is not overwritten, or does not cover the call."""
        cls = type(self)
        if cls.compute_output_shape is Layer.compute_output_shape:
            return None
        given = dict(signature(self.call).bind(*args, **kwargs).arguments)
        settings = given.pop("kwargs", {})
        known = list(signature(self.compute_output_shape).parameters)
        first, *others = [name for name in given if name not in ("training", "mask") and given[name] is not None]
        if settings or any(f"{name}_shape" not in known for name in others):
            return None
        shapes = {f"{name}_shape": shapes_of(given[name]) for name in others}
        return self.compute_output_shape(shapes_of(given[first]), **shapes)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output, or None: by default that of the inputs. Asked where `supports_masking` is True."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """What the constructor needs to make this layer again.

        A class of one's own need not implement it if its constructor takes numbers, texts, None, and lists and dicts of
        these alone: they are kept as they were given. Raises NotImplementedError where another object was given.
        """
        config = {"name": self.name, "trainable": self._trainable, "dtype": self._dtype.name}
        if self.drop_mask:
            config["drop_mask"] = True
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = serialize(self.activity_regularizer)
        return config if self._made_with is None else self._made_with.completed(config, type(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    # ---- weights ---------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Sequence[int] | None = None,
        initializer: Any = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        name: str | None = None,
        *,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Variable:
        """A new Variable of this layer. initializer: "glorot_uniform" for floating weights by default, else "zeros".

        regularizer: its penalty, which `losses` holds. constraint: what an optimizer puts it through after each step.
        """
        if isinstance(shape, str):
            raise ValueError(f"[{self.name}] expected a shape first, got {shape!r}; names are given as name=")
        kind = np.dtype(self._dtype if dtype is None else dtype)
        floating = kind.kind == "f"
        if initializer is None:
            initializer = "glorot_uniform" if floating else "zeros"
        made, lengths = initializers.get(initializer), tuple(shape or ())
        if callable(made) and not floating:
            made = np.asarray(made(lengths, self._dtype))
        variable = Variable(made, lengths, kind, trainable, name or "variable")
        variable.path = f"{self.name}/{variable.name}"
        variable.regularizer, variable.constraint = regularizers.get(regularizer), constraints.get(constraint)
        self._track(variable)
        return variable

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """add_weight(), with Keras's order of arguments here."""
        return self.add_weight(
            shape, initializer, dtype, trainable, name, regularizer=regularizer, constraint=constraint
        )

    def _track(self, value: Any) -> None:
        if isinstance(value, Variable):
            if not any(v is value for v in self._variables):
                structure_changed()
                self._variables.append(value)
                self._own_trainable.append(value.trainable)
                value.trainable = value.trainable and self._trainable
        elif isinstance(value, Layer):
            if not any(layer is value for layer in self._sublayers):
                structure_changed()
                self._sublayers.append(value)
        elif isinstance(value, (list, tuple, dict)):
            for part in value.values() if isinstance(value, dict) else value:
                self._track(part)

    def _track_containers(self) -> None:
        """Finds what was put into this layer's lists and dicts after they were set."""
        for container in self._containers:
            self._track(container)

    _variables: list[Variable]
    _own_trainable: list[bool]  # what trainable was when each was added, to be restored after freezing
    _sublayers: list[Layer]
    _containers: list[Any]

    def _begin_tracking(self) -> None:
        """What is set may come before super().__init__(), as in Keras: whoever is first begins."""
        if "_variables" not in self.__dict__:
            self.__dict__.update(_variables=[], _own_trainable=[], _sublayers=[], _containers=[], _trainable=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Variable, Layer, list, tuple, dict)):
            self._begin_tracking()
            if not name.startswith("_"):
                self._track(value)
                if isinstance(value, (list, dict)):
                    self._containers.append(value)
        super().__setattr__(name, value)

    def _walk(self) -> Iterator[Layer]:
        """This layer and all layers inside it, each once."""
        seen: set[int] = set()
        waiting: list[Layer] = [self]
        while waiting:
            layer = waiting.pop(0)
            if id(layer) not in seen:
                seen.add(id(layer))
                layer._track_containers()
                yield layer
                waiting[:0] = layer._sublayers

    def _is_recordable(self) -> bool:
        """True if a step through this layer, and those inside it, may be replayed."""
        for layer in self._walk():
            functions = (value for name, value in vars(layer).items() if callable(value) and "initializer" not in name)
            if not layer.recordable or not all(isinstance(f, Layer) or is_ours(f) for f in functions):
                return False
            if not all(f is None or is_ours(f) for v in layer._variables for f in (v.regularizer, v.constraint)):
                return False
        return True

    def _memory(self) -> Iterator[Array]:
        """The arrays that stay where they are while the layer is used: weights, gradients, random streams."""
        for layer in self._walk():
            for value in vars(layer).values():
                if isinstance(value, SeedGenerator):
                    yield value.state
            for variable in layer._variables:
                yield from variable.memory()
            yield from layer._kept_arrays()

    def _kept_arrays(self) -> Iterable[Array]:
        """Arrays beside the weights that stay where they are from call to call."""
        return ()

    @property
    def variables(self) -> list[Variable]:
        return list({id(v): v for layer in self._walk() for v in layer._variables}.values())

    @property
    def weights(self) -> list[Variable]:
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if v.trainable] if self._trainable else []

    @property
    def trainable_weights(self) -> list[Variable]:
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not (v.trainable and self._trainable)]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return self.non_trainable_variables

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._begin_tracking()
        freezing_changed()
        for layer in self._walk():
            layer._trainable = bool(value)
            for variable, own in zip(layer._variables, layer._own_trainable, strict=True):
                variable.trainable = bool(value) and own

    # ---- penalties -------------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Adds a scalar, or several, to `losses`. To be called in `call`; forgotten when the next call begins."""
        values = list(loss) if isinstance(loss, (list, tuple)) else [loss]
        for value in values:
            if not isinstance(value, (np.ndarray, np.generic, Tensor)):
                raise ValueError(f"[{self.name}] expected add_loss() of a Tensor or an array, got {value!r}")
        self.__dict__.setdefault("_losses", []).extend(values)
        _Added.losses = True

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Warns and does nothing, as in Keras 3: metrics are given to compile(), or are attributes of a model."""
        warnings.warn(
            f"[{self.name}] expected metrics in compile() or as attributes of a model, got add_metric(), which does "
            "nothing",
            stacklevel=2,
        )

    @property
    def losses(self) -> list[Any]:
        """What add_loss() was given in the last call, here and inside, and the penalties of the trainable weights."""
        found: list[Any] = []
        if _Added.losses:
            for layer in self._walk():
                found += layer.__dict__.get("_losses", ())
        for variable in self._regularized_now():
            found.append(variable.regularizer(variable))  # type: ignore[misc]
        return found

    def _regularized_now(self) -> list[Variable]:
        """The trainable variables with a regularizer, found anew only after the structure changed."""
        known: tuple[int, list[Variable]] = self.__dict__.get("_regularized", (-1, []))
        if known[0] != structure_version():
            known = (structure_version(), [v for v in self.trainable_variables if v.regularizer is not None])
            self.__dict__["_regularized"] = known
        return known[1]

    def _forget_losses(self) -> None:
        for layer in self._walk():
            layer.__dict__.pop("_losses", None)

    def _add_penalty(self, y: Any) -> None:
        """Adds the penalty of the output y, of one sample in the mean."""
        for part in y if isinstance(y, (list, tuple)) else [y]:
            penalty = self.activity_regularizer(part)  # type: ignore[misc]
            self.add_loss(ops.divide(penalty, float(max(part.shape[0], 1))) if part.shape else penalty)

    def count_params(self) -> int:
        """Number of elements in all weights. Raises ValueError before the layer is built."""
        if not self.built:
            raise ValueError(
                f"[{self.name}] expected a built layer, got one that has not seen an input shape; call build()"
            )
        return sum(v.size for v in self.variables)

    def get_weights(self) -> list[Array]:
        """Copies of the weights, in the order of `weights`."""
        return [v._value.copy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets the weights, in the order of `weights`. Raises ValueError, and sets none, if number or shapes differ."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(f"[{self.name}] expected {len(own)} weights, got {len(weights)}")
        arrays = [np.asarray(raw(w)) for w in weights]
        for variable, array in zip(own, arrays, strict=True):
            if array.shape != variable.shape:
                raise ValueError(f"[{self.name}] expected {variable.path} of shape {variable.shape}, got {array.shape}")
        for variable, array in zip(own, arrays, strict=True):
            variable.assign(array)

    # ---- calling ---------------------------------------------------------------------------------------------

    @property
    def dtype(self) -> str:
        return self._dtype.name

    @property
    def dtype_policy(self) -> DTypePolicy:
        return DTypePolicy(self._dtype.name)

    @property
    def compute_dtype(self) -> str:
        return self._dtype.name

    @property
    def variable_dtype(self) -> str:
        return self._dtype.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not args and self._first_argument in kwargs:
            args = (kwargs.pop(self._first_argument),)
        inputs = args[0] if args else None
        mask = self._find_masks(args, kwargs) if _masks or "mask" in kwargs else None
        if args:
            x = args[0]
            if type(x) is np.ndarray:
                if x.dtype is not self._dtype:
                    args = (self._cast(x), *args[1:])
            elif type(x) is not Tensor or x.data.dtype is not self._dtype:
                if is_symbolic(x):
                    return self._add_node(args, kwargs)
                args = (self._cast(x), *args[1:])
            if not self.built:
                self._build_from(*args, **kwargs)
        outer = _call.training
        training = kwargs.get("training")
        if training is None:
            training = False if outer is None else outer
        if self._takes_training:
            at = self._training_position
            if len(args) > at:  # given by position
                training = training if args[at] is None else args[at]
                args = (*args[:at], training, *args[at + 1 :])
            else:
                kwargs["training"] = training
        elif "training" in kwargs:
            del kwargs["training"]
        if training is outer:
            y = self.call(*args, **kwargs)
        else:
            if outer is None and _Added.losses:
                self._forget_losses()
            _call.training = training
            try:
                y = self.call(*args, **kwargs)
            finally:
                _call.training = outer
        if self.activity_regularizer is not None:
            self._add_penalty(y)
        if mask is not None or self._makes_masks:
            self._hand_on_mask(inputs, y, mask)
        return y

    def _find_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Adds the masks of the inputs to the arguments of call(). Returns that of the first input, given or found."""
        if self.drop_mask:
            return None
        mask = None
        for position, name, mask_position, mask_name in self._mask_arguments:
            if len(args) > mask_position:
                given = args[mask_position]
            else:
                given = kwargs.get(mask_name)
                if given is None:
                    given = masks_of(args[position] if len(args) > position else kwargs.get(name))
                    if given is not None:
                        kwargs[mask_name] = given
            mask = given if position == 0 else mask
        if mask is None and args:
            mask = masks_of(args[0])
        if mask is not None and not (self.supports_masking or self._mask_arguments):
            self._refuse_mask()
        return mask

    def _refuse_mask(self) -> None:
        raise ValueError(
            f"[{self.name}] expected an input without a mask, which {type(self).__name__} would lose; with "
            "drop_mask=True it may"
        )

    def _hand_on_mask(self, inputs: Any, y: Any, mask: Any) -> None:
        """Gives the outputs their masks, where they have none yet."""
        if not self.supports_masking:
            return
        outputs = y if isinstance(y, (list, tuple)) else [y]
        if all(mask_of(output) is not None for output in outputs):
            return
        masks = self.compute_mask(inputs, mask)
        for output, own in zip(outputs, masks if isinstance(masks, (list, tuple)) else [masks], strict=False):
            if own is not None and mask_of(output) is None:
                set_mask(output, own)

    def _add_node(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call on symbolic tensors: builds the layer and becomes a node of their graph. Returns its outputs."""
        with located(self, (args, kwargs)):
            check_inputs(self.input_spec, shapes_of(args[0]), self.name)
            if not self.built:
                self._build_from(*args, **kwargs)
            node = Node(self, args, kwargs, self.compute_output_spec(*args, **kwargs))
            if self.supports_masking and not self.drop_mask:
                self._hand_on_mask_axes(args[0], node.outputs)
        self.__dict__.setdefault("_nodes", []).append(node)
        return node.outputs

    def _hand_on_mask_axes(self, inputs: Any, outputs: Any) -> None:
        """Says of symbolic outputs how many of their axes the mask will have that they get from compute_mask()."""
        given = symbols(inputs)
        if not self._makes_masks and not any(tensor.mask_axes for tensor in given):
            return
        x = replaced(inputs, stand_in)
        masks = self.compute_mask(x, masks_of(x))
        for output, own in zip(symbols(outputs), masks if isinstance(masks, (list, tuple)) else [masks], strict=False):
            output.mask_axes = 0 if own is None else np.ndim(own)

    #: An InputSpec, or a list or dict of them, that calls on symbolic tensors are checked against; None for no check.
    input_spec: Any = None

    def _node(self, what: str) -> Node:
        nodes: list[Node] = self.__dict__.get("_nodes", [])
        if not nodes:
            raise AttributeError(
                f"[{self.name}] expected a layer of a graph, got one without {what}; call it on an Input first"
            )
        return nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic tensor, or the list of them, that the layer was first called on."""
        inputs = self._node("input").inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self) -> Any:
        """The symbolic tensor, or the list of them, that its first call on symbolic tensors made."""
        outputs = symbols(self._node("output").outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def get_build_config(self) -> dict[str, Any] | None:
        """What build_from_config() needs; None before the layer is built."""
        return None if self._build_shape is None else {"input_shape": self._build_shape}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Builds the layer as get_build_config() says that another was."""
        if config and not self.built:
            self._build_once(config["input_shape"])

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Puts copies of the weights of this layer, without those inside, into store: under "0", "1" ..., as Keras.

        A class that defines this or load_own_variables() says itself what files, pickles and copies of a model hold of
        such a layer; that of other layers is kept by name.
        """
        for number, variable in enumerate(self._own_variables()):
            store[str(number)] = variable._value.copy()

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Sets them to what save_own_variables() put there. Raises ValueError if number or shapes differ."""
        own = self._own_variables()
        if sorted(store, key=str) != sorted(map(str, range(len(own)))):
            raise ValueError(f"[{self.name}] expected {len(own)} weights, got {len(store)}, named {', '.join(store)}")
        for number, variable in enumerate(own):
            variable.assign(store[str(number)])

    def _own_variables(self) -> list[Variable]:
        """The weights that are not in layers inside, trainable ones first."""
        own = list(zip(self._variables, self._own_trainable, strict=True))
        return [variable for first in (True, False) for variable, trainable in own if trainable is first]

    def __getstate__(self) -> dict[str, Any]:
        """A copy of a layer is in no graph yet."""
        return {name: value for name, value in self.__dict__.items() if name != "_nodes"}

    def _real(self, x: Any) -> Any:
        """An array or Tensor in this layer's dtype: integers and booleans, too, which _cast() leaves as they are."""
        return x if x.dtype is self._dtype or x.dtype == self._dtype else ops.cast(x, self._dtype)

    def _cast(self, x: Any) -> Any:
        """Floating inputs in this layer's dtype, whatever nesting they come in; anything else as it is."""
        if isinstance(x, (list, tuple)) and any(isinstance(part, (np.ndarray, Tensor, Variable)) for part in x):
            return type(x)(self._cast(part) for part in x)
        if isinstance(x, dict):
            return {key: self._cast(part) for key, part in x.items()}
        if isinstance(x, (Tensor, Variable)):
            return ops.cast(x, self._dtype) if x.dtype.kind == "f" and x.dtype != self._dtype else x
        array = np.asarray(x)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"[{self.name}] expected an array of real numbers, got dtype {array.dtype}")
        if array.dtype.kind == "f" or not isinstance(x, (np.ndarray, np.generic)):
            return backend.cast(array, self._dtype)
        return array

    def _build_from(self, *args: Any, **kwargs: Any) -> None:
        """build() with the shape of a call's first argument, or with those of all it names: x_shape is that of x."""
        if not self._built_from:
            return self._build_once(_shape_of(args[0]))
        given = ((name, args[at] if at < len(args) else kwargs.get(name)) for at, name in self._built_from)
        shapes = {f"{name}_shape": _shape_of(value) for name, value in given if value is not None}
        with _building:
            if not self.built:
                self.build(**shapes)

    def _build_once(self, shape: Any) -> None:
        with _building:
            if not self.built:
                self.build(shape)
                self.built = True
                self._build_shape = shape

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _shape_of(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return [_shape_of(part) for part in x]
    if isinstance(x, dict):
        return {key: _shape_of(part) for key, part in x.items()}
    if isinstance(x, SymbolicTensor):
        return x.shape
    shape = np.shape(raw(x))
    return (None, *shape[1:]) if shape else shape


def _marking_built(build: Callable[..., None]) -> Callable[..., None]:
    """build, after which the layer counts as built also where it was called by hand."""

    @wraps(build)
    def marked(self: Layer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        self.built = True

    return marked


def _mask_arguments(names: list[str]) -> Iterator[tuple[int, str, int, str]]:
    """Of the arguments of a call(): (position, name) of an input, and of what is its mask."""
    for position, name in enumerate(names):
        for mask_name in ("mask", name + "_mask") if position == 0 else (name + "_mask",):
            if mask_name in names:
                yield position, name, names.index(mask_name), mask_name


def _of_policy(dtype: Any) -> Any:
    """dtype; of a dtype policy, also as Keras's configurations hold it, its name."""
    if isinstance(dtype, DTypePolicy):
        return dtype.name
    return dtype["config"]["name"] if isinstance(dtype, dict) and "config" in dtype else dtype


def _accepts(function: Callable[..., Any], name: str) -> bool:
    parameters = signature(function).parameters
    return name in parameters and parameters[name].kind is not Parameter.VAR_KEYWORD


def size_of(shape: PartialShape) -> int | None:
    """Number of elements, None if a length is not known."""
    return None if any(length is None for length in shape) else prod(length for length in shape if length is not None)
