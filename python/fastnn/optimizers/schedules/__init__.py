"""Learning rates that change with the number of steps, with Keras's names and arguments, and LinearWarmup."""

from fastnn.optimizers.schedules.cosine import CosineDecay as CosineDecay
from fastnn.optimizers.schedules.cosine import CosineDecayRestarts as CosineDecayRestarts
from fastnn.optimizers.schedules.decay import ExponentialDecay as ExponentialDecay
from fastnn.optimizers.schedules.decay import InverseTimeDecay as InverseTimeDecay
from fastnn.optimizers.schedules.decay import PiecewiseConstantDecay as PiecewiseConstantDecay
from fastnn.optimizers.schedules.decay import PolynomialDecay as PolynomialDecay
from fastnn.optimizers.schedules.schedule import LearningRateSchedule as LearningRateSchedule
from fastnn.optimizers.schedules.schedule import registry as _registry
from fastnn.optimizers.schedules.warmup import LinearWarmup as LinearWarmup
from fastnn.registry import serialize as serialize

deserialize = _registry.deserialize
