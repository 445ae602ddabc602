"""Keras's names for what lives elsewhere. Holds no code."""

from fastnn.data.encoding import normalize as normalize
from fastnn.data.encoding import to_categorical as to_categorical
from fastnn.models.drawing import plot_model as plot_model
from fastnn.random import set_random_seed as set_random_seed
from fastnn.registry import serialize as serialize_keras_object
from fastnn.text.sequences import pad_sequences as pad_sequences
from fastnn.training.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from fastnn.training.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from fastnn.training.dataset import PyDataset as PyDataset
from fastnn.training.dataset import PyDataset as Sequence

__all__ = [
    "PyDataset",
    "Sequence",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip
