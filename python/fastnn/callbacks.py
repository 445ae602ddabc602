"""Keras's name for what lives in fastnn.training.callbacks."""

from fastnn.training.callbacks import Callback as Callback
from fastnn.training.callbacks import CallbackList as CallbackList
from fastnn.training.callbacks import History as History
