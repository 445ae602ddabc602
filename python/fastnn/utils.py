"""Keras's names for what lives elsewhere. Holds no code."""

from fastnn.config import clear_session as clear_session
from fastnn.config import standardize_dtype as standardize_dtype
from fastnn.custom_objects import CustomObjectScope as CustomObjectScope
from fastnn.custom_objects import custom_object_scope as custom_object_scope
from fastnn.custom_objects import get_custom_objects as get_custom_objects
from fastnn.custom_objects import get_registered_name as get_registered_name
from fastnn.custom_objects import get_registered_object as get_registered_object
from fastnn.custom_objects import register_keras_serializable as register_keras_serializable
from fastnn.data.encoding import normalize as normalize
from fastnn.data.encoding import to_categorical as to_categorical
from fastnn.models.drawing import plot_model as plot_model
from fastnn.random import set_random_seed as set_random_seed
from fastnn.registry import deserialize_keras_object as deserialize_keras_object
from fastnn.registry import serialize_keras_object as serialize_keras_object
from fastnn.symbolic import is_keras_tensor as is_keras_tensor
from fastnn.text.sequences import pad_sequences as pad_sequences
from fastnn.training.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from fastnn.training.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from fastnn.training.dataset import PyDataset as PyDataset
from fastnn.training.dataset import PyDataset as Sequence
from fastnn.training.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip
