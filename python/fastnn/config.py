"""Settings, and questions about dtypes, under the names that Keras has for them in keras.config and keras.backend."""

from __future__ import annotations

import numpy as np

from fastnn.arrays import DTypeLike
from fastnn.arrays import floatx as floatx
from fastnn.arrays import set_floatx as set_floatx
from fastnn.registry import forget_names


def epsilon() -> float:
    """The small number that keeps losses and metrics from dividing by 0 or taking the logarithm of 0: 1e-7, always."""
    return 1e-7


def backend() -> str:
    """What arrays are: "numpy"."""
    return "numpy"


def image_data_format() -> str:
    """How pictures lie: "channels_last"."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accepts "channels_last". Raises ValueError for any other, which fastnn does not have."""
    if data_format != "channels_last":
        raise ValueError(f"[set_image_data_format] expected 'channels_last', got {data_format!r}")


def clear_session(free_memory: bool = True) -> None:
    """Names of layers count from the start again. There is no other state; free_memory is there for Keras's sake."""
    forget_names()


def standardize_dtype(dtype: DTypeLike | None) -> str:
    """The name of a dtype; floatx() for None."""
    return floatx() if dtype is None else np.dtype(dtype).name


def is_float_dtype(dtype: DTypeLike) -> bool:
    """Whether a dtype holds reals."""
    return np.dtype(dtype).kind == "f"


def is_int_dtype(dtype: DTypeLike) -> bool:
    """Whether a dtype holds integers, signed or not."""
    return np.dtype(dtype).kind in "iu"


def result_type(*dtypes: DTypeLike) -> str:
    """The dtype that operands of these dtypes are promoted to by NumPy."""
    return np.result_type(*(np.dtype(dtype) for dtype in dtypes)).name
