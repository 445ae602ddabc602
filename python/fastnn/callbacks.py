"""Keras's name for what lives in fastnn.training.callbacks."""

from fastnn.training.callbacks import BackupAndRestore as BackupAndRestore
from fastnn.training.callbacks import Callback as Callback
from fastnn.training.callbacks import CallbackList as CallbackList
from fastnn.training.callbacks import CSVLogger as CSVLogger
from fastnn.training.callbacks import EarlyStopping as EarlyStopping
from fastnn.training.callbacks import History as History
from fastnn.training.callbacks import LambdaCallback as LambdaCallback
from fastnn.training.callbacks import LearningRateScheduler as LearningRateScheduler
from fastnn.training.callbacks import ModelCheckpoint as ModelCheckpoint
from fastnn.training.callbacks import ProgbarLogger as ProgbarLogger
from fastnn.training.callbacks import ReduceLROnPlateau as ReduceLROnPlateau
from fastnn.training.callbacks import SwapEMAWeights as SwapEMAWeights
from fastnn.training.callbacks import TerminateOnNaN as TerminateOnNaN
