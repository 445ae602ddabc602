"""Callbacks: when they are called, what they are told, and what they do."""

import csv
import io
import sys

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, layers, optimizers
from fastnn.models import Sequential


@pytest.fixture
def table(rng):
    x = rng.standard_normal((40, 3)).astype("float32")
    return x, (x[:, 0] > 0).astype("float32")


def classifier(rate=0.1):
    fastnn.utils.set_random_seed(3)
    model = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile(optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


class Played:
    """A model whose epochs give figures that were written down beforehand, and whose weights count epochs."""

    def __init__(self, callback, figures, name="val_loss"):
        self.optimizer, self.metrics = optimizers.SGD(1.0), []
        self.stop_training, self.count, self.saved = False, 0, []
        listening = callbacks.CallbackList(callback, model=self, verbose=0, epochs=len(figures), steps=1)
        listening.on_train_begin()
        self.rates = []
        for epoch, figure in enumerate(figures):
            self.count = epoch + 1
            listening.on_epoch_begin(epoch)
            self.rates.append(self.optimizer.learning_rate)
            listening.on_epoch_end(epoch, {} if figure is None else {name: figure})
            if self.stop_training:
                break
        self.epochs = self.count
        listening.on_train_end()

    def get_weights(self):
        return [self.count]

    def set_weights(self, weights):
        (self.count,) = weights

    def save(self, path, overwrite=True):
        self.saved.append(path)

    save_weights = save


# ---- the list -----------------------------------------------------------------------------------------------------


def test_events_reach_both_names_of_a_batch_and_functions(table):
    heard = []

    class Old(callbacks.Callback):
        def on_batch_begin(self, batch, logs=None):
            heard.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            heard.append(("end", batch, set(logs)))

    called = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(("lambda", batch)))
    classifier().fit(*table, batch_size=20, verbose=0, callbacks=[[Old()], called])
    figures = {"loss", "accuracy"}
    assert heard == [
        ("begin", 0), ("end", 0, figures), ("lambda", 0), ("begin", 1), ("end", 1, figures), ("lambda", 1),
    ]  # fmt: skip
    with pytest.raises(TypeError, match=r"\[LambdaCallback\] expected an event of Callback, got 'on_brunch'"):
        callbacks.LambdaCallback(on_brunch=print)


def test_every_event_brings_logs(table):
    """Functions of (epoch, logs) and of (logs) are called in Keras without a default."""
    heard = []
    ends = ("begin", "end")
    numbered = [f"on_{what}_{end}" for what in ("epoch", "train_batch", "test_batch", "predict_batch") for end in ends]
    plain = [f"on_{what}_{when}" for what in ("train", "test", "predict") for when in ends]
    called = callbacks.LambdaCallback(
        **{name: lambda number, logs, name=name: heard.append((name, type(logs))) for name in numbered},
        **{name: lambda logs, name=name: heard.append((name, type(logs))) for name in plain},
    )
    model = classifier()
    model.fit(*table, verbose=0, validation_split=0.5, callbacks=called)
    model.predict(table[0], callbacks=called)
    assert {name for name, _ in heard} == {*numbered, *plain} and {kind for _, kind in heard} == {dict}


def test_a_list_of_callbacks_may_be_given_as_one(table):
    model, history = classifier(), callbacks.History()
    given = callbacks.CallbackList([history])
    given.append(callbacks.LambdaCallback(on_train_begin=lambda logs=None: None))
    assert model.fit(*table, verbose=0, callbacks=given) is history is model.history
    made = callbacks.CallbackList(add_history=True, add_progbar=True, model=model, verbose=1, epochs=2, steps=3)
    assert [type(c) for c in made.callbacks] == [callbacks.ProgbarLogger, callbacks.History]
    assert made.params == {"verbose": 1, "epochs": 2, "steps": 3} and made.callbacks[1].model is model


def test_a_callback_that_does_not_call_init_will_do(table):
    class Bare(callbacks.Callback):
        def __init__(self):
            self.seen = 0

        def on_epoch_end(self, epoch, logs=None):
            self.seen += self.params["epochs"] == 2 and self.model.compiled

    bare = Bare()
    classifier().fit(*table, epochs=2, verbose=0, callbacks=bare)
    assert bare.seen == 2


def test_figures_are_made_for_batches_only_if_a_callback_hears_them(table, monkeypatch):
    model, made = classifier(), []
    result = type(model).get_metrics_result
    monkeypatch.setattr(type(model), "get_metrics_result", lambda self: made.append(1) or result(self))
    model.fit(*table, batch_size=2, verbose=0)
    assert len(made) == 1
    model.fit(*table, batch_size=2, verbose=2, callbacks=callbacks.EarlyStopping("loss"))
    assert len(made) == 2
    model.fit(*table, batch_size=2, verbose=0, callbacks=callbacks.TerminateOnNaN())
    assert len(made) == 2 + 20 + 1


def test_the_end_of_training_is_heard_by_all_even_if_one_fails(table):
    heard = []

    def fail(logs):
        raise KeyError("first")

    model = classifier()
    with pytest.raises(KeyError, match="first"):
        model.fit(*table, verbose=0, callbacks=[
            callbacks.LambdaCallback(on_train_end=fail),
            callbacks.LambdaCallback(on_train_end=lambda logs: heard.append(logs)),
        ])  # fmt: skip
    assert len(heard) == 1 and set(heard[0]) == {"loss", "accuracy"}


# ---- early stopping -----------------------------------------------------------------------------------------------

FALLING = [5.0, 4.0, 4.5, 3.0, 3.2, 3.1, 3.3, 2.0]


@pytest.mark.parametrize(
    ("options", "figures", "epochs", "weights"),
    [
        ({}, FALLING, 3, 3),
        ({"patience": 2}, FALLING, 6, 6),
        ({"patience": 3}, FALLING, 7, 7),
        ({"patience": 4}, FALLING, 8, 8),
        ({"patience": 2, "restore_best_weights": True}, FALLING, 6, 4),
        ({"patience": 4, "restore_best_weights": True}, FALLING, 8, 8),
        ({"patience": 1, "min_delta": 1.5}, FALLING, 2, 2),
        ({"patience": 2, "min_delta": -1.5}, FALLING, 3, 3),
        ({"patience": 2, "mode": "max", "restore_best_weights": True}, FALLING, 3, 1),
        ({"patience": 2, "start_from_epoch": 4}, FALLING, 8, 8),
        ({"patience": 1, "start_from_epoch": 3}, FALLING, 5, 5),
        ({"patience": 2, "baseline": 2.5}, FALLING, 3, 3),
        ({"patience": 2, "baseline": 4.5, "restore_best_weights": True}, FALLING, 6, 4),
        ({"patience": 1}, [np.nan, np.nan, 1.0], 2, 2),
        ({"patience": 2, "restore_best_weights": True}, [1.0, np.nan, np.nan, np.nan], 3, 1),
        # anything is better than NaN; in Keras nothing is
        ({"patience": 3, "restore_best_weights": True}, [np.nan, np.nan, 1.0, 0.5], 4, 4),
    ],
)
def test_early_stopping(options, figures, epochs, weights):
    played = Played(callbacks.EarlyStopping(**options), figures)
    assert (played.epochs, played.count) == (epochs, weights)


def test_early_stopping_restores_the_best_weights_however_training_ends(table):
    for error in (KeyboardInterrupt, RuntimeError):
        model, kept = classifier(), []

        def end(epoch, logs, model=model, kept=kept, error=error):
            kept.append(model.get_weights())
            if epoch == 3:
                raise error

        early = callbacks.EarlyStopping("accuracy", mode="min", patience=9, restore_best_weights=True)
        with pytest.raises(error):
            model.fit(*table, epochs=9, verbose=0, callbacks=[early, callbacks.LambdaCallback(on_epoch_end=end)])
        assert len(kept) == 4
        for a, b in zip(model.get_weights(), kept[early.best_epoch], strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_direction_of_a_figure_is_that_of_its_metric(table):
    x, y = table
    model = Sequential([layers.Input((3,)), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy", "mae", lambda t, p: np.zeros(len(t))])
    figures = {}
    for monitor in ("loss", "val_loss", "accuracy", "val_accuracy", "mae", "<lambda>"):
        figures[monitor] = callback = callbacks.EarlyStopping(monitor)
        options = {"epochs": 2, "validation_split": 0.25, "verbose": 0, "callbacks": callback}
        if monitor == "<lambda>":
            with pytest.raises(ValueError, match=r"\[EarlyStopping\] expected mode 'min' or 'max' for '<lambda>'"):
                model.fit(x, y, **options)
        else:
            model.fit(x, y, **options)
    assert [c._rises for c in figures.values()] == [False, False, True, True, False, None]
    with pytest.warns(UserWarning, match=r"\[EarlyStopping\] expected a figure 'val_loss' in the logs, got loss, acc"):
        model.fit(x, y, verbose=0, callbacks=callbacks.EarlyStopping())
    with pytest.raises(ValueError, match=r"\[EarlyStopping\] expected mode 'auto', 'min' or 'max', got 'up'"):
        callbacks.EarlyStopping(mode="up")


# ---- checkpoints --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "saved"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"save_best_only": True}, [1, 2, 4, 8]),
        ({"save_best_only": True, "mode": "max"}, [1]),
        ({"save_best_only": True, "initial_value_threshold": 3.05}, [4, 8]),
        ({"save_best_only": True, "save_weights_only": True}, [1, 2, 4, 8]),
    ],
)
def test_checkpoints(tmp_path, options, saved):
    played = Played(callbacks.ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.1f}.keras", **options), FALLING)
    assert played.saved == [str(tmp_path / f"{epoch}-{FALLING[epoch - 1]:.1f}.keras") for epoch in saved]


def test_checkpoints_by_batch_hold_the_model_of_that_batch(table, tmp_path):
    model = classifier()
    seen = {}

    def keep(batch, logs):
        seen[batch + 1] = model.get_weights()

    note = callbacks.LambdaCallback(on_train_batch_end=keep)
    save = callbacks.ModelCheckpoint(tmp_path / "deep/{epoch}-{batch}.keras", save_freq=3, verbose=1)
    model.fit(*table, batch_size=8, epochs=2, verbose=0, callbacks=[note, save])
    found = sorted(path.name for path in (tmp_path / "deep").iterdir())
    assert found == ["1-3.keras", "2-1.keras", "2-4.keras"]  # the count goes on from epoch to epoch, as in Keras
    loaded = fastnn.load_model(tmp_path / "deep/2-4.keras")
    for a, b in zip(loaded.get_weights(), seen[4], strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_refuse(table, tmp_path):
    for freq in ("batch", 0, 2.5):
        with pytest.raises(ValueError, match=r"\[ModelCheckpoint\] expected save_freq 'epoch' or an integer >= 1, got"):
            callbacks.ModelCheckpoint("x", save_freq=freq)
    with pytest.raises(KeyError, match=r"\[ModelCheckpoint\] expected names among loss, accuracy, epoch in"):
        classifier().fit(*table, verbose=0, callbacks=callbacks.ModelCheckpoint(tmp_path / "{val_loss}.keras"))


# ---- learning rates -----------------------------------------------------------------------------------------------


def test_a_scheduler_sets_the_rate_of_every_epoch_also_in_recorded_steps(table):
    weights = []
    for eager in (False, True):
        model = classifier()
        model.run_eagerly = eager
        scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        history = model.fit(*table, batch_size=20, epochs=5, shuffle=False, verbose=0, callbacks=scheduler).history
        np.testing.assert_allclose(history["learning_rate"], 0.1 * 0.5 ** np.arange(1, 6))
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    changed = classifier()
    changed.fit(*table, batch_size=20, epochs=5, shuffle=False, verbose=0)
    assert not np.array_equal(changed.get_weights()[0], weights[0][0])


def test_a_scheduler_may_take_the_epoch_alone(table):
    played = Played(callbacks.LearningRateScheduler(lambda epoch: 1.0 / (1 + epoch)), FALLING[:3])
    assert played.rates == [1.0, 0.5, 1 / 3]
    with pytest.raises(ValueError, match=r"\[LearningRateScheduler\] expected schedule\(\) to return a float, got 1"):
        Played(callbacks.LearningRateScheduler(lambda epoch: 1), FALLING)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({"patience": 1}, [1, 1, 1, 0.1, 0.1, 0.01, 0.001, 1e-4]),
        ({"patience": 2, "factor": 0.5}, [1, 1, 1, 1, 1, 1, 0.5, 0.5]),
        ({"patience": 1, "cooldown": 2, "factor": 0.5}, [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 1, "min_lr": 0.3}, [1, 1, 1, 0.3, 0.3, 0.3, 0.3, 0.3]),
        # 3.0 is as much as 5.0 - 2.0, not better
        ({"patience": 1, "min_delta": 2.0}, [1, 1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6]),
    ],
)
def test_the_rate_is_reduced_on_a_plateau(options, rates):
    played = Played(callbacks.ReduceLROnPlateau(**options), FALLING)
    np.testing.assert_allclose(played.rates, rates, rtol=1e-12)


def test_plateaus_refuse():
    with pytest.raises(ValueError, match=r"\[ReduceLROnPlateau\] expected factor in \[0, 1\), got 1"):
        callbacks.ReduceLROnPlateau(factor=1)


# ---- NaN, files ---------------------------------------------------------------------------------------------------


def test_training_ends_when_the_loss_is_nan(table, capsys):
    x, y = table
    x = x.copy()
    x[25] = np.nan
    model = classifier()
    history = model.fit(
        x, y, batch_size=10, shuffle=False, epochs=5, verbose=0, callbacks=callbacks.TerminateOnNaN()
    )  # fmt: skip
    assert model.optimizer.iterations == 3 and history.epoch == [0]
    assert "Batch 2: the loss is nan" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match=r"\[TerminateOnNaN\] expected a finite loss, got nan at batch"):
        model.fit(x, y, verbose=0, callbacks=callbacks.TerminateOnNaN(raise_error=True))


def test_a_table_of_figures_is_written_and_gone_on_with(table, tmp_path):
    path = tmp_path / "log.csv"
    model = classifier()
    first = model.fit(*table, epochs=2, verbose=0, callbacks=callbacks.CSVLogger(path)).history
    logger = callbacks.CSVLogger(path, append=True)
    second = model.fit(*table, epochs=1, validation_split=0.2, verbose=0, callbacks=logger).history
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["epoch"] for row in rows] == ["0", "1", "0"]
    assert [float(row["loss"]) for row in rows] == first["loss"] + second["loss"]
    assert rows[0]["val_loss"] == "NA" and float(rows[2]["val_loss"]) == second["val_loss"][0]
    model.fit(*table, epochs=1, verbose=0, callbacks=callbacks.CSVLogger(path, separator=";"))
    assert path.read_text().splitlines()[0] == "epoch;accuracy;loss;val_accuracy;val_loss"


# ---- what is shown ------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, table, out, **options):
    monkeypatch.setattr(sys, "stdout", out)
    model = classifier()
    model.fit(*table, batch_size=10, epochs=2, validation_split=0.25, **options)
    model.evaluate(*table, verbose=options["verbose"])
    model.predict(table[0], verbose=options["verbose"])
    return out.getvalue()


@pytest.mark.parametrize("verbose", ["auto", 1, 2, 0])
def test_a_file_gets_lines_without_control_characters(table, monkeypatch, verbose):
    lines = shown(monkeypatch, table, io.StringIO(), verbose=verbose).splitlines()
    assert not any("\r" in line or "\x1b" in line for line in lines)
    begins = [line.split(" - ")[0] for line in lines]
    expected = [] if verbose == 0 else ["Epoch 1/2", "Epoch 2/2", "evaluate"]
    assert begins == expected + (["predict"] if verbose in (1, 2) else [])
    assert all("val_loss: " in line and " s - " in line for line in lines[:2])


def test_a_terminal_gets_a_bar_that_is_drawn_over_itself(table, monkeypatch):
    pytest.importorskip("tqdm")
    text = shown(monkeypatch, table, Terminal(), verbose="auto")
    last = [line.split("\r")[-1] for line in text.split("\n")]
    assert "\r" in text and len(last) == 5 and last[-1] == ""
    for begin, figures, line in zip(
        ["Epoch 1/2", "Epoch 2/2", "evaluate", "predict"], ["val_loss: "] * 2 + ["loss: ", ""], last, strict=False
    ):
        assert line.startswith(begin) and figures in line and "100%" in line
    assert not [line for line in last if "test" in line]


def test_a_notebook_without_widgets_gets_a_bar_of_text(table, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    text = shown(monkeypatch, table, io.StringIO(), verbose="auto")
    assert "100%" in text and "val_loss" in text


def test_an_interrupted_bar_is_left_where_it_was(table, monkeypatch):
    pytest.importorskip("tqdm")
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)

    def stop(batch, logs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classifier().fit(*table, callbacks=callbacks.LambdaCallback(on_train_batch_end=stop))
    assert out.getvalue().endswith("\n")


def test_a_callback_ends_evaluation_and_prediction_of_endless_data(table):
    x, y = table

    def endless(targets):
        while True:
            yield (x[:4], y[:4]) if targets else (x[:4],)

    def stopping(event, attribute):
        seen = []

        def count(batch, logs):
            seen.append(batch)
            if len(seen) == 5:
                setattr(called.model, attribute, True)

        called = callbacks.LambdaCallback(**{event: count})
        return called, seen

    model = classifier()
    for method, event, attribute in (
        (model.fit, "on_train_batch_end", "stop_training"),
        (model.evaluate, "on_test_batch_end", "stop_evaluating"),
        (model.predict, "on_predict_batch_end", "stop_predicting"),
    ):
        for _ in range(2):  # it begins anew
            called, seen = stopping(event, attribute)
            method(endless(method != model.predict), callbacks=[called], verbose=0)
            assert seen == [0, 1, 2, 3, 4]
