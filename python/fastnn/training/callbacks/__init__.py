"""Callbacks."""

from fastnn.training.callbacks.callback import Callback as Callback
from fastnn.training.callbacks.callback import CallbackList as CallbackList
from fastnn.training.callbacks.history import History as History
