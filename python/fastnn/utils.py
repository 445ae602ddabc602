"""Keras's names for what lives elsewhere. Holds no code."""

from fastnn.random import set_random_seed as set_random_seed
from fastnn.registry import serialize as serialize_keras_object

__all__ = ["serialize_keras_object", "set_random_seed"]
