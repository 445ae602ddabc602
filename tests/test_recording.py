"""Recorded steps: what a replay gives is what Python gives, bit for bit, and what cannot be replayed is not."""

import gc
import os
import pickle
import threading
from functools import partial

import numpy as np
import pytest

import fastnn
from fastnn import layers, losses, ops, optimizers
from fastnn.layers.layer import Layer

STEPS = 6


def table(rng, samples=24, features=5):
    return rng.standard_normal((samples, features)).astype(np.float32), rng.integers(0, 3, samples)


def network(optimizer="adam", loss=None, eager=False, extra=(), units=3):
    fastnn.utils.set_random_seed(1)
    hidden = [layers.Dense(8, activation="gelu"), *(make() for make in extra)]
    model = fastnn.Sequential([layers.Input((5,)), *hidden, layers.Dense(units)])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True) if loss is None else loss
    model.compile(optimizer() if callable(optimizer) else optimizer, loss, metrics=["accuracy"], run_eagerly=eager)
    return model


def scheduled():
    return optimizers.Adam(lambda step: 0.1 / (1 + step))


def clipped():
    return optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.05, loss_scale_factor=8.0, weight_decay=0.01)


def averaged():
    return optimizers.Adam(0.01, use_ema=True, clipnorm=0.1)


def recordings(model):
    """(of training, of predicting) as the model is now."""
    steps = model._steps_now()
    return [0 if r is None else len(r._steps) for r in (steps._training, steps._predicting)]


def assert_same_training(make, x, y, weight=None, recorded=True, change=lambda model, step: None):
    """Trains two models alike, one of them always in Python."""
    replayed, eager = make(eager=False), make(eager=True)
    for step in range(STEPS):
        for model in (replayed, eager):
            change(model, step)
        figures = [m.train_on_batch(x, y, sample_weight=weight) for m in (replayed, eager)]
        assert figures[0] == figures[1], step
    assert recordings(eager) == [0, 0]
    assert bool(recordings(replayed)[0]) == recorded
    for a, b in zip(replayed.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(replayed.optimizer.state().values(), eager.optimizer.state().values(), strict=True):
        np.testing.assert_array_equal(a, b)
    return replayed


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.PReLU("ones"),
        layers.ELU,
        lambda: layers.ReLU(1.0, 0.1, 0.2),
        lambda: layers.Maxout(4, 3),
        lambda: layers.Softmax(0),
        *(
            lambda name=name: layers.Activation(name)
            for name in ("glu", "sparsemax", "mish", "squareplus", "hard_tanh")
        ),
        *(lambda name=name: layers.Dense(6, name) for name in ("elu", "selu", "hard_sigmoid", "silu", "glu")),
    ],
)
def test_activations_are_replayed(rng, layer):
    assert_same_training(lambda eager: network(eager=eager, extra=[layer]), *table(rng))


@pytest.mark.parametrize(
    "optimizer",
    ["sgd", "rmsprop", "adam", "adamw", "nadam", "lion", scheduled, clipped, averaged],
)
def test_replays_train_as_python_does(rng, optimizer):
    assert_same_training(lambda eager: network(optimizer, eager=eager), *table(rng))


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient_accumulation_steps": 2},
        {"gradient_accumulation_steps": 3, "global_clipnorm": 0.1},
        {"use_ema": True, "ema_overwrite_frequency": 3},
        {"use_ema": True, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 2},
    ],
)
def test_optimizers_whose_steps_differ_are_recorded_by_phase(rng, settings, monkeypatch):
    monkeypatch.setattr("test_recording.STEPS", 24)

    def make(eager):
        return network(lambda: optimizers.Adam(0.01, **settings), eager=eager)

    model = assert_same_training(make, *table(rng))
    every, overwrites = settings.get("gradient_accumulation_steps", 1), settings.get("ema_overwrite_frequency")
    assert recordings(model)[0] == (every > 1) + (1 if overwrites is None else 2)
    assert model.optimizer.iterations == 24 // every


@pytest.mark.parametrize("extra", [lambda: layers.Dropout(0.4), layers.Flatten, lambda: layers.ReLU(max_value=1.0)])
def test_replays_through_other_layers(rng, extra):
    assert_same_training(lambda eager: network(eager=eager, extra=[extra]), *table(rng))


def test_replays_evaluate_as_python_does(rng):
    x, y = table(rng, 40)
    found = []
    for eager in (False, True):
        model = network(eager=eager, extra=[lambda: layers.Dropout(0.4)])
        found.append([model.evaluate(x, y, batch_size=8, verbose=0) for _ in range(2)])
        assert bool(model._steps_now()._testing and model._steps_now()._testing._steps) == (not eager)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (losses.MeanSquaredError(), lambda rng: rng.standard_normal((24, 3))),
        (losses.MeanSquaredError(), lambda rng: rng.standard_normal((24, 3)).astype(np.float32)),
        (losses.BinaryCrossentropy(from_logits=True), lambda rng: rng.integers(0, 2, (24, 3))),
        (losses.CategoricalCrossentropy(from_logits=True), lambda rng: np.eye(3)[rng.integers(0, 3, 24)]),
        (losses.SparseCategoricalCrossentropy(from_logits=True), lambda rng: rng.integers(0, 3, 24).astype(np.uint8)),
        (losses.SparseCategoricalCrossentropy(from_logits=True), lambda rng: rng.integers(0, 3, (24, 1))),
    ],
)
def test_replays_of_other_losses_and_dtypes(rng, loss, targets):
    x, y = rng.standard_normal((24, 5)), targets(rng)
    assert_same_training(lambda eager: network(loss=loss, eager=eager), x, y)


def test_replays_with_sample_weights(rng):
    assert_same_training(lambda eager: network(eager=eager), *table(rng), weight=rng.random(24))


def test_replays_where_inputs_are_targets(rng):
    x = rng.standard_normal((24, 5)).astype(np.float32)

    def make(eager):
        return network(loss=losses.MeanSquaredError(), eager=eager, units=5)

    model = assert_same_training(make, x, x)
    assert recordings(model)[0] == 1
    eager = make(eager=True)
    eager.set_weights(model.get_weights())
    for _ in range(3):
        model.train_on_batch(x, x)
    state = model.optimizer.state()
    eager.optimizer.build(eager.trainable_variables)
    eager.optimizer.set_state(state)
    eager.set_weights(model.get_weights())
    model.train_on_batch(x, x + 1)  # of the same shapes, but two arrays
    eager.train_on_batch(x, x + 1)
    np.testing.assert_array_equal(model.get_weights()[0], eager.get_weights()[0])
    for target in (x, x, x + 1):
        model.train_on_batch(x, target)
    assert recordings(model)[0] == 2


def test_settings_that_change_between_steps_are_followed(rng):
    def change(model, step):
        if step == 2:
            model.optimizer.learning_rate = 0.5
        if step == 3:
            model.set_weights([w + 1 for w in model.get_weights()])
        if step == 4:
            model.optimizer.beta_1 = 0.5
        if step == 5:
            model.layers[0].trainable = False

    model = assert_same_training(lambda eager: network(eager=eager), *table(rng), recorded=False, change=change)
    x, y = table(rng)
    frozen = model.layers[0].get_weights()
    for _ in range(3):
        model.train_on_batch(x, y)
    assert recordings(model)[0] == 1
    np.testing.assert_array_equal(frozen[0], model.layers[0].get_weights()[0])


def test_a_rate_of_dropout_that_changes_is_followed(rng):
    def change(model, step):
        if step == 4:
            model.layers[1].rate = 0.0

    def make(eager):
        return network(eager=eager, extra=[lambda: layers.Dropout(0.5)])

    assert_same_training(make, *table(rng), change=change)


def test_fit_is_the_same_with_a_last_batch_of_another_size(rng):
    x, y = table(rng, 50)
    histories = []
    for eager in (False, True):
        model = network(eager=eager, extra=[lambda: layers.Dropout(0.2)])
        histories.append(model.fit(x, y, batch_size=16, epochs=4, verbose=0, validation_split=0.2).history)
        assert recordings(model)[0] == (0 if eager else 2)
    assert histories[0] == histories[1]


def test_an_error_in_a_replay_leaves_the_model_as_it_was(rng):
    x, y = table(rng)
    model = network()
    for _ in range(3):
        model.train_on_batch(x, y)
    assert recordings(model)[0] == 1
    weights, count = model.get_weights(), model.optimizer.iterations
    wrong = y.copy()
    wrong[3] = 7
    with pytest.raises(ValueError, match=r"\[softmax_cross_entropy\] expected labels in \[0, 3\), got 7"):
        model.train_on_batch(x, wrong)
    assert model.optimizer.iterations == count
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Own(Layer):
    """Counts how often Python runs it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, x):
        self.calls.append(len(x))
        return ops.multiply(x, 2.0)


class Willing(Own):
    recordable = True


def test_own_layers_run_as_they_are_written(rng):
    x, y = table(rng)
    model = network(extra=[Own])
    for _ in range(5):
        model.train_on_batch(x, y)
    assert (len(model.layers[1].calls), recordings(model)) == (5, [0, 0])


def test_own_layers_may_say_that_they_can_be_replayed(rng):
    x, _ = table(rng)
    model = network(extra=[Willing])
    for _ in range(3):
        model.predict_on_batch(x)
    before = len(model.layers[1].calls)
    model.predict_on_batch(x)
    assert len(model.layers[1].calls) == before


def test_own_activations_and_losses_run_as_they_are_written(rng):
    x, y = table(rng)
    seen = []

    def shout(values):
        seen.append(len(values))
        return values

    model = network(extra=[lambda: layers.Activation(shout)])
    for _ in range(4):
        model.train_on_batch(x, y)
    assert len(seen) == 4

    class Mine(losses.Loss):
        def call(self, y_true, y_pred):
            seen.append(0)
            return (y_pred - y_true) ** 2

    model = network(loss=Mine())
    for _ in range(4):
        model.train_on_batch(x, np.zeros((24, 3), np.float32))
    assert len(seen) == 8


class Sneaky(Layer):
    """Claims to be recordable, and works outside the kernels."""

    recordable = True

    def call(self, x):
        return np.sort(np.asarray(x), axis=-1)


class Assigning(Layer):
    """Changes a variable outside the kernels."""

    recordable = True

    def build(self, shape):
        self.count = self.add_weight((), "zeros", trainable=False)

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, x):
        self.count.assign(self.count.numpy() + 1)
        return x


def test_what_works_outside_the_kernels_is_not_replayed(rng):
    x, _ = table(rng)
    for _ in range(2):
        model = network(extra=[Sneaky])
        reference = network(extra=[Sneaky], eager=True)
        for _ in range(4):
            other = rng.standard_normal(x.shape).astype(np.float32)
            np.testing.assert_array_equal(model.predict_on_batch(other), reference.predict_on_batch(other))
    model = network(extra=[Assigning])
    for _ in range(5):
        model.predict_on_batch(x)
    assert float(model.layers[1].count) == 5


def test_predictions_are_arrays_of_their_own(rng):
    x, _ = table(rng)
    model = network()
    found = [model.predict_on_batch(x + i) for i in range(6)]
    assert recordings(model)[1] == 1
    model.run_eagerly = True
    for i, y in enumerate(found):
        np.testing.assert_array_equal(y, model.predict_on_batch(x + i))


def test_the_prediction_of_the_run_that_was_recorded_stays(rng):
    """Once its memory had served an earlier array of the same step, and every replay wrote that array there again."""
    x, _ = table(rng)
    model = fastnn.Sequential([layers.Input((5,)), *(layers.Dense(5) for _ in range(6))])
    found = [model.predict_on_batch(x) for _ in range(4)]
    assert recordings(model)[1] == 1
    for y in found:
        np.testing.assert_array_equal(y, model(x))


def every_other(x):
    return np.repeat(x, 2, 0)[::2]


@pytest.mark.parametrize("change", [np.asfortranarray, every_other, np.float64])
def test_inputs_of_other_layouts_are_taken(rng, change):
    x, _ = table(rng)
    model = network()
    expected = [model.predict_on_batch(x) for _ in range(4)][-1]
    for _ in range(4):
        np.testing.assert_array_equal(model.predict_on_batch(change(x)), expected)


def test_weights_that_move_are_followed(rng):
    """A model that predicted with weights in their own arrays, until a later model packed them."""
    x, y = table(rng)
    inner = network()
    for _ in range(4):
        inner.predict_on_batch(x)
    outer = fastnn.Sequential([layers.Input((5,)), *inner.layers])
    outer.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(4):
        outer.train_on_batch(x, y)
    np.testing.assert_array_equal(inner.predict_on_batch(x), outer.predict_on_batch(x))


def test_threads_predict_at_the_same_time(rng):
    x, _ = table(rng, 256)
    model = network()
    expected = [model.predict_on_batch(x * i) for i in range(8)]
    wrong = []

    def work(i):
        for _ in range(200):
            if not np.array_equal(model.predict_on_batch(x * i), expected[i]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_replays(rng):
    x, y = table(rng)
    model = network()
    for _ in range(4):
        model.train_on_batch(x, y)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        model.train_on_batch(x, y)
        os.write(write, model.get_weights()[0].tobytes())
        os._exit(0)
    os.waitpid(child, 0)
    model.train_on_batch(x, y)
    assert os.read(read, 1 << 16) == model.get_weights()[0].tobytes()


def test_a_model_with_recordings_is_pickled_without_them(rng):
    x, y = table(rng)
    model = network()
    for _ in range(4):
        model.train_on_batch(x, y)
    twin = pickle.loads(pickle.dumps(model))
    assert recordings(twin) == [0, 0]
    assert twin.train_on_batch(x, y)[0] != 0
    np.testing.assert_array_equal(twin.get_weights()[0], [model.train_on_batch(x, y), model.get_weights()[0]][1])


def test_inside_a_tape_nothing_is_replayed(rng):
    x, _ = table(rng)
    model = network()
    for _ in range(4):
        model.predict_on_batch(x)
    with fastnn.GradientTape() as tape:
        loss = fastnn.ops.sum(model(x))
    assert tape.gradient(loss, model.layers[0].kernel) is not None


def test_big_steps_are_not_held(rng, monkeypatch):
    monkeypatch.setattr("fastnn.recording.MOST_BYTES", 100)
    x, y = table(rng)
    model = network()
    for _ in range(4):
        model.train_on_batch(x, y)
    assert recordings(model)[0] == 0


def test_recordings_of_few_shapes_are_kept(rng):
    model = network()
    for samples in (*range(1, 12), *range(1, 12)):
        model.predict_on_batch(rng.standard_normal((samples, 5)).astype(np.float32))
    assert recordings(model)[1] == 4


def test_a_recording_gives_its_memory_back(rng):
    x, y = table(rng)
    model = network()
    model.train_on_batch(x, y)
    gc.collect()
    before = fastnn.memory_stats()["in_use_bytes"]
    for _ in range(4):
        model.train_on_batch(x, y)
    held = fastnn.memory_stats()["in_use_bytes"]
    model.run_eagerly = True
    model.train_on_batch(x, y)
    assert before <= fastnn.memory_stats()["in_use_bytes"] < held


def test_strided_inputs_do_not_keep_dense_ones_from_being_recorded(rng):
    x, _ = table(rng)
    model = network()
    for _ in range(3):
        model.predict_on_batch(every_other(x))
    assert recordings(model)[1] == 0
    for _ in range(3):
        model.predict_on_batch(x)
    assert recordings(model)[1] == 1


def test_a_penalty_that_changes_is_followed(rng):
    x, y = table(rng)
    weights = []
    for eager in (False, True):
        penalty = fastnn.regularizers.L2(0.01)
        model = network(eager=eager, extra=[partial(layers.Dense, 4, kernel_regularizer=penalty)])
        for step in range(6):
            if step == 4:
                penalty.l2 = 0.5
            model.train_on_batch(x, y)
        weights.append(model.layers[1].get_weights()[0])
    np.testing.assert_array_equal(*weights)


def test_a_loop_that_freezes_in_turns_is_recorded_for_each_turn(rng):
    """As a generator and its critic are trained: two models share layers, of which one or the other learns."""
    x, y = table(rng)
    found = []
    for eager in (False, True):
        fastnn.utils.set_random_seed(3)
        first, second = layers.Dense(6, "tanh"), layers.Dense(3)
        inner = fastnn.Sequential([layers.Input((6,)), second])
        outer = fastnn.Sequential([layers.Input((5,)), first, inner])
        for model in (inner, outer):
            loss = losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizers.Adam(0.05), loss, run_eagerly=eager)
        figures, frozen = [], []
        hidden = rng.standard_normal((24, 6)).astype(np.float32) if not found else found[0][2]
        for _ in range(8):
            inner.trainable = True
            figures.append(inner.train_on_batch(hidden, y))
            inner.trainable = False
            frozen.append(second.get_weights()[0])
            figures.append(outer.train_on_batch(x, y))
            np.testing.assert_array_equal(frozen[-1], second.get_weights()[0])
        assert [recordings(model)[0] for model in (outer,)] == [0 if eager else 1]
        inner.trainable = True
        assert recordings(inner)[0] == (0 if eager else 1)
        found.append((figures, outer.get_weights(), hidden))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_single_weight_that_is_frozen_keeps_its_bytes(rng):
    x, y = table(rng)
    model = network()
    for _ in range(4):
        model.train_on_batch(x, y)
    model.layers[0].bias.trainable = False
    kernel, bias = model.layers[0].get_weights()
    for _ in range(4):
        model.train_on_batch(x, y)
    assert not np.array_equal(kernel, model.layers[0].get_weights()[0])
    np.testing.assert_array_equal(bias, model.layers[0].get_weights()[1])
    assert recordings(model)[0] == 1
