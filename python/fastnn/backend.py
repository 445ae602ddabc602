"""Which compiled module runs an array, and threads, memory and instruction sets. The only importer of _core.

It also has the names of Keras's keras.backend that are in config, for scripts that look for them here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy import ndarray

from fastnn import _core
from fastnn.arrays import F32, F64, Array, floatx
from fastnn.config import backend as backend
from fastnn.config import clear_session as clear_session
from fastnn.config import epsilon as epsilon
from fastnn.config import image_data_format as image_data_format
from fastnn.config import is_float_dtype as is_float_dtype
from fastnn.config import is_int_dtype as is_int_dtype
from fastnn.config import result_type as result_type
from fastnn.config import set_floatx as set_floatx
from fastnn.config import set_image_data_format as set_image_data_format
from fastnn.config import standardize_dtype as standardize_dtype

__version__: str = _core.__version__

#: A function of arrays, recorded while it runs once, that runs again on other arrays; see recording.py.
RecordedStep: TypeAlias = _core.RecordedStep

#: A convolution's kernel in the order in which it is multiplied, kept until weights_changed().
PackedKernel: TypeAlias = _core.PackedKernel

#: By name of a unary function: whether its derivative is computed from "x" or "y".
unary_saved: dict[str, str] = _core.unary_saved

#: By name of a unary function: its number in the bindings of dense.
unary_codes: dict[str, int] = _core.unary_codes


def kernels(array: Array) -> Any:
    """The compiled module for the device `array` is on."""
    if isinstance(array, ndarray):
        return _core
    raise TypeError(f"[kernels] expected a numpy array, got {type(array).__name__}")


def function(name: str) -> Any:
    """A function of the kernels for NumPy arrays, by name."""
    return getattr(_core, name)


def floats(x: Any) -> Array:
    """x as a float32 or float64 array: as it is if it is one, else as NumPy would promote it for a function of reals.

    Python numbers and lists of them become floatx().
    """
    if type(x) is ndarray and (x.dtype is F32 or x.dtype is F64):
        return x
    return _promoted(x)


def float_pair(a: Any, b: Any) -> tuple[Array, Array]:
    """Two operands as arrays of one dtype, promoted as NumPy does; Python scalars take the other's dtype."""
    if type(a) is ndarray and type(b) is ndarray:
        dtype = a.dtype
        if dtype is b.dtype and (dtype is F32 or dtype is F64):
            return a, b
    if _is_scalar(b) and not _is_scalar(a):
        a = floats(a)
        return a, _core.constant(np.asarray(b, a.dtype))
    if _is_scalar(a) and not _is_scalar(b):
        b = floats(b)
        return _core.constant(np.asarray(a, b.dtype)), b
    a, b = _array(a), _array(b)
    dtype = np.result_type(a, b)
    if dtype.kind in "biu":
        dtype = F64
    return _promoted(cast(a, dtype)), _promoted(cast(b, dtype))


def weights_changed() -> None:
    """Says that weights were written: kernels that were kept packed are packed anew when they are used next."""
    _core.weights_changed()


def constant(array: Array) -> Array:
    """array, made of settings alone: a step that is being recorded keeps it, and reads it again when replayed."""
    kept: Array = _core.constant(array)
    return kept


def full(shape: tuple[int, ...], value: float, dtype: Any) -> Array:
    """A new array from the pool with one value everywhere."""
    result: Array = _core.full(shape, value, np.dtype(dtype))
    return result


def cast(array: Array, dtype: np.dtype[Any]) -> Array:
    """array in another dtype; array itself if it has it already."""
    if array.dtype == dtype:
        return array
    kind, bytes_ = dtype.kind, dtype.itemsize
    from_kind = array.dtype.kind
    by_kernel = (kind == "f" and bytes_ in (4, 8) and from_kind in "fiub") or (
        kind == "i" and bytes_ == 8 and from_kind in "iub"
    )
    if by_kernel and (from_kind != "f" or array.itemsize in (4, 8)):
        result: Array = _core.cast(array, dtype)
        return result
    return array.astype(dtype)


def _is_scalar(x: Any) -> bool:
    return type(x) is float or type(x) is int or type(x) is bool


def _array(x: Any) -> Array:
    """x as an array; Python numbers and lists of them as floatx()."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    array = np.asarray(x)
    return array.astype(floatx()) if array.dtype == F64 else array


def _promoted(x: Any) -> Array:
    array = _array(x)
    if array.dtype == F32 or array.dtype == F64:
        native: Array = np.asarray(array, F32 if array.dtype == F32 else F64)
        return native
    if array.dtype.kind in "biu":
        return cast(array, F64 if isinstance(x, (np.ndarray, np.generic)) else np.dtype(floatx()))
    if array.dtype == np.float16:
        return array.astype(F32)
    raise TypeError(f"[ops] expected real numbers, got an array of dtype {array.dtype}")


def set_num_threads(n: int) -> None:
    """Sets how many threads an op may use. Results never depend on it. Raises ValueError if n < 1."""
    _core.set_num_threads(n)


def get_num_threads() -> int:
    """How many threads an op may use: as set, else FASTNN_NUM_THREADS, else the processors this process may use."""
    return _core.num_threads()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Limits the ops of the calling thread to n threads. Raises ValueError if n < 1."""
    if n < 1:
        raise ValueError(f"[threads] expected at least 1 thread, got {n}")
    before = _core.set_thread_limit(n)
    try:
        yield
    finally:
        _core.set_thread_limit(before)


def not_recordable() -> None:
    """Says that what happens now happens outside the kernels: a recording that listens cannot be replayed."""
    _core.spoil_recording()


def memory_stats() -> dict[str, int]:
    """Counts of the pool behind output arrays: in_use_bytes, cached_bytes, peak_bytes, requests, reused."""
    return _core.memory_stats()


def empty_cache() -> None:
    """Gives the pool's unused memory back to the system."""
    _core.empty_cache()


def gather_rows(array: Array, rows: Array) -> Array:
    """array[rows] along the first axis, as a new array. rows: int64, in range."""
    if array.itemsize in (1, 2, 4, 8):
        result: Array = _core.gather_rows(array, rows)
        return result
    return array[rows]


def build_info() -> dict[str, Any]:
    """How the kernels were built and what they run on."""
    return {
        "compiler": _core.compiler(),
        "threading": _core.threading(),
        "supported_isas": _core.supported_isas(),
        "active_isa": _core.active_isa(),
        "available_threads": _core.available_threads(),
        "pool_limit": _core.pool_limit(),
    }
