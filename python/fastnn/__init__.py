"""The Keras API on plain NumPy arrays, trained by C++ kernels."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from fastnn import ops as ops
from fastnn.arrays import floatx as floatx
from fastnn.arrays import set_floatx as set_floatx
from fastnn.autograd import GradientTape as GradientTape
from fastnn.autograd import Tensor as Tensor
from fastnn.autograd import Variable as Variable
from fastnn.autograd import value_and_grad as value_and_grad
from fastnn.autograd import vjp as vjp
from fastnn.backend import __version__ as __version__
from fastnn.backend import empty_cache as empty_cache
from fastnn.backend import get_num_threads as get_num_threads
from fastnn.backend import memory_stats as memory_stats
from fastnn.backend import set_num_threads as set_num_threads
from fastnn.backend import threads as threads

if _TYPE_CHECKING:
    from fastnn import activations as activations
    from fastnn import applications as applications
    from fastnn import callbacks as callbacks
    from fastnn import classic as classic
    from fastnn import config as config
    from fastnn import constraints as constraints
    from fastnn import dtype_policies as dtype_policies
    from fastnn import initializers as initializers
    from fastnn import layers as layers
    from fastnn import losses as losses
    from fastnn import metrics as metrics
    from fastnn import models as models
    from fastnn import optimizers as optimizers
    from fastnn import random as random
    from fastnn import regularizers as regularizers
    from fastnn import saving as saving
    from fastnn import testing as testing
    from fastnn import text as text
    from fastnn import utils as utils
    from fastnn import vision as vision
    from fastnn.dtype_policies import DTypePolicy as DTypePolicy
    from fastnn.initializers import Initializer as Initializer
    from fastnn.layers import Input as Input
    from fastnn.layers import InputSpec as InputSpec
    from fastnn.layers import Layer as Layer
    from fastnn.losses import Loss as Loss
    from fastnn.metrics import Metric as Metric
    from fastnn.models import Model as Model
    from fastnn.models import Sequential as Sequential
    from fastnn.models import load_model as load_model
    from fastnn.optimizers import Optimizer as Optimizer
    from fastnn.regularizers import Regularizer as Regularizer
    from fastnn.symbolic import KerasTensor as KerasTensor
    from fastnn.testing import gradcheck as gradcheck

# Imported when first used, so that `import fastnn` stays cheap.
_MODULES = (
    "activations", "applications", "callbacks", "classic", "config", "constraints", "dtype_policies", "initializers",
    "layers", "losses", "metrics", "models", "optimizers", "random", "regularizers", "saving", "testing", "text",
    "utils", "vision",
)  # fmt: skip
_NAMES = {
    "DTypePolicy": "dtype_policies",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "symbolic",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "load_model": "models",
    "gradcheck": "testing",
}


def __getattr__(name: str) -> _Any:
    if name in _MODULES:
        return _import_module(f"fastnn.{name}")
    if name in _NAMES:
        value = getattr(_import_module(f"fastnn.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fastnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_NAMES])
