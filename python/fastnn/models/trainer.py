"""Trainer: what makes a layer a model: compile, fit, evaluate, predict, and the steps they are made of."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from inspect import signature
from threading import RLock
from typing import Any

import numpy as np

from fastnn import losses as loss_functions
from fastnn import metrics as metric_functions
from fastnn import ops, optimizers
from fastnn.arrays import Array
from fastnn.autograd import GradientTape, Tensor, raw
from fastnn.layers.layer import Layer
from fastnn.masks import mask_of
from fastnn.masks import table as masks
from fastnn.metrics import Mean, Metric
from fastnn.models.steps import Steps
from fastnn.registry import serialize, serialize_keras_object
from fastnn.structure import is_ours, parts_version, structure_changed, structure_version
from fastnn.training import loop
from fastnn.training.batches import (
    Batch,
    Batches,
    as_arrays,
    leaves,
    pack_x_y_sample_weight,
    samples_of,
    split_off,
    unpack_x_y_sample_weight,
    with_class_weights,
)  # fmt: skip
from fastnn.training.callbacks import CallbackList, History, ProgbarLogger
from fastnn.training.callbacks.progress import shows_bar
from fastnn.training.epochs import Epochs, epochs_of, is_stream
from fastnn.training.figures import Figures
from fastnn.training.objective import Objective, count_of

Logs = dict[str, Any]

#: For how many choices of frozen layers a model keeps its recorded steps.
MOST_FROZEN = 4


class Trainer(Layer):
    """A layer that can be compiled, fitted, evaluated. See Model."""

    free = frozenset({"history", "stop_training", "stop_evaluating", "stop_predicting"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.optimizer: Any = None
        self.run_eagerly = False
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.history: Any = None
        self.steps_per_execution = 1
        self.jit_compile: bool | str = "auto"
        self._compiled: dict[str, Any] | None = None
        self._loss_tracker = Mean("loss")
        self._part_trackers: list[Mean] = []  # of each output's loss, where there are several
        self._objective = Objective(None, None)
        self._figures = Figures(None, None)
        self._parts: list[Any] | None = None  # gathers the outputs' losses while a step runs
        self._own_metrics: dict[str, Metric] = {}  # public attributes
        self._one_step = RLock()  # threads that share a model take turns
        self._steps_of_version: tuple[int, Steps | None] = (-1, None)
        self._steps_of_parts: tuple[int, dict[Any, Steps]] = (-1, {})  # by what is frozen

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Metric) and not name.startswith("_"):
            self.__dict__.setdefault("_own_metrics", {})[name] = value
        super().__setattr__(name, value)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._loss_takes_training = "training" in signature(cls.compute_loss).parameters

    _loss_takes_training = True
    _initial_epoch: int | None = None

    # ---- compile ---------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets what fit and evaluate use.

        optimizer, loss, metrics: names, configurations or objects. metrics see no weights, weighted_metrics do.
        A model of several outputs takes a loss and metrics for each, in a list in the order of the outputs or in a dict
        by their names; one loss serves all. loss_weights: numbers in the same order, factors in the sum of the losses.
        run_eagerly: True for a step that always runs in Python; by default a step through layers, losses and optimizer
        of this package, or own layers that say they are `recordable`, is recorded and replayed without it.
        steps_per_execution: how many steps are done between two looks at callbacks in Keras; here callbacks are called
        for every batch that they listen to, and none costs nothing, so it changes nothing. jit_compile: nothing is
        compiled; recorded steps need no such switch. auto_scale_loss: there is no 16-bit training that would want it.
        """
        self._objective = Objective(loss, loss_weights)
        self._figures = Figures(metrics, weighted_metrics)
        self.optimizer = optimizers.get(optimizer)
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution, self.jit_compile = int(steps_per_execution), jit_compile
        self._part_trackers = []
        self._compiled = {
            "optimizer": self.optimizer,
            "loss": self._objective.loss,
            "loss_weights": loss_weights,
            "metrics": [] if metrics is None else metrics,
            "weighted_metrics": [] if weighted_metrics is None else weighted_metrics,
        }
        structure_changed()

    @property
    def compiled(self) -> bool:
        return self._compiled is not None

    @property
    def loss(self) -> Any:
        """What compile() was given as loss, names as objects; None before."""
        return None if self._compiled is None else self._compiled["loss"]

    def get_compile_config(self) -> dict[str, Any] | None:
        """What compile() was given, ready for JSON; None before. Raises ValueError for a lambda."""
        if self._compiled is None:
            return None
        return {name: _config(part) for name, part in self._compiled.items()}

    def compile_from_config(self, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> None:
        """compile() with what get_compile_config() gave. Raises ValueError if it lacks optimizer or loss."""
        if not {"optimizer", "loss"} <= set(config):
            raise ValueError(f"[compile] expected a configuration with optimizer and loss, got {sorted(config)}")
        kinds: dict[str, Callable[..., Any]] = {
            "optimizer": optimizers.deserialize,
            "loss": loss_functions.deserialize,
            "metrics": metric_functions.deserialize,
            "weighted_metrics": metric_functions.deserialize,
        }
        self.compile(
            **{
                name: _made(part, kinds[name], custom_objects) if name in kinds else part
                for name, part in config.items()
            }
        )

    def _require_compiled(self, where: str) -> None:
        if self._compiled is None:
            raise RuntimeError(f"[{where}] expected a compiled model; call compile() first")

    # ---- metrics ---------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Metric]:
        """The loss, those of single outputs, compile()'s metrics as far as they exist yet, and the model's own."""
        return list(self._named_metrics().values())

    def _named_metrics(self) -> dict[str, Metric]:
        """The metrics by the names they have in logs."""
        named: dict[str, Metric] = {}
        if self._compiled is not None:
            named["loss"] = self._loss_tracker
            for tracker in self._part_trackers:
                named[tracker.name] = tracker
            named.update(self._figures.named)
        for metric in self._own_metrics.values():
            named[metric.name] = metric
        return named

    @property
    def metrics_names(self) -> list[str]:
        """The names that figures have in logs."""
        return list(self.get_metrics_result())

    def reset_metrics(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def _forget_figures(self) -> None:
        """reset_metrics(), the short way where the loss is all there is: a small step takes 9 us in all."""
        own = self._own_metrics or type(self).metrics is not Trainer.metrics
        if own or self._part_trackers or self._figures.named or type(self).reset_metrics is not Trainer.reset_metrics:
            self.reset_metrics()
        else:
            self._loss_tracker.reset_state()

    def get_metrics_result(self) -> Logs:
        """All figures so far, by name. A metric whose result is a dict adds its figures."""
        own = type(self).metrics is not Trainer.metrics
        named = {metric.name: metric for metric in self.metrics} if own else self._named_metrics()
        logs: Logs = {}
        for name, metric in named.items():
            result = metric.result()
            if isinstance(result, dict):
                logs.update({key: _plain(part) for key, part in result.items()})
            else:
                logs[name] = result if type(result) is float else _plain(result)
        return logs

    # ---- one step --------------------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch, a scalar: those of compile(), weighted, and all of `losses`."""
        terms: list[Any] = []
        if self._objective.loss is not None:
            values = self._objective.values(y, y_pred, sample_weight, self._output_names())
            if self._parts is not None:
                self._parts += values
            else:  # a step of the user's own
                self._track_parts([raw(value) for value in values], count_of(y_pred))
            terms += self._objective.weighted(values)
        terms += self.losses
        if not terms:
            raise ValueError("[compute_loss] expected a loss; name one in compile() or overwrite compute_loss()")
        return _total(terms)

    def _output_names(self) -> Any:
        return getattr(self, "output_names", None)

    def _track_parts(self, values: Any, samples: int) -> None:
        """Adds the losses of single outputs, where there are several."""
        names = self._objective.names
        if not names:
            return
        if not self._part_trackers:
            self._part_trackers = [Mean(name) for name in names]
        for tracker, value in zip(self._part_trackers, values, strict=True):
            tracker.add(float(value) * samples, samples)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Logs:
        """Updates the metrics with a batch and returns all figures so far."""
        self._figures.update(self._objective, y, y_pred, sample_weight, self._output_names())
        return self.get_metrics_result()

    def train_step(self, data: Any) -> Logs:
        """One step of training on x, (x, y) or (x, y, sample_weight). Returns the figures so far.

        To be overwritten for a step of one's own, which then runs as it is written.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        return self._train(x, y, sample_weight, True) or {}

    def test_step(self, data: Any) -> Logs:
        """The figures so far with x, (x, y) or (x, y, sample_weight) added, without training."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        return self._test(x, y, sample_weight, True) or {}

    def predict_step(self, data: Any) -> Any:
        """The prediction for a batch: x, (x,) and so on."""
        return self._steps_now().predict(unpack_x_y_sample_weight(data)[0])

    def _train(self, x: Any, y: Any, sample_weight: Any, figures: bool) -> Logs | None:
        """A train step. Returns the figures so far if they are asked for."""
        loss, parts, y_pred = self._steps_now().train(x, y, sample_weight)
        samples = len(x) if type(x) is np.ndarray else samples_of(x)
        self._loss_tracker.add(float(loss) * samples, samples)
        if parts:
            self._track_parts(parts, samples)
        return self._measure(x, y, y_pred, sample_weight, figures)

    def _test(self, x: Any, y: Any, sample_weight: Any, figures: bool) -> Logs | None:
        """A test step. Returns the figures so far if they are asked for."""
        samples = samples_of(x)
        if self._objective.loss is None and is_ours(self.compute_loss):
            y_pred = self(x, training=False)
            penalties = self.losses
            if penalties:
                self._loss_tracker.add(float(raw(_total(penalties))) * samples, samples)
        else:
            loss, parts, y_pred = self._steps_now().test(x, y, sample_weight)
            self._loss_tracker.add(float(loss) * samples, samples)
            if parts:
                self._track_parts(parts, samples)
        return self._measure(x, y, y_pred, sample_weight, figures)

    def _measure(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, figures: bool) -> Logs | None:
        if type(self).compute_metrics is not Trainer.compute_metrics:
            return self.compute_metrics(x, y, y_pred, sample_weight)
        self._figures.update(self._objective, y, y_pred, sample_weight, self._output_names())
        return self.get_metrics_result() if figures else None

    def _update(self, x: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """The loss, those of single outputs, the prediction and its masks, after which the weights have moved."""
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss, parts = self._losses_of(x, y, y_pred, sample_weight, True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self._steps_now().variables  # now that the first call has made those of inner layers
        if type(loss) is Tensor:
            self.optimizer.apply(tape.gradient(scaled, variables), variables)
        elif variables:
            raise ValueError("[train_step] expected a loss that depends on trainable weights, got one that does not")
        else:
            warnings.warn("[train_step] expected trainable weights, got none: nothing is learned", stacklevel=2)
        return raw(loss), parts, _arrays(y_pred), _masks_of(y_pred)

    def _evaluated(self, x: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """The loss, those of single outputs, the prediction and its masks, without training."""
        y_pred = self(x, training=False)
        loss, parts = self._losses_of(x, y, y_pred, sample_weight, False)
        return raw(loss), parts, y_pred, _masks_of(y_pred)

    def _losses_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> tuple[Any, list[Any]]:
        """The loss of a batch, and those of single outputs where there are several."""
        self._parts = []
        try:
            if self._loss_takes_training:
                loss = self.compute_loss(x, y, y_pred, sample_weight, training)
            else:
                loss = self.compute_loss(x, y, y_pred, sample_weight)
            return loss, [raw(part) for part in self._parts] if self._objective.names else []
        finally:
            self._parts = None

    def _finish_training(self) -> None:
        """The end of fit, before its callbacks hear of it."""
        self.optimizer.finalize_variable_values(self.trainable_variables)

    def _step_function(self, training: bool, figures: bool) -> Callable[[Batch], Logs | None]:
        """A function of a batch that trains or tests on it. figures: whether it has to return them."""
        name = "train_step" if training else "test_step"
        if getattr(type(self), name) is not getattr(Trainer, name):
            own = getattr(self, name)
            return lambda batch: _numbers(own(pack_x_y_sample_weight(*batch)))
        if training and not figures and type(self).compute_metrics is Trainer.compute_metrics:
            return self._unheard_step()
        step = self._train if training else self._test
        return lambda batch: step(*batch, figures)

    def _unheard_step(self) -> Callable[[Batch], None]:
        """_train() for an epoch whose batches nobody listens to: what stays the same is looked up before."""
        add, measure, objective, names = self._loss_tracker.add, self._figures.update, self._objective, None

        def step(batch: Batch) -> None:
            nonlocal names
            x, y, sample_weight = batch
            loss, parts, y_pred = self._steps_now().train(x, y, sample_weight)
            samples = len(x) if type(x) is np.ndarray else samples_of(x)
            add(float(loss) * samples, samples)
            if parts:
                self._track_parts(parts, samples)
            names = names or self._output_names()  # known from the first step on, which may have built the model
            measure(objective, y, y_pred, sample_weight, names)

        return step

    def _epoch_figures(self, logs: Logs | None) -> Logs:
        """All figures so far; or what the last step of one's own returned, if it names others."""
        found = self.get_metrics_result()
        return found if logs is None or logs.keys() == found.keys() else logs

    def _steps_now(self) -> Steps:
        """How steps are made, found anew only after the structure changed."""
        version = structure_version()
        known, steps = self._steps_of_version
        if known != version or steps is None:
            steps = self._steps_for_frozen()
            self._steps_of_version = (version, steps)
        return steps

    def _steps_for_frozen(self) -> Steps:
        """The steps for those layers that are frozen now: a loop that freezes in turns gets its recordings back."""
        if self._steps_of_parts[0] != parts_version():
            self._steps_of_parts = (parts_version(), {})
        known = self._steps_of_parts[1]
        frozen = tuple([(layer._trainable, *[v.trainable for v in layer._variables]) for layer in self._walk()])
        if frozen not in known:
            if len(known) >= MOST_FROZEN:
                known.clear()
            known[frozen] = Steps(self)
        return known[frozen]

    # ---- one batch -------------------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch. Returns its figures: the loss, or [loss, metrics...]."""
        batch = self._batch(x, y, sample_weight, class_weight, "train_on_batch")
        self._forget_figures()
        return self._listed(self._step_function(True, True)(batch), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The figures of one batch, without training."""
        batch = self._batch(x, y, sample_weight, None, "test_on_batch")
        self._forget_figures()
        return self._listed(self._step_function(False, True)(batch), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The prediction for one batch."""
        if type(self).predict_step is not Trainer.predict_step:
            return _arrays(self.predict_step(pack_x_y_sample_weight(x)))
        return _arrays(self._steps_now().predict(x))

    def _batch(self, x: Any, y: Any, sample_weight: Any, class_weight: Any, where: str) -> Batch:
        if self._compiled is None:
            self._require_compiled(where)
        if type(x) is not np.ndarray:
            x = as_arrays(x, "x", where)
        if type(y) is not np.ndarray:
            y = as_arrays(y, "y", where)
        if not self.built:
            self._build_from(self._cast(x))
        if sample_weight is None and class_weight is None:
            return x, y, None
        return with_class_weights((x, y, as_arrays(sample_weight, "sample_weight", where)), class_weight, where)

    def _listed(self, logs: Logs | None, return_dict: bool) -> Any:
        """The figures as a dict, or as one number or a list: the loss, those of single outputs, and the others, by name
        where there are several outputs, as in Keras."""
        logs = logs or {}
        if return_dict:
            return logs
        first = 1 + len(self._part_trackers)
        names = list(logs)
        if first > 1:
            names[first:] = sorted(names[first:])
        return logs[names[0]] if len(names) == 1 else [logs[name] for name in names]

    # ---- many batches ----------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
    ) -> History:
        """Trains for a number of epochs. Returns the History of the figures.

        x: an array, or several in a list, tuple or dict, memory-mapped ones too: rows are gathered a batch at a time,
        and cast then. Or a generator, a PyDataset, or anything that can be iterated over, of batches (x, y) or
        (x, y, sample_weight); y, sample_weight and batch_size are then left out.
        batch_size: 32 by default. verbose: 0 silent, 1 or "auto" a progress bar, 2 a line per epoch; what is neither
        terminal nor notebook gets lines.
        validation_split: share of the samples, the last ones, kept for validation. validation_data: (x, y),
        (x, y, sample_weight), a generator or a PyDataset instead. validation_freq: validates every so many epochs, or
        after those that are listed, counted from 1.
        shuffle: the order of samples, or with "batch" of whole batches, is drawn anew for every epoch.
        class_weight: {class: weight}, for integer or one-hot targets of a single output.
        steps_per_epoch: batches in an epoch; the next epoch goes on where this one ended. The last epoch is cut short,
        with a warning, if the data end before it.
        Ctrl-C raises KeyboardInterrupt after the running step, and on_train_end is heard before; a second one raises
        at once.
        Raises ValueError if numbers of samples do not fit, RuntimeError before compile().
        """
        self._require_compiled("fit")
        _counts("fit", epochs=epochs, initial_epoch=initial_epoch)
        _counts("fit", 1, steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        if not isinstance(validation_freq, Collection):
            _counts("fit", 1, validation_freq=validation_freq)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = _split(x, y, sample_weight, validation_split)
        data = epochs_of(
            x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle,
            class_weight=class_weight, where="fit",
        )  # fmt: skip
        self._build_for(data, "fit")
        listening = CallbackList(
            callbacks, add_history=True, add_progbar=bool(verbose), model=self, verbose=verbose, epochs=epochs,
            steps=data.number,
        )  # fmt: skip
        self.history = next(c for c in listening.callbacks if isinstance(c, History))
        validate = None
        if validation_data is not None:
            held_out = _validation(validation_data, validation_batch_size or batch_size, validation_steps)
            heard = listening.without(ProgbarLogger)
            validate = lambda: loop.evaluate(self, held_out, heard)  # noqa: E731
        loop.fit(self, data, listening, epochs, initial_epoch, validate, validation_freq)
        return self.history  # type: ignore[no-any-return]

    def _build_for(self, data: Epochs, where: str) -> None:
        """Builds the model for such data. Raises ValueError if there are none."""
        if self.built:
            return
        first = data.first()
        if first is None:
            raise ValueError(f"[{where}] expected at least one batch, got none")
        self._build_from(self._cast(first))

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or [loss, metrics...], or a dict of them, over data of any kind that fit() takes.

        The list has the losses of single outputs after the loss; then the other figures, by name where there are
        several outputs.
        """
        self._require_compiled("evaluate")
        _counts("evaluate", 1, steps=steps)
        data = epochs_of(x, y, sample_weight, batch_size=batch_size, steps=steps, where="evaluate")
        self._build_for(data, "evaluate")
        listening = CallbackList(
            callbacks, add_progbar=bool(verbose), model=self, verbose=verbose, epochs=1, steps=data.number
        )
        return self._listed(loop.evaluate(self, data, listening), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The predictions for data of any kind that fit() takes, batch after batch. batch_size: 32 by default.

        verbose: 1 for a progress bar; "auto" for one in a terminal or a notebook alone.
        """
        _counts("predict", 1, steps=steps)
        if not is_stream(x) and x is not None:
            x = as_arrays(x, "x", "predict")
            if leaves(x) and not len(leaves(x)[0]):
                return self.predict_on_batch(x)
        data = epochs_of(x, batch_size=batch_size, steps=steps, where="predict")
        shown = bool(verbose) and (verbose != "auto" or shows_bar())
        listening = CallbackList(callbacks, add_progbar=shown, model=self, verbose=verbose, epochs=1, steps=data.number)
        self.stop_predicting = False
        listening.on_predict_begin({})
        outputs = []
        for number, (batch, _, _) in enumerate(data):
            listening.on_predict_batch_begin(number, {})
            outputs.append(self.predict_on_batch(batch))
            listening.on_predict_batch_end(number, {"outputs": outputs[-1]})
            if self.stop_predicting:
                break
        data.on_epoch_end()
        listening.on_predict_end({})
        if not outputs:
            raise ValueError("[predict] expected at least one batch, got none")
        return _joined(outputs)


def _counts(where: str, least: int = 0, **given: Any) -> None:
    """Raises ValueError unless the numbers given are None or integers of at least `least`."""
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least):
            raise ValueError(f"[{where}] expected {name} to be an integer >= {least}, got {value!r}")


def _split(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[Batch, Batch]:
    if is_stream(x):
        raise ValueError(f"[fit] expected arrays for validation_split, got {type(x).__name__}; give validation_data")
    data = (as_arrays(x, "x", "fit"), as_arrays(y, "y", "fit"), as_arrays(sample_weight, "sample_weight", "fit"))
    if not leaves(data[0]):
        raise ValueError("[fit] expected x, got None")
    Batches(data, 1, None, "fit")  # refuses lengths that differ
    return split_off(data, share, "fit")


def _validation(data: Any, batch_size: int | None, steps: int | None) -> Epochs:
    if is_stream(data):
        return epochs_of(data, steps=steps, where="fit")
    if not isinstance(data, (tuple, list)) or not 1 <= len(data) <= 3:
        raise ValueError(
            "[fit] expected validation_data as (x, y) or (x, y, sample_weight), or data that give batches, got "
            f"{type(data).__name__}"
        )
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    if not is_stream(x):
        x = as_arrays(x, "validation x", "fit")
        if leaves(x) and not len(leaves(x)[0]):
            raise ValueError("[fit] expected at least one sample for validation, got none")
        y = as_arrays(y, "validation y", "fit")
    return epochs_of(x, y, sample_weight, batch_size=None if is_stream(x) else batch_size, steps=steps, where="fit")


def _total(losses: list[Any]) -> Any:
    total, *others = (loss if loss.ndim == 0 else ops.sum(loss) for loss in losses)
    for loss in others:
        total = ops.add(total, loss)
    return total


def _numbers(logs: Any) -> Logs:
    """What a step of the user's own returned, with Python numbers for scalars."""
    if not isinstance(logs, Mapping):
        raise TypeError(f"[train_step] expected a dict of figures by name, got {type(logs).__name__}")
    return {name: float(value) if np.ndim(raw(value)) == 0 else raw(value) for name, value in logs.items()}


def _arrays(y: Any) -> Any:
    """Outputs without their history."""
    if isinstance(y, Mapping):
        return {key: _arrays(part) for key, part in y.items()}
    if isinstance(y, (list, tuple)):
        return type(y)([_arrays(part) for part in y])
    return raw(y)


def _masks_of(y_pred: Any) -> list[Array | None]:
    """The masks of the outputs; none if no output has one."""
    if not masks:
        return []
    found = [mask_of(output) for output in leaves(y_pred)]
    return found if any(mask is not None for mask in found) else []


def _plain(figure: Any) -> Any:
    """A figure as it is now: a number, also where a metric of one's own gives a Variable or a Tensor."""
    if isinstance(figure, (int, float)):
        return figure
    value = raw(figure)
    if np.ndim(value) == 0:
        return float(value)
    return np.array(value)


def _config(part: Any) -> Any:
    """What compile() was given, ready for JSON."""
    if isinstance(part, Mapping):
        return {key: _config(value) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_config(value) for value in part]
    if part is None or isinstance(part, (str, int, float)):
        return part
    return serialize_keras_object(part) if hasattr(part, "__name__") else serialize(part)


def _made(config: Any, deserialize: Callable[..., Any], custom_objects: Mapping[str, Any] | None) -> Any:
    if isinstance(config, Mapping):
        if {"class_name", "config"} <= set(config):
            return deserialize(config, custom_objects)
        return {key: _made(part, deserialize, custom_objects) for key, part in config.items()}
    if isinstance(config, (list, tuple)):
        return [_made(part, deserialize, custom_objects) for part in config]
    return config


def _joined(outputs: list[Any]) -> Any:
    if isinstance(outputs[0], dict):
        return {key: _joined([o[key] for o in outputs]) for key in outputs[0]}
    if isinstance(outputs[0], (list, tuple)):
        return type(outputs[0])([_joined(list(parts)) for parts in zip(*outputs, strict=True)])
    return np.concatenate(outputs)
