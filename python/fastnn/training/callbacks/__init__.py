"""Callbacks, with Keras's names, arguments and defaults."""

from fastnn.training.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
from fastnn.training.callbacks.callback import Callback as Callback
from fastnn.training.callbacks.callback import CallbackList as CallbackList
from fastnn.training.callbacks.csv_logger import CSVLogger as CSVLogger
from fastnn.training.callbacks.early_stopping import EarlyStopping as EarlyStopping
from fastnn.training.callbacks.history import History as History
from fastnn.training.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from fastnn.training.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from fastnn.training.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from fastnn.training.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from fastnn.training.callbacks.monitor import MonitorCallback as MonitorCallback
from fastnn.training.callbacks.progress import ProgbarLogger as ProgbarLogger
from fastnn.training.callbacks.swap_ema_weights import SwapEMAWeights as SwapEMAWeights
from fastnn.training.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
