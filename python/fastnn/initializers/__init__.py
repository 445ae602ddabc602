"""How weights begin: callables (shape, dtype) -> array. Calling one twice gives the same values."""

from typing import Any as _Any

from numpy import ndarray as _ndarray

from fastnn.initializers.constant import STFT as STFT
from fastnn.initializers.constant import Constant as Constant
from fastnn.initializers.constant import Identity as Identity
from fastnn.initializers.constant import Ones as Ones
from fastnn.initializers.constant import Zeros as Zeros
from fastnn.initializers.initializer import Initializer as Initializer
from fastnn.initializers.initializer import registry as _registry
from fastnn.initializers.random import GlorotNormal as GlorotNormal
from fastnn.initializers.random import GlorotUniform as GlorotUniform
from fastnn.initializers.random import HeNormal as HeNormal
from fastnn.initializers.random import HeUniform as HeUniform
from fastnn.initializers.random import LecunNormal as LecunNormal
from fastnn.initializers.random import LecunUniform as LecunUniform
from fastnn.initializers.random import Orthogonal as Orthogonal
from fastnn.initializers.random import RandomInitializer as RandomInitializer
from fastnn.initializers.random import RandomNormal as RandomNormal
from fastnn.initializers.random import RandomUniform as RandomUniform
from fastnn.initializers.random import TruncatedNormal as TruncatedNormal
from fastnn.initializers.random import VarianceScaling as VarianceScaling
from fastnn.initializers.random import fans as fans
from fastnn.registry import serialize as serialize

IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal
STFTInitializer = STFT

# Keras has the classes under these names, too.
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, variance_scaling = LecunNormal, LecunUniform, VarianceScaling
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
identity, ones, orthogonal, stft, zeros = Identity, Ones, Orthogonal, STFT, Zeros

_registry.add(Identity, "IdentityInitializer")
_registry.add(Ones, "one")
_registry.add(Orthogonal, "OrthogonalInitializer")
_registry.add(RandomNormal, "normal")
_registry.add(RandomUniform, "uniform")
_registry.add(STFT, "STFTInitializer", "stft")
_registry.add(Zeros, "zero")

deserialize = _registry.deserialize


def get(identifier: _Any) -> _Any:
    """The initializer of that name, configuration or class; a function as it is; Constant of an array."""
    return Constant(identifier) if isinstance(identifier, _ndarray) else _registry.get(identifier)
