"""Keras's names for what lives elsewhere. Holds no code."""

from fastnn.custom_objects import CustomObjectScope as CustomObjectScope
from fastnn.custom_objects import custom_object_scope as custom_object_scope
from fastnn.custom_objects import get_custom_objects as get_custom_objects
from fastnn.custom_objects import get_registered_name as get_registered_name
from fastnn.custom_objects import get_registered_object as get_registered_object
from fastnn.custom_objects import register_keras_serializable as register_keras_serializable
from fastnn.models.saving import load_model as load_model
from fastnn.models.saving import load_weights as load_weights
from fastnn.models.saving import save_model as save_model
from fastnn.models.saving import save_weights as save_weights
from fastnn.registry import deserialize_keras_object as deserialize_keras_object
from fastnn.registry import serialize_keras_object as serialize_keras_object

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]  # fmt: skip
