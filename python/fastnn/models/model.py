"""Model: a layer that can be compiled, fitted, evaluated, saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn import losses as loss_functions
from fastnn import metrics as metric_functions
from fastnn import ops, optimizers
from fastnn.arrays import Array
from fastnn.autograd import GradientTape, Tensor, raw
from fastnn.layers.layer import Layer
from fastnn.masks import mask_of, masked
from fastnn.metrics import Mean, Metric
from fastnn.models.steps import Steps
from fastnn.models.summary import print_summary
from fastnn.random import SeedGenerator
from fastnn.structure import structure_version
from fastnn.training import loop
from fastnn.training.batches import Batch, Batches, as_arrays, class_weights, leaves, split_off
from fastnn.training.callbacks import Callback, CallbackList, History
from fastnn.training.callbacks.progress import EpochLine, ProgressBar, StepBar

Logs = dict[str, float]


class Model(Layer):
    """Base class of models. Subclasses implement `call`."""

    free = frozenset({"history", "stop_training"})
    supports_masking = True
    _makes_masks = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.optimizer: Any = None
        self.loss: Any = None
        self.run_eagerly = False
        self.stop_training = False
        self.history: Any = None
        self._compiled: dict[str, Any] | None = None
        self._loss_tracker = Mean("loss")
        self._metrics: list[Metric] | None = None
        self._weighted: list[bool] = []
        self._steps_of_version: tuple[int, Steps | None] = (-1, None)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: an output has the mask that the layers inside have given it."""
        return None

    # ---- compile ---------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Sequence[Any] | None = None,
        weighted_metrics: Sequence[Any] | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets what fit and evaluate use.

        optimizer, loss, metrics: names, configurations or objects. metrics see no weights, weighted_metrics do.
        run_eagerly: True for a step that always runs in Python; by default a step through layers, loss and optimizer
        of this package, or own layers that say they are `recordable`, is recorded and replayed without it.
        steps_per_execution, jit_compile and auto_scale_loss are there for Keras's sake and change nothing.
        """
        if loss_weights is not None:
            raise ValueError(f"[compile] expected no loss_weights for a model of one output, got {loss_weights!r}")
        for argument, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if given is not None and not isinstance(given, (list, tuple)):
                raise TypeError(f"[compile] expected {argument} as a list, got {given!r}")
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss_functions.get(loss)
        self.run_eagerly = bool(run_eagerly)
        self._compiled = {
            "optimizer": self.optimizer,
            "loss": self.loss,
            "metrics": list(metrics or []),
            "weighted_metrics": list(weighted_metrics or []),
        }
        self._metrics = None

    @property
    def compiled(self) -> bool:
        return self._compiled is not None

    def _require_compiled(self, where: str) -> dict[str, Any]:
        if self._compiled is None:
            raise RuntimeError(f"[{where}] expected a compiled model; call compile() first")
        return self._compiled

    @property
    def metrics(self) -> list[Metric]:
        """The loss and the metrics, as far as they exist yet."""
        return [self._loss_tracker, *(self._metrics or [])]

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def _make_metrics(self, y: Any, y_pred: Any) -> list[Metric]:
        """Metrics are made with the first batch, whose shapes say what "accuracy" means."""
        compiled = self._require_compiled("metrics")
        plain = [metric_functions.get(m, y, y_pred) for m in compiled["metrics"]]
        weighted = [metric_functions.get(m, y, y_pred) for m in compiled["weighted_metrics"]]
        self._weighted = [False] * len(plain) + [True] * len(weighted)
        return plain + weighted

    # ---- one step --------------------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch, a scalar: that of compile() and all of `losses`."""
        penalties = self.losses
        if self.loss is None and not penalties:
            raise ValueError("[compute_loss] expected a loss; name one in compile() or overwrite compute_loss()")
        if self.loss is not None:
            if y is None:
                raise ValueError("[compute_loss] expected targets y, got None")
            penalties.insert(0, self.loss(y, y_pred, sample_weight))
        return _total(penalties)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Logs:
        """Updates the metrics with a batch and returns all figures so far."""
        if self._metrics is None:
            self._metrics = self._make_metrics(y, y_pred)
        if self._metrics:
            values = masked(raw(y_pred), mask_of(y_pred))
            for metric, weighted in zip(self._metrics, self._weighted, strict=True):
                metric.update_state(y, values, sample_weight if weighted else None)
        return self.get_metrics_result()

    def get_metrics_result(self) -> Logs:
        """All figures so far, by name."""
        logs: Logs = {"loss": self._loss_tracker.result()}
        for metric in self._metrics or ():
            logs[metric.name] = metric.result()
        return logs

    def train_step(self, data: Batch) -> Logs:
        """One step of training on (x, y, sample_weight). Returns the figures so far."""
        x, y, sample_weight = data
        loss, y_pred = self._steps_now().train(data)
        samples = len(x) if type(x) is np.ndarray else _samples(x)
        self._loss_tracker.add(float(loss) * samples, samples)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _update(self, x: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """Loss, prediction and, if it has one, its mask, after which the weights have moved."""
        variables = self._steps_now().variables
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight)
            scaled = self.optimizer.scale_loss(loss)
        if type(loss) is not Tensor:
            raise ValueError("[train_step] expected a loss that depends on trainable weights, got one that does not")
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return loss.data, raw(y_pred), *_mask_beside(y_pred)

    def finish_training(self) -> None:
        """The end of fit, before its callbacks hear of it."""
        self.optimizer.finalize_variable_values(self.trainable_variables)

    def test_step(self, data: Batch) -> Logs:
        """The figures so far with (x, y, sample_weight) added, without training."""
        x, y, sample_weight = data
        if self.loss is None:
            y_pred = self(x, training=False)
        else:
            loss, y_pred = self._steps_now().test(data)
            samples = _samples(x)
            self._loss_tracker.add(float(loss) * samples, samples)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _evaluated(self, x: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """Loss, prediction and, if it has one, its mask, without training."""
        y_pred = self(x, training=False)
        return self.compute_loss(x, y, y_pred, sample_weight, False), y_pred, *_mask_beside(y_pred)

    def predict_step(self, x: Any) -> Any:
        """The prediction for a batch."""
        return self._steps_now().predict(x)

    def _steps_now(self) -> Steps:
        """How steps are made, found anew only after the structure changed."""
        version = structure_version()
        known, steps = self._steps_of_version
        if known != version or steps is None:
            steps = Steps(self)
            self._steps_of_version = (version, steps)
        return steps

    # ---- one batch -------------------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch. Returns the figures since reset_metrics(): the loss, or [loss, metrics...]."""
        data = self._batch(x, y, sample_weight, class_weight, "train_on_batch")
        return _figures(self.train_step(data), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The figures since reset_metrics() with one batch added, without training."""
        return _figures(self.test_step(self._batch(x, y, sample_weight, None, "test_on_batch")), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The prediction for one batch."""
        return raw(self.predict_step(x))

    def _batch(self, x: Any, y: Any, sample_weight: Any, class_weight: Any, where: str) -> Batch:
        if self._compiled is None:
            self._require_compiled(where)
        if type(x) is not np.ndarray:
            x = as_arrays(x, "x", where)
        if type(y) is not np.ndarray:
            y = as_arrays(y, "y", where)
        if not self.built:
            self._build_from(self._cast(x))
        if sample_weight is not None or class_weight is not None:
            sample_weight = _weights(y, sample_weight, class_weight, where)
        return x, y, sample_weight

    # ---- many batches ----------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callback | Iterable[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
    ) -> History:
        """Trains on arrays for a number of epochs. Returns the History of the figures.

        batch_size: 32 by default. verbose: 0 silent, 1 or "auto" a progress bar, 2 a line per epoch.
        validation_split: share of the samples, the last ones, kept for validation. validation_data: (x, y) or
        (x, y, sample_weight) instead. class_weight: {class: weight}.
        Raises ValueError if numbers of samples do not fit, RuntimeError before compile().
        """
        self._require_compiled("fit")
        _counts(epochs=epochs, initial_epoch=initial_epoch)
        _counts(1, steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        if not isinstance(validation_freq, Collection):
            _counts(1, validation_freq=validation_freq)
        data = self._data(x, y, sample_weight, None, "fit")
        held_out: Batch | None = None
        if validation_data is not None:
            held_out = _validation(validation_data)
        elif validation_split:
            data, held_out = split_off(data, validation_split, "fit")
        if class_weight is not None:  # of the training samples alone, as in Keras
            data = (data[0], data[1], _weights(data[1], data[2], class_weight, "fit"))
        batches = Batches(data, 32 if batch_size is None else batch_size, SeedGenerator() if shuffle else None, "fit")
        if batches.samples == 0:
            raise ValueError("[fit] expected at least one sample, got none")
        steps = len(batches) if steps_per_epoch is None else min(int(steps_per_epoch), len(batches))
        history = History()
        shown: list[Callback] = []
        if verbose in ("auto", 1):
            shown.append(ProgressBar(steps, epochs))
        elif verbose == 2:
            shown.append(EpochLine(epochs))
        params = {"epochs": epochs, "steps": steps, "verbose": verbose}
        self.history = history
        # History hears last, so that what callbacks add to the logs is kept
        all_callbacks = CallbackList([*shown, *_listed(callbacks), history], self, params)
        validate = None
        if held_out is not None:
            size = validation_batch_size or batches.batch_size
            validate = self._validator(held_out, size, validation_steps, all_callbacks, shown)
        loop.fit(self, batches, all_callbacks, epochs, initial_epoch, steps_per_epoch, validate, validation_freq)
        return history

    def _validator(
        self, data: Batch, batch_size: int, steps: int | None, callbacks: CallbackList, shown: list[Callback]
    ) -> Callable[[], Logs]:
        batches = Batches(data, batch_size, None, "fit")
        if batches.samples == 0:
            raise ValueError("[fit] expected at least one sample for validation, got none")
        listening = CallbackList([c for c in callbacks.callbacks if c not in shown], self, callbacks.params)
        return lambda: loop.evaluate(self, batches, listening, steps)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callback | Iterable[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or [loss, metrics...], or a dict of them, over arrays."""
        self._require_compiled("evaluate")
        data = self._data(x, y, sample_weight, None, "evaluate")
        batches = Batches(data, 32 if batch_size is None else batch_size, None, "evaluate")
        if batches.samples == 0:
            raise ValueError("[evaluate] expected at least one sample, got none")
        shown: list[Callback] = [StepBar(len(batches), "evaluate")] if verbose in ("auto", 1) else []
        listening = CallbackList([*shown, *_listed(callbacks)], self, {"steps": len(batches)})
        return _figures(loop.evaluate(self, batches, listening, steps), return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Callback | Iterable[Callback] | None = None,
    ) -> Any:
        """The predictions for arrays, batch after batch. batch_size: 32 by default. verbose: 1 for a progress bar."""
        if x is None:
            raise ValueError("[predict] expected x, got None")
        batches = Batches(
            (as_arrays(x, "x", "predict"), None, None), 32 if batch_size is None else batch_size, None, "predict"
        )
        shown: list[Callback] = [StepBar(len(batches), "predict")] if verbose == 1 else []
        listening = CallbackList([*shown, *_listed(callbacks)], self, {"steps": len(batches)})
        listening.on_predict_begin()
        outputs = []
        for step, (batch, _, _) in enumerate(batches):
            if steps is not None and step >= steps:
                break
            listening.on_predict_batch_begin(step)
            outputs.append(self.predict_on_batch(batch))
            listening.on_predict_batch_end(step, {})
        listening.on_predict_end()
        return _joined(outputs) if outputs else self.predict_on_batch(batches.data[0])

    def _data(self, x: Any, y: Any, sample_weight: Any, class_weight: Any, where: str) -> Batch:
        x, y = as_arrays(x, "x", where), as_arrays(y, "y", where)
        if x is None:
            raise ValueError(f"[{where}] expected x, got None")
        if hasattr(leaves(x)[0], "__next__") or not leaves(x):
            raise TypeError(f"[{where}] expected arrays, got {type(x).__name__}")
        if not self.built and len(leaves(x)[0]):
            self._build_from(self._cast(x))
        return x, y, _weights(y, sample_weight, class_weight, where)

    # ---- looking and saving ----------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside this model."""
        self._track_containers()
        return list(self._sublayers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position. Raises ValueError if there is none."""
        if (name is None) == (index is None):
            raise ValueError(f"[get_layer] expected either name or index, got {name!r} and {index!r}")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"[get_layer] expected an index below {len(self.layers)}, got {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"[get_layer] expected one of {[layer.name for layer in self.layers]}, got {name!r}")

    def summary(self, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints layers, output shapes and numbers of parameters."""
        print_summary(self, line_length, print_fn or print)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes configuration, weights and, if compiled, the training state into one safetensors file.

        The file is put in place when it is whole. Raises FileExistsError if it exists and overwrite is False.
        """
        from fastnn.models.saving import save_model

        save_model(self, filepath, overwrite)

    def __reduce__(self) -> Any:
        from fastnn.models.saving import from_state, own_classes, to_state

        return from_state, (*to_state(self), own_classes(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from fastnn.models.saving import from_state, own_classes, to_state

        return from_state(*to_state(self), own_classes(self))


def _mask_beside(y_pred: Any) -> list[Array]:
    """The prediction's mask, if it has one."""
    mask = mask_of(y_pred)
    return [] if mask is None else [mask]


def _listed(callbacks: Callback | Iterable[Callback] | None) -> list[Callback]:
    """One callback or several, as a list."""
    return [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())


def _counts(least: int = 0, **given: Any) -> None:
    """Raises ValueError unless the numbers given are None or integers of at least `least`."""
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least):
            raise ValueError(f"[fit] expected {name} to be an integer >= {least}, got {value!r}")


def _total(losses: list[Any]) -> Any:
    total, *others = (loss if loss.ndim == 0 else ops.sum(loss) for loss in losses)
    for loss in others:
        total = ops.add(total, loss)
    return total


def _samples(x: Any) -> int:
    return len(x) if isinstance(x, np.ndarray) else len(leaves(x)[0])


def _figures(logs: Logs, return_dict: bool) -> Any:
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _weights(y: Any, sample_weight: Any, class_weight: Any, where: str) -> Array | None:
    weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    if class_weight is not None:
        by_class = class_weights(y, class_weight, where)
        weights = by_class if weights is None else weights * by_class
    return weights


def _validation(data: Any) -> Batch:
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            f"[fit] expected validation_data as (x, y) or (x, y, sample_weight), got {type(data).__name__}"
        )
    x, y, *rest = data
    weights = np.asarray(rest[0], np.float64) if rest and rest[0] is not None else None
    return as_arrays(x, "validation x", "fit"), as_arrays(y, "validation y", "fit"), weights


def _joined(outputs: list[Any]) -> Any:
    if isinstance(outputs[0], dict):
        return {key: _joined([o[key] for o in outputs]) for key in outputs[0]}
    if isinstance(outputs[0], (list, tuple)):
        return type(outputs[0])(_joined(list(parts)) for parts in zip(*outputs, strict=True))
    return np.concatenate(outputs)
