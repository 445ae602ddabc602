"""compile, fit, evaluate, predict and the steps they are made of."""

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, initializers, layers, losses, metrics, ops, optimizers
from fastnn.models import Sequential


@pytest.fixture
def table():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((50, 4)).astype("float32")
    return x, (x[:, 0] - x[:, 1] > 0).astype("int64") + (x[:, 2] > 1)


def classifier(optimizer="sgd", dtype=None, **compiled):
    model = Sequential([
        layers.Input((4,)),
        layers.Dense(8, "tanh", kernel_initializer=initializers.GlorotUniform(1), dtype=dtype),
        layers.Dense(3, kernel_initializer=initializers.GlorotUniform(2), dtype=dtype),
    ])  # fmt: skip
    compiled.setdefault("metrics", ["accuracy"])
    model.compile(optimizer, losses.SparseCategoricalCrossentropy(from_logits=True), **compiled)
    return model


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))


def manual(model, x, y, weight=None):
    """(loss, accuracy) in plain NumPy."""
    w1, b1, w2, b2 = (w.astype(float) for w in model.get_weights())
    z = np.tanh(x @ w1 + b1) @ w2 + b2
    top = z.max(axis=1, keepdims=True)
    losses = (top + np.log(np.exp(z - top).sum(axis=1, keepdims=True)))[:, 0] - z[np.arange(len(y)), y]
    weight = np.ones(len(y)) if weight is None else weight
    return np.sum(losses * weight) / len(y), np.mean(z.argmax(axis=1) == y)


# ---- history ------------------------------------------------------------------------------------------------------


def test_history_has_a_value_per_epoch_and_figure(table):
    model = classifier()
    history = model.fit(*table, epochs=3, validation_split=0.2, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(values) == 3 for values in history.history.values())
    assert history.epoch == [0, 1, 2] and model.history is history
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_loss_of_an_epoch_is_the_mean_over_samples_also_with_a_short_last_batch(table):
    """With learning rate 0 the batches of 16, 16, 16 and 2 have to give the loss of all 50."""
    model = classifier(optimizers.SGD(0.0))
    history = model.fit(*table, batch_size=16, verbose=0).history
    loss, accuracy = manual(model, *table)
    np.testing.assert_allclose(history["loss"], [loss], rtol=1e-6)
    np.testing.assert_allclose(history["accuracy"], [accuracy], rtol=1e-12)


def test_names_given_in_compile_are_the_names_in_history(table):
    own = lambda t, p: np.ones(len(t))  # noqa: E731
    own.__name__ = "own"
    model = classifier(
        metrics=["acc", own, metrics.SparseCategoricalAccuracy(name="hits")], weighted_metrics=["accuracy"]
    )
    history = model.fit(*table, verbose=0).history
    assert list(history) == ["loss", "acc", "own", "hits", "accuracy"]
    assert model.metrics_names == list(history)
    assert history["acc"] == history["hits"] == history["accuracy"]


# ---- validation ---------------------------------------------------------------------------------------------------


def test_validation_split_takes_the_last_samples(table):
    x, y = table
    split, given = classifier(), classifier()
    a = split.fit(x, y, epochs=2, validation_split=0.25, shuffle=False, verbose=0).history
    b = given.fit(x[:37], y[:37], epochs=2, validation_data=(x[37:], y[37:]), shuffle=False, verbose=0).history
    assert a == b and same(split, given)
    np.testing.assert_allclose((a["val_loss"][-1], a["val_accuracy"][-1]), manual(split, x[37:], y[37:]), rtol=1e-6)


def test_validation_data_may_carry_weights_and_wins_over_a_split(table):
    x, y = table
    weight = np.linspace(0, 2, 50)
    model = classifier()
    history = model.fit(x, y, validation_data=(x, y, weight), validation_split=0.5, verbose=0).history
    np.testing.assert_allclose(history["val_loss"], [manual(model, x, y, weight)[0]], rtol=1e-6)


def test_class_weights_are_not_those_of_the_validation_samples(table):
    x, y = table
    model = classifier()
    history = model.fit(x, y, validation_split=0.2, class_weight={0: 9.0}, verbose=0).history
    np.testing.assert_allclose(history["val_loss"], [manual(model, x[40:], y[40:])[0]], rtol=1e-6)


@pytest.mark.parametrize(("freq", "count"), [(1, 5), (2, 2), ([1, 4], 2), ((5,), 1)])
def test_validation_freq(table, freq, count):
    history = classifier().fit(*table, epochs=5, validation_split=0.2, validation_freq=freq, verbose=0)
    assert len(history.history["val_loss"]) == count


def test_validation_steps_and_batch_size(table):
    x, y = table
    model = classifier()
    history = model.fit(
        x, y, validation_data=(x, y), validation_steps=2, validation_batch_size=5, verbose=0
    ).history  # fmt: skip
    np.testing.assert_allclose(history["val_loss"], [manual(model, x[:10], y[:10])[0]], rtol=1e-6)


# ---- weights ------------------------------------------------------------------------------------------------------


def test_integer_sample_weights_equal_repeated_samples_up_to_the_number_of_samples(table):
    """The loss is a mean over samples, so weights 1, 2, 3 of n samples act as repetition at a rate scaled by N / n."""
    x, y = table
    times = np.arange(50) % 3 + 1
    repeated = classifier(optimizers.SGD(0.1 * times.sum() / 50), dtype="float64")
    repeated.fit(np.repeat(x, times, axis=0), np.repeat(y, times), batch_size=1000, epochs=3, verbose=0)
    weighted = classifier(optimizers.SGD(0.1), dtype="float64")
    weighted.fit(x, y, sample_weight=times, batch_size=50, epochs=3, verbose=0)
    for a, b in zip(repeated.get_weights(), weighted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_class_weights_equal_sample_weights(table):
    x, y = table
    by_class, by_sample = classifier(), classifier()
    by_class.fit(x, y, class_weight={0: 0.5, 2: 4.0}, shuffle=False, verbose=0)
    by_sample.fit(x, y, sample_weight=np.array([0.5, 1.0, 4.0])[y], shuffle=False, verbose=0)
    assert same(by_class, by_sample)


def test_class_weights_beside_sample_weights_are_refused(table):
    x, y = table
    model, ones, by_class = classifier(), np.ones(len(x)), {0: 0.5}
    with pytest.raises(ValueError, match=r"\[fit\] expected class_weight or sample_weight, got both"):
        model.fit(x, y, sample_weight=ones, class_weight=by_class, verbose=0)
    with pytest.raises(ValueError, match=r"\[fit\] expected class_weight or sample_weight, got both"):
        model.fit(iter([(x, y, ones)]), class_weight=by_class, verbose=0)
    with pytest.raises(ValueError, match=r"\[train_on_batch\] expected class_weight or sample_weight, got both"):
        model.train_on_batch(x, y, ones, by_class)


def test_samples_of_weight_zero_do_not_teach(table):
    x, y = table
    changed = y.copy()
    changed[::2] = (changed[::2] + 1) % 3
    weight = np.arange(50) % 2
    a, b = classifier(), classifier()
    a.fit(x, y, sample_weight=weight, shuffle=False, verbose=0)
    b.fit(x, changed, sample_weight=weight, shuffle=False, verbose=0)
    assert same(a, b)


# ---- order, steps, epochs -----------------------------------------------------------------------------------------


def shuffled(seed, table, **options):
    fastnn.random.set_random_seed(seed)
    model = classifier()
    model.fit(*table, epochs=2, batch_size=8, verbose=0, **options)
    return model


def test_shuffling_depends_on_the_seed_alone(table):
    assert same(shuffled(1, table), shuffled(1, table))
    assert not same(shuffled(1, table), shuffled(2, table))
    assert same(shuffled(1, table, shuffle=False), shuffled(2, table, shuffle=False))


class Recorder(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda *args: object.__getattribute__(self, "events").append(name)
        return super().__getattribute__(name)


for _event in [name for name in vars(callbacks.Callback) if name.startswith("on_")]:
    setattr(Recorder, _event, lambda self, *args: None)  # overwritten, so that it is called


def test_every_sample_is_seen_once_an_epoch(table):
    seen = []

    class Watched(Sequential):
        def train_step(self, data):
            seen.append(data[0][:, 0].copy())
            return super().train_step(data)

    model = Watched([layers.Dense(1)])
    model.compile("sgd", "mse")
    x = table[0]
    model.fit(x, x[:, 0], batch_size=7, epochs=2, verbose=0)
    assert [len(batch) for batch in seen] == [7, 7, 7, 7, 7, 7, 7, 1] * 2
    first, second = np.concatenate(seen[:8]), np.concatenate(seen[8:])
    assert not np.array_equal(first, second)
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch), np.sort(x[:, 0]))


def test_steps_per_epoch_and_initial_epoch(table):
    model = classifier()
    history = model.fit(*table, batch_size=10, steps_per_epoch=2, initial_epoch=1, epochs=3, verbose=0)
    assert model.optimizer.iterations == 4 and history.epoch == [1, 2]
    assert model.fit(*table, initial_epoch=4, epochs=4, verbose=0).history == {}


def test_callbacks_hear_events_in_order(table):
    x, y = table
    model, recorder = classifier(), Recorder()
    model.fit(x, y, batch_size=40, validation_data=(x, y), verbose=0, callbacks=[recorder])
    batch, tested = ["on_train_batch_begin", "on_train_batch_end"], ["on_test_batch_begin", "on_test_batch_end"]
    assert recorder.events == [
        "on_train_begin", "on_epoch_begin", *batch, *batch, "on_test_begin", *tested, *tested, "on_test_end",
        "on_epoch_end", "on_train_end",
    ]  # fmt: skip
    recorder.events.clear()
    model.evaluate(x, y, batch_size=50, verbose=0, callbacks=[recorder])
    model.predict(x, batch_size=50, callbacks=[recorder])
    assert recorder.events == [
        "on_test_begin", *tested, "on_test_end",
        "on_predict_begin", "on_predict_batch_begin", "on_predict_batch_end", "on_predict_end",
    ]  # fmt: skip


def test_a_single_callback_needs_no_list(table):
    recorder = Recorder()
    classifier().fit(*table, verbose=0, callbacks=recorder)
    assert recorder.events[0] == "on_train_begin"


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(ValueError, match=r"\[evaluate\] expected at least one sample, got none"):
        classifier().evaluate(np.zeros((0, 4)), np.zeros(0, int), verbose=0)
    with pytest.raises(ValueError, match=r"\[predict\] expected x, got None"):
        classifier().predict(None)


def test_callbacks_see_figures_and_what_they_add_is_kept(table):
    """History hears last, as in Keras, where callbacks add the learning rate to the logs."""

    class Rate(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert set(logs) == {"loss", "accuracy"} and self.params["epochs"] == 2 and self.params["steps"] == 2
            logs["learning_rate"] = self.model.optimizer.learning_rate

    history = classifier().fit(*table, epochs=2, verbose=0, callbacks=[Rate()])
    assert history.history["learning_rate"] == [0.01, 0.01]
    with pytest.raises(TypeError, match=r"\[callbacks\] expected Callback objects, got str"):
        classifier().fit(*table, callbacks=["early"], verbose=0)


def test_stop_training_ends_the_epoch_after_the_running_step(table):
    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model, recorder = classifier(), Recorder()
    history = model.fit(*table, batch_size=10, epochs=5, verbose=0, callbacks=[Stop(), recorder])
    assert model.optimizer.iterations == 2 and history.epoch == [0]
    assert recorder.events[-2:] == ["on_epoch_end", "on_train_end"]
    assert len(model.fit(*table, batch_size=50, epochs=2, verbose=0).epoch) == 2


def test_on_train_end_is_heard_when_training_fails(table):
    class Failing(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyError("no")

    recorder = Recorder()
    with pytest.raises(KeyError):
        classifier().fit(*table, verbose=0, callbacks=[Failing(), recorder])
    assert recorder.events[-1] == "on_train_end"


# ---- output -------------------------------------------------------------------------------------------------------


def test_verbose_0_prints_nothing(table, capfd):
    model = classifier()
    model.fit(*table, validation_split=0.2, verbose=0)
    model.evaluate(*table, verbose=0)
    model.predict(table[0])
    assert capfd.readouterr() == ("", "")


def test_verbose_1_writes_a_line_per_epoch_into_a_file(table, capsys):
    classifier().fit(*table, epochs=2, validation_split=0.2, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("val_accuracy: " in line and "\r" not in line for line in lines)


def test_verbose_2_prints_a_line_per_epoch(table, capsys):
    history = classifier().fit(*table, epochs=2, verbose=2).history
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("Epoch 1/2") and f"loss: {history['loss'][1]:.4f}" in lines[1]


def test_evaluate_shows_a_bar_unless_told_otherwise(table, capsys):
    classifier().evaluate(*table)
    assert "evaluate" in capsys.readouterr().out


# ---- evaluate, predict, single batches ----------------------------------------------------------------------------


def test_evaluate_and_predict_agree_with_manual_computation(table):
    x, y = table
    model = classifier()
    loss, accuracy = manual(model, x, y)
    for batch_size in (1, 7, 50, 1000, None):
        figures = model.evaluate(x, y, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(figures, [loss, accuracy], rtol=1e-6)
        np.testing.assert_array_equal(model.predict(x, batch_size=batch_size).shape, (50, 3))
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": figures[0], "accuracy": figures[1]}
    weight = np.linspace(0, 1, 50)
    np.testing.assert_allclose(
        model.evaluate(x, y, sample_weight=weight, verbose=0)[0], manual(model, x, y, weight)[0], rtol=1e-6
    )
    first = model.evaluate(x, y, batch_size=10, steps=2, verbose=0)[0]
    np.testing.assert_allclose(first, manual(model, x[:20], y[:20])[0], rtol=1e-6)
    assert model.predict(x, batch_size=10, steps=2).shape == (20, 3)
    np.testing.assert_array_equal(model.predict(x, batch_size=50), model(x))


def test_a_model_without_metrics_returns_the_loss_alone(table):
    model = classifier(metrics=None)
    assert isinstance(model.evaluate(*table, verbose=0), float)
    assert isinstance(model.train_on_batch(*table), float)


def test_single_batches(table):
    x, y = table
    model, fitted = classifier(), classifier()
    loss, accuracy = manual(model, x, y)
    for _ in range(2):  # the figures are those of the batch alone
        np.testing.assert_allclose(model.test_on_batch(x, y), [loss, accuracy], rtol=1e-6)
    np.testing.assert_allclose(model.train_on_batch(x, y), [loss, accuracy], rtol=1e-6)
    fitted.fit(x, y, batch_size=50, shuffle=False, verbose=0)
    assert same(model, fitted)
    second = manual(model, x, y)[0]
    figures = model.train_on_batch(x, y, return_dict=True)
    assert set(figures) == {"loss", "accuracy"}
    np.testing.assert_allclose(figures["loss"], second, rtol=1e-6)
    np.testing.assert_array_equal(model.predict_on_batch(x), model(x))


def test_a_train_step_of_ones_own():
    class Doubled(Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2.0 * super().compute_loss(x, y, y_pred, sample_weight, training)

    x, y = np.ones((8, 2), "float32"), np.zeros((8, 1), "float32")
    figures = []
    for cls in (Sequential, Doubled):
        model = cls([layers.Dense(1, kernel_initializer="ones")])
        model.compile(optimizers.SGD(0.0), "mse")
        figures.append(model.fit(x, y, verbose=0).history["loss"][0])
    assert figures == [4, 8]


# ---- inputs -------------------------------------------------------------------------------------------------------


class NamesOfItsOwn(fastnn.Model):
    """Attributes by names that a training loop could want for itself."""

    NAMES = ("steps", "epochs", "epoch_figures", "batch_size", "data", "figures", "finish_training", "batch")

    def __init__(self, taken: bool) -> None:
        super().__init__()
        self.dense = layers.Dense(3)
        for name in self.NAMES if taken else ():
            setattr(self, name, 3)

    def call(self, x):
        return self.dense(x)


def test_attributes_of_a_model_of_ones_own_do_not_meet_those_of_the_training_loop(table):
    x, y = table
    figures = []
    for taken in (True, False):
        fastnn.utils.set_random_seed(0)
        model = NamesOfItsOwn(taken)
        model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        history = model.fit(x, y, validation_split=0.2, epochs=2, verbose=0).history
        figures.append([*history["val_loss"], *model.train_on_batch(x, y), *model.evaluate(x, y, verbose=0)])
        assert not taken or all(getattr(model, name) == 3 for name in model.NAMES)
    assert figures[0] == figures[1]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64", "float16", "bool"])
def test_inputs_are_cast_per_batch_and_left_alone(dtype, rng):
    x = rng.integers(0, 2 if dtype == "bool" else 100, (40, 4)).astype(dtype)
    y = rng.integers(0, 3, 40)
    before = x.copy()
    x.flags.writeable = y.flags.writeable = False
    a, b = classifier(), classifier()
    a.fit(x, y, shuffle=False, verbose=0)
    b.fit(before.astype("float32"), y, shuffle=False, verbose=0)
    assert same(a, b)
    np.testing.assert_array_equal(a.predict(x), b.predict(before.astype("float32")))
    np.testing.assert_array_equal(x, before)


def test_strided_reversed_and_fortran_inputs_train_as_dense_ones(table):
    x, y = table
    expected = classifier()
    expected.fit(x, y, shuffle=True, verbose=0, batch_size=50)
    wide = np.full((100, 8), np.nan, "float32")
    wide[::2, ::2] = x
    for given in (wide[::2, ::2], np.asfortranarray(x), x[::-1].copy()[::-1]):
        model = classifier()
        model.fit(given, y, shuffle=False, verbose=0, batch_size=50)
        dense = classifier()
        dense.fit(x, y, shuffle=False, verbose=0, batch_size=50)
        assert same(model, dense)


def test_lists_and_integers_will_do():
    model = Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit([[0, 1], [1, 0], [1, 1]], [1, 2, 3], verbose=0)
    assert model.predict([[0, 1]]).shape == (1, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float64_models_train_in_float64(table, dtype):
    model = classifier(dtype=dtype)
    model.fit(*table, verbose=0)
    assert {w.dtype.name for w in model.get_weights()} == {dtype} and model.predict(table[0]).dtype == dtype


def test_targets_n_and_n_1_train_alike(table):
    x = table[0]
    weights = []
    for y in (x[:, 0], x[:, :1]):
        model = Sequential([layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse", metrics=["mae"])
        model.fit(x, y, shuffle=False, verbose=0)
        weights.append(model.get_weights()[0])
    np.testing.assert_array_equal(*weights)


def test_nan_inputs_give_a_nan_loss_not_a_crash(table):
    x, y = table
    x = x.copy()
    x[3, 2] = np.nan
    assert np.isnan(classifier().fit(x, y, verbose=0).history["loss"][0])


def test_predicting_nothing_gives_nothing():
    assert classifier().predict(np.zeros((0, 4), "float32")).shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "message"),
    [
        (
            np.zeros((5, 4)),
            np.zeros(4, int),
            {},
            ValueError,
            "expected one number of samples in all arrays, got shapes",
        ),
        (
            np.zeros((5, 4)),
            np.zeros(5, int),
            {"sample_weight": np.ones(4)},
            ValueError,
            "expected one number of samples",
        ),
        (np.zeros((0, 4)), np.zeros(0, int), {}, ValueError, "expected at least one sample, got none"),
        (
            np.zeros((5, 4)),
            np.zeros(5, int),
            {"batch_size": 0},
            ValueError,
            "batch_size to be a positive integer, got 0",
        ),
        (np.zeros((5, 4)), np.zeros(5, int), {"batch_size": 2.5}, ValueError, "batch_size to be a positive integer"),
        (
            np.zeros((5, 4)),
            np.zeros(5, int),
            {"validation_split": 1.0},
            ValueError,
            r"validation_split in \(0, 1\), got 1",
        ),
        (np.zeros((5, 4)), np.zeros(5, int), {"validation_split": 0.99}, ValueError, "leave samples on both sides"),
        (
            np.zeros((5, 4)),
            np.zeros(5, int),
            {"validation_data": np.ones(3)},
            ValueError,
            "expected validation_data as",
        ),
        (np.zeros((5, 4)), np.full(5, 7), {}, ValueError, r"expected labels in \[0, 3\)"),
        (np.zeros((5, 3)), np.zeros(5, int), {}, ValueError, "expected .*got"),
        (np.zeros((5, 4)), np.zeros(5, int), {"epochs": "3"}, ValueError, "expected epochs to be an integer >= 0"),
        (np.zeros((5, 4)), np.zeros(5, int), {"epochs": -1}, ValueError, "expected epochs to be an integer >= 0"),
        (np.zeros((5, 4)), np.zeros(5, int), {"steps_per_epoch": 0}, ValueError, "steps_per_epoch .* an integer >= 1"),
        (np.zeros((5, 4)), np.zeros(5, int), {"validation_freq": 0}, ValueError, "validation_freq .* an integer >= 1"),
        (
            np.zeros((5, 4)),
            np.zeros(5, int),
            {"validation_data": (np.zeros((0, 4)), np.zeros(0, int))},
            ValueError,
            "expected at least one sample for validation, got none",
        ),
        (np.zeros((5, 4)), None, {}, ValueError, "expected targets y, got None"),
        (None, None, {}, ValueError, "expected x, got None"),
        (np.array(["a", "b"]), np.zeros(2, int), {}, TypeError, "expected x to be an array of numbers"),
        (np.float32(3), np.zeros(1, int), {}, ValueError, "first axis of samples, got a scalar"),
        ((i for i in range(3)), None, {}, ValueError, "first axis of samples, got a scalar"),
    ],
)
def test_data_that_do_not_fit_are_refused(x, y, options, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(x, y, verbose=0, **options)


def test_what_needs_compile_says_so():
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    x = np.zeros((2, 4), "float32")
    for name in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(RuntimeError, match=rf"\[{name}\] expected a compiled model; call compile\(\) first"):
            getattr(model, name)(x, x)
    assert model.predict(x).shape == (2, 1)


def test_compile_refuses():
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    with pytest.raises(TypeError, match=r"\[compile\] expected metrics as a list or a dict, got 'accuracy'"):
        model.compile("sgd", "mse", metrics="accuracy")
    for arguments in (("sdg", "mse"), ("sgd", "msee")):
        with pytest.raises(ValueError, match="expected a known name such as"):
            model.compile(*arguments)
    model.compile("sgd")
    with pytest.raises(ValueError, match="expected a loss"):
        model.fit(np.zeros((2, 4)), np.zeros((2, 1)), verbose=0)


def test_a_loss_that_does_not_depend_on_the_weights_is_refused():
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", lambda t, p: ops.mean(np.ones(3)))
    with pytest.raises(ValueError, match="expected a loss that depends on trainable weights"):
        model.fit(np.zeros((2, 4)), np.zeros((2, 1)), verbose=0)


def test_a_model_without_trainable_weights_is_measured_and_warns():
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    model = Sequential([layers.Input((2,)), layers.Dense(2, kernel_initializer="identity", trainable=False)])
    model.compile("adam", "mse", metrics=["mae"])
    with pytest.warns(UserWarning, match="expected trainable weights, got none: nothing is learned"):
        history = model.fit(x, x + 2, epochs=4, batch_size=2, verbose=0).history
    assert history == {"loss": [4.0] * 4, "mae": [2.0] * 4}
    np.testing.assert_array_equal(model.get_weights()[0], np.eye(2))
