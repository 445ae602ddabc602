from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import DTypeLike, PartialShape
from fastnn.layers.layer import Layer
from fastnn.symbolic import Node, SymbolicTensor, symbolic_dtype


class InputLayer(Layer):
    """States a model's input, `output`. shape: without the batch; batch_shape: with it. Passes its input through.

    dtype: floating, integer or bool; floatx() if None. input_tensor: a symbolic tensor to take shape and dtype from,
    which is the output if no call has made it. optional: whether a model may be given None for it. sparse and ragged
    are there for Keras's sake and have to be false.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: SymbolicTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        trainable: bool = True,
        **options: Any,
    ) -> None:
        if "input_shape" in options:
            warnings.warn("[InputLayer] expected shape, got input_shape, its old name", stacklevel=2)
            shape = options.pop("input_shape")
        batch_shape = options.pop("batch_input_shape", batch_shape)
        if options:
            raise TypeError(f"[InputLayer] expected other arguments than {', '.join(sorted(options))}")
        if sparse or ragged:
            raise ValueError("[InputLayer] expected neither sparse nor ragged, got one: there are no such arrays")
        if input_tensor is not None:
            _check_tensor(input_tensor, shape, batch_size, dtype, batch_shape)
            shape, batch_size, batch_shape, dtype = None, None, input_tensor.shape, input_tensor.dtype
        if batch_size is not None and batch_shape is not None:
            raise ValueError(f"[InputLayer] expected batch_size or batch_shape, got {batch_size} and {batch_shape}")
        if (shape is None) == (batch_shape is None):
            raise ValueError(f"[InputLayer] expected either shape or batch_shape, got {shape} and {batch_shape}")
        given = batch_shape if shape is None else shape
        if not isinstance(given, (tuple, list)):
            raise ValueError(f"[InputLayer] expected a shape such as (64,), got {given!r}")
        for length in given:
            if length is not None and (not isinstance(length, (int, np.integer)) or length < 0):
                raise ValueError(f"[InputLayer] expected lengths that are None or integers >= 0, got {tuple(given)}")
        taken = symbolic_dtype(dtype)
        super().__init__(dtype=taken if taken.kind == "f" else None, name=name, trainable=trainable)
        self.batch_shape: PartialShape = (batch_size, *shape) if shape is not None else tuple(batch_shape or ())
        self.optional = bool(optional)
        self.built = True
        free = input_tensor is not None and input_tensor.node is None
        made = input_tensor if free else SymbolicTensor(self.batch_shape, taken, self.name)
        self._nodes = [Node(self, (), {}, made)]

    @property
    def sparse(self) -> bool:
        return False

    @property
    def ragged(self) -> bool:
        return False

    @property
    def dtype(self) -> str:
        taken: np.dtype[Any] = self.output.dtype
        return taken.name

    def call(self, x: Any = None) -> Any:
        return x

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self.batch_shape

    def get_config(self) -> dict[str, Any]:
        optional = {"optional": True} if self.optional else {}
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name, **optional}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_taken": self.dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        taken = state.pop("_taken")
        self.__dict__.update(state)
        object.__setattr__(self, "_nodes", [Node(self, (), {}, SymbolicTensor(self.batch_shape, taken, self.name))])


def _check_tensor(tensor: Any, shape: Any, batch_size: int | None, dtype: Any, batch_shape: Any) -> None:
    """Raises ValueError unless tensor is symbolic, and is what the other arguments say, as far as they are given."""
    if not isinstance(tensor, SymbolicTensor):
        raise ValueError(f"[InputLayer] expected input_tensor as a symbolic tensor, got {type(tensor).__name__}")
    given = {
        "shape": (shape if shape is None else tuple(shape), tensor.shape[1:]),
        "batch_size": (batch_size, tensor.shape[:1] and tensor.shape[0]),
        "dtype": (dtype if dtype is None else np.dtype(dtype), tensor.dtype),
        "batch_shape": (batch_shape if batch_shape is None else tuple(batch_shape), tensor.shape),
    }
    for name, (wanted, own) in given.items():
        if wanted is not None and wanted != own:
            raise ValueError(f"[InputLayer] expected {name} of input_tensor, {own}, got {wanted}")


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: SymbolicTensor | None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """A model's input, for the functional API and for the front of a Sequential. shape: without the batch.

    x = Input((4,))
    model = Model(x, Dense(2)(x))

    Arguments as those of InputLayer.
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    made: SymbolicTensor = layer.output
    return made
