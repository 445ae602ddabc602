"""Models of several outputs: losses, weights, metrics and targets by order, name and nesting; recorded steps."""

import numpy as np
import pytest

import fastnn
from fastnn import layers, losses, metrics, ops, optimizers
from fastnn.models import Model
from fastnn.training.outputs import Outputs


class Fork(Model):
    """Two layers on one input. form: how their outputs are returned, a name in FORMS."""

    recordable = True

    def __init__(self, form, **options):
        super().__init__(**options)
        self.a, self.b, self.form = layers.Dense(3, name="a"), layers.Dense(1, name="b"), form

    def call(self, x):
        x = x["x"] if isinstance(x, dict) else x
        return FORMS[self.form](self.a(x), self.b(x))


class Named(Fork):
    """Gives its outputs names, as a functional model does."""

    recordable = True
    output_names = ("a", "b")


FORMS = {
    "list": lambda a, b: [a, b],
    "tuple": lambda a, b: (a, b),
    "dict": lambda a, b: {"b": b, "a": a},
    "nested": lambda a, b: {"two": [a, {"b": b}]},
}
CROSS = losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture
def data(rng):
    x = rng.standard_normal((24, 4)).astype("float32")
    return x, rng.integers(0, 3, 24), rng.standard_normal((24, 1)).astype("float32")


def made(form="list", kind=Named, eager=False, **compiled):
    fastnn.utils.set_random_seed(5)
    model = kind(form)
    compiled.setdefault("loss", [CROSS, "mse"])
    model.compile(optimizers.SGD(0.1), run_eagerly=eager, **compiled)
    return model


def by_hand(model, x, ya, yb, wa=None, wb=None):
    """(cross-entropy of a, squared error of b, share of right labels of a, absolute error of b) in plain NumPy."""
    za = x.astype(float) @ model.a.get_weights()[0] + model.a.get_weights()[1]
    zb = x.astype(float) @ model.b.get_weights()[0] + model.b.get_weights()[1]
    wa = np.ones(len(x)) if wa is None else wa
    wb = np.ones(len(x)) if wb is None else wb
    logs = np.log(np.exp(za).sum(1)) - za[np.arange(len(x)), ya]
    return (
        np.mean(wa * logs), np.mean(wb * (zb - yb)[:, 0] ** 2), np.mean(za.argmax(1) == ya),
        np.mean(np.abs(zb - yb)),
    )  # fmt: skip


# ---- names and values of figures ----------------------------------------------------------------------------------


def test_figures_have_the_names_and_values_that_keras_gives_them(data):
    x, ya, yb = data
    model = made(loss_weights=[1.0, 0.5], metrics=[["accuracy"], ["mae", "mse"]], weighted_metrics=[["accuracy"], None])
    model.optimizer.learning_rate = 0.0
    history = model.fit(x, [ya, yb], batch_size=10, epochs=1, validation_split=0.25, verbose=0).history
    names = ["loss", "a_loss", "b_loss", "a_accuracy", "b_mae", "b_mse", "a_weighted_accuracy"]
    assert list(history) == names + [f"val_{name}" for name in names]
    la, lb, accuracy, error = by_hand(model, x[18:], ya[18:], yb[18:])
    found = {name: values[0] for name, values in history.items()}
    np.testing.assert_allclose(
        [found[f"val_{name}"] for name in names], [la + 0.5 * lb, la, lb, accuracy, error, lb, accuracy], rtol=1e-5
    )
    # the losses first, then the others by name, as in Keras
    listed = model.evaluate(x[18:], [ya[18:], yb[18:]], verbose=0)
    np.testing.assert_allclose(listed, [la + 0.5 * lb, la, lb, accuracy, accuracy, error, lb], rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [Named, Fork])
def test_losses_by_nesting(data, form, kind):
    x, ya, yb = data
    loss = {"dict": {"a": CROSS, "b": "mse"}, "nested": {"two": [CROSS, {"b": "mse"}]}}.get(form, [CROSS, "mse"])
    targets = {"dict": {"a": ya, "b": yb}, "nested": {"two": [ya, {"b": yb}]}}.get(form, [ya, yb])
    model = made(form, kind, loss=loss, loss_weights=None)
    model.optimizer.learning_rate = 0.0
    logs = model.train_on_batch(x, targets, return_dict=True)
    la, lb, *_ = by_hand(model, x, ya, yb)
    prefixes = {"nested": ("two/0", "two/1/b"), "dict": ("a", "b")}.get(form, ("a", "b"))
    if kind is Fork and form in ("list", "tuple"):
        prefixes = (CROSS.name, "mean_squared_error")
    assert list(logs) == ["loss", *(f"{prefix}_loss" for prefix in prefixes)]
    np.testing.assert_allclose(list(logs.values()), [la + lb, la, lb], rtol=1e-5)


@pytest.mark.parametrize("form", ["list", "tuple", "dict"])
@pytest.mark.parametrize(
    ("loss", "loss_weights", "targets"),
    [
        ({"a": CROSS, "b": "mse"}, {"a": 2.0, "b": 3.0}, lambda ya, yb: {"b": yb, "a": ya}),
        ([CROSS, "mse"], {"b": 3.0, "a": 2.0}, lambda ya, yb: [ya, yb]),
        ({"b": "mse", "a": CROSS}, [2, 3], lambda ya, yb: (ya, yb)),
    ],
)
def test_losses_and_targets_by_name_or_order(data, form, loss, loss_weights, targets):
    x, ya, yb = data
    model = made(form, loss=loss, loss_weights=loss_weights)
    model.optimizer.learning_rate = 0.0
    logs = model.fit(x, targets(ya, yb), batch_size=24, verbose=0).history
    la, lb, *_ = by_hand(model, x, ya, yb)
    assert set(logs) == {"loss", "a_loss", "b_loss"}
    np.testing.assert_allclose([logs["loss"][0], logs["b_loss"][0]], [2 * la + 3 * lb, lb], rtol=1e-5)


@pytest.mark.parametrize("loss", [[[CROSS], "mse"], {"a": [CROSS], "b": ["mse"]}])
def test_a_loss_may_stand_in_a_list_of_its_own(data, loss):
    x, ya, yb = data
    figures = [made(loss=given).train_on_batch(x, [ya, yb]) for given in (loss, [CROSS, "mse"])]
    assert figures[0] == figures[1]


def test_an_output_without_a_loss_needs_no_target(data):
    x, _, yb = data
    for loss, targets in (([None, "mse"], yb), ([None, "mse"], [yb]), ({"b": "mse"}, {"b": yb})):
        model = made(loss=loss, metrics={"b": ["mae"]})
        with pytest.warns(UserWarning, match="got None for a/kernel, a/bias"):
            history = model.fit(x, targets, verbose=0).history
        assert list(history) == ["loss", "b_mae"]
        kernel = model.a.get_weights()[0]
        model.fit(x, targets, verbose=0)
        np.testing.assert_array_equal(kernel, model.a.get_weights()[0])


def test_one_loss_serves_all_outputs(data):
    x, _, yb = data
    model = made(loss="mse")
    model.optimizer.learning_rate = 0.0
    logs = model.train_on_batch(x, [np.zeros((24, 3)), yb], return_dict=True)
    np.testing.assert_allclose(logs["loss"], logs["a_loss"] + logs["b_loss"], rtol=1e-6)


def test_sample_weights_by_output_or_for_all(data):
    x, ya, yb = data
    wa, wb = np.linspace(0, 2, 24), np.linspace(1, 0, 24)
    for weights, a, b in ((wa, wa, wa), ([wa, wb], wa, wb), ({"b": wb}, None, wb)):
        model = made(weighted_metrics=[["accuracy"], ["mse"]])
        model.optimizer.learning_rate = 0.0
        logs = model.fit(x, [ya, yb], sample_weight=weights, batch_size=24, shuffle=False, verbose=0).history
        la, lb, *_ = by_hand(model, x, ya, yb, a, b)
        np.testing.assert_allclose([logs["a_loss"][0], logs["b_loss"][0]], [la, lb], rtol=1e-5)
        np.testing.assert_allclose(logs["b_mse"][0], lb * 24 / np.sum(b), rtol=1e-5)


def test_class_weights_of_several_outputs_are_refused(data):
    x, ya, yb = data
    with pytest.raises(ValueError, match=r"\[fit\] expected one array of targets for class_weight, got list"):
        made().fit(x, [ya, yb], class_weight={0: 2.0}, verbose=0)


# ---- recorded steps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_steps_of_several_outputs_are_recorded_with_the_same_bits(data, form):
    x, ya, yb = data
    loss = {"nested": {"two": [CROSS, {"b": "mse"}]}}.get(form, [CROSS, "mse"])
    targets = {"nested": {"two": [ya, {"b": yb}]}}.get(form, [ya, yb])
    found = []
    for eager in (False, True):
        model = made(form, eager=eager, loss=loss, loss_weights=None if form == "nested" else [0.5, 2.0])
        figures = [model.train_on_batch({"x": x}, targets) for _ in range(6)]
        figures += [model.test_on_batch({"x": x}, targets) for _ in range(3)]
        predictions = [model.predict_on_batch({"x": x}) for _ in range(4)][-1]
        steps = model._steps_now()
        assert [bool(r and r._steps) for r in (steps._training, steps._testing, steps._predicting)] == [not eager] * 3
        found.append((figures, model.get_weights(), predictions))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert type(found[0][2]) is type(found[1][2]) is type(FORMS[form](0, 0))
    np.testing.assert_array_equal(_first(found[0][2]), _first(found[1][2]))


def _first(y):
    while not isinstance(y, np.ndarray):
        y = next(iter(y.values() if isinstance(y, dict) else y))
    return y


def test_losses_of_nested_outputs_may_come_in_their_order(data):
    x, ya, yb = data
    targets = {"two": [ya, {"b": yb}]}
    model = made("nested", loss=[CROSS, "mse"])
    _, first, second = model.evaluate(x, targets, verbose=0)
    np.testing.assert_allclose([first, second], by_hand(model, x, ya, yb)[:2], rtol=1e-5)
    model.compile("sgd", {"two": [CROSS, {"b": "mse"}]}, loss_weights=[2.0, 3.0])
    np.testing.assert_allclose(model.evaluate(x, targets, verbose=0)[0], 2 * first + 3 * second, rtol=1e-5)


def test_groups_of_outputs_may_be_left_unjudged(data):
    x, ya, yb = data
    targets = {"two": [ya, {"b": yb}]}
    for loss in ({"two": [CROSS, {}]}, {"two": [CROSS, None]}, {"two": [CROSS, {"b": None}]}):
        model = made("nested", loss=loss)
        np.testing.assert_allclose(
            model.evaluate(x, targets, verbose=0, return_dict=True)["loss"],
            by_hand(model, x, ya, yb)[0],
            rtol=1e-5,
        )
    for wrong in ({"two": [CROSS, {"c": "mse"}]}, {"two": [CROSS, "mse"]}, [[CROSS, {"b": "mse"}]]):
        with pytest.raises(ValueError, match="expected a loss for 2 outputs named 'two/0', 'two/1/b'"):
            made("nested", loss=wrong).evaluate(x, targets, verbose=0)


def test_targets_of_nested_outputs_are_never_taken_apart(data):
    x, ya, _ = data
    with pytest.raises(ValueError, match="expected targets for 2 outputs"):
        made("nested", loss={"two": [CROSS, {"b": "mse"}]}).evaluate(x, {"two": ya}, verbose=0)


def test_predictions_keep_their_nesting(data):
    x = data[0]
    for form, make in FORMS.items():
        model = made(form)
        y = model.predict(x, batch_size=10)
        assert type(y) is type(make(0, 0)) and _first(y).shape == (24, 3 if form != "dict" else 1)
        np.testing.assert_array_equal(_first(y), np.concatenate([_first(model(x[i : i + 10])) for i in (0, 10, 20)]))


# ---- steps and losses of one's own --------------------------------------------------------------------------------


def test_a_train_step_of_keras_guides_runs_as_it_is_written(data):
    x, _, yb = data

    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="ones")
            self.mae_metric = metrics.MeanAbsoluteError(name="mae")
            self.loss_tracker = metrics.Mean(name="loss")

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            return [self.loss_tracker, self.mae_metric]

        def train_step(self, data):
            x, y = data
            with fastnn.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = ops.mean(losses.mean_squared_error(y, y_pred))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.loss_tracker.update_state(loss)
            self.mae_metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, data):
            x, y = data
            self.mae_metric.update_state(y, self(x))
            return {"mae": self.mae_metric.result()}

    own, plain = Own(), fastnn.Sequential([layers.Dense(1, kernel_initializer="ones")])
    own.compile(optimizer="sgd")
    plain.compile("sgd", "mse", metrics=["mae"])
    a = own.fit(x, yb, epochs=2, batch_size=8, shuffle=False, verbose=0, validation_data=(x, yb)).history
    b = plain.fit(x, yb, epochs=2, batch_size=8, shuffle=False, verbose=0, validation_data=(x, yb)).history
    assert list(a) == ["loss", "mae", "val_mae"]
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6)
    np.testing.assert_allclose(own.evaluate(x, yb, verbose=0), b["val_mae"][-1], rtol=1e-6)


def test_a_train_step_may_use_compute_loss_and_compute_metrics(data):
    x, ya, yb = data

    class Own(Named):
        def train_step(self, data):
            x, y, w = fastnn.utils.unpack_x_y_sample_weight(data)
            with fastnn.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x, y, y_pred, w)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            self._loss_tracker.update_state(loss.numpy())
            return self.compute_metrics(x, y, y_pred, w)

    kinds = (Own, Named)
    logs = [
        made(kind=kind, metrics=[["accuracy"], []])
        .fit(x, [ya, yb], batch_size=8, epochs=2, shuffle=False, verbose=0)
        .history
        for kind in kinds
    ]
    assert list(logs[0]) == list(logs[1])
    for name in logs[0]:
        np.testing.assert_allclose(logs[0][name], logs[1][name], rtol=1e-6)


def test_two_optimizers_of_a_train_step_share_a_model(rng):
    """A generator and its critic, as Keras's guides write them: compile() and train_step() of one's own."""

    class Adversaries(Model):
        def __init__(self):
            super().__init__()
            self.critic = fastnn.Sequential([layers.Input((2,)), layers.Dense(8, "leaky_relu"), layers.Dense(1)])
            self.generator = fastnn.Sequential([layers.Input((3,)), layers.Dense(8, "tanh"), layers.Dense(2)])

        def compile(self, critic_optimizer, generator_optimizer, loss_fn):
            super().compile()
            self.critic_optimizer, self.generator_optimizer = critic_optimizer, generator_optimizer
            self.loss_fn = loss_fn
            self.critic_loss, self.generator_loss = metrics.Mean(name="c_loss"), metrics.Mean(name="g_loss")

        @property
        def metrics(self):
            return [self.critic_loss, self.generator_loss]

        def train_step(self, real):
            noise = rng.standard_normal((len(real), 3)).astype("float32")
            both = np.concatenate([self.generator(noise), real])
            labels = np.concatenate([np.ones((len(real), 1)), np.zeros((len(real), 1))])
            with fastnn.GradientTape() as tape:
                c_loss = self.loss_fn(labels, self.critic(both))
            grads = tape.gradient(c_loss, self.critic.trainable_weights)
            self.critic_optimizer.apply_gradients(zip(grads, self.critic.trainable_weights, strict=True))
            kept = self.critic.get_weights()
            with fastnn.GradientTape() as tape:
                g_loss = self.loss_fn(np.zeros((len(real), 1)), self.critic(self.generator(noise)))
            grads = tape.gradient(g_loss, self.generator.trainable_weights)
            self.generator_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights, strict=True))
            for a, b in zip(kept, self.critic.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            self.critic_loss.update_state(c_loss)
            self.generator_loss.update_state(g_loss)
            return {"c_loss": self.critic_loss.result(), "g_loss": self.generator_loss.result()}

    fastnn.utils.set_random_seed(0)
    model = Adversaries()
    model.compile(optimizers.Adam(0.003), optimizers.Adam(0.003), losses.BinaryCrossentropy(from_logits=True))
    real = (rng.standard_normal((256, 2)) * 0.3 + [2.0, -1.0]).astype("float32")
    history = model.fit(real, batch_size=32, epochs=60, verbose=0).history
    assert list(history) == ["c_loss", "g_loss"] and len(history["g_loss"]) == 60
    made = model.generator(rng.standard_normal((500, 3)).astype("float32"))
    assert np.linalg.norm(made.mean(0) - [2.0, -1.0]) < 1.2  # it begins around (0, 0), 2.2 away


def test_a_loss_that_call_adds_is_trained_and_evaluated(rng):
    class Coder(Model):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = layers.Dense(2), layers.Dense(4)

        def call(self, x):
            y = self.outer(self.inner(x))
            self.add_loss(ops.mean(ops.square(y - x)))
            return y

    x = rng.standard_normal((32, 4)).astype("float32")
    model = Coder()
    model.compile("adam")
    history = model.fit(x, epochs=20, batch_size=8, verbose=0, validation_data=(x,)).history
    assert history["loss"][-1] < history["loss"][0]
    np.testing.assert_allclose(history["val_loss"][-1], np.mean((model(x) - x) ** 2), rtol=1e-6)
    np.testing.assert_allclose(model.evaluate(x, verbose=0), history["val_loss"][-1], rtol=1e-6)


def test_add_metric_says_where_metrics_belong():
    with pytest.warns(UserWarning, match=r"\[dense.*\] expected metrics in compile\(\) or as attributes of a model"):
        layers.Dense(1).add_metric(1.0, name="m")


def test_a_metric_whose_result_is_a_dict_adds_its_figures(data):
    class Both(metrics.Metric):
        def __init__(self):
            super().__init__(name="both")
            self.low, self.high = 0.0, 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.low, self.high = float(np.min(y_pred)), float(np.max(y_pred))

        def result(self):
            return {"low": self.low, "high": self.high}

        def reset_state(self):
            self.low = self.high = 0.0

    x, _, yb = data
    model = fastnn.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Both()])
    history = model.fit(x, yb, verbose=0).history
    assert list(history) == ["loss", "low", "high"] and history["low"] < history["high"]


def test_a_loss_without_the_argument_training_will_do(data):
    x, _, yb = data

    class Own(fastnn.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.sum(ops.square(y_pred - y))

        def compute_metrics(self, x, y, y_pred, sample_weight):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "rows": float(len(x))}

    model = Own([layers.Dense(1)])
    model.compile("sgd")
    history = model.fit(x, yb, batch_size=12, verbose=0).history
    assert list(history) == ["loss", "rows"] and history["rows"] == [12.0]


def test_a_loss_by_shape(data):
    x, ya, _ = data
    for last, activation, targets, cls in (
        (1, "sigmoid", (ya > 0), losses.BinaryCrossentropy),
        (3, "softmax", ya, losses.SparseCategoricalCrossentropy),
        (3, "softmax", np.eye(3)[ya], losses.CategoricalCrossentropy),
    ):
        model = fastnn.Sequential([layers.Dense(last, activation, kernel_initializer="ones")])
        model.compile("sgd", "crossentropy")
        found = model.evaluate(x, targets, verbose=0)
        assert found == pytest.approx(float(cls()(targets, model(x))), rel=1e-6)


# ---- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": [CROSS]}, r"\[compile\] expected a loss for 2 outputs named 'a', 'b', got 1 of them"),
        ({"loss": {"a": CROSS, "c": "mse"}}, r"expected a loss for 2 outputs named 'a', 'b', got keys 'a', 'c'"),
        ({"loss_weights": [1.0, 2.0, 3.0]}, r"expected loss_weights for 2 outputs named 'a', 'b', got 3 of them"),
        ({"metrics": ["accuracy"]}, r"expected metrics for 2 outputs named 'a', 'b', got 1 of them"),
        ({"metrics": {"c": "mae"}}, r"expected metrics for 2 outputs named 'a', 'b', got keys 'c'"),
    ],
)
def test_what_does_not_fit_the_outputs_is_refused(data, compiled, message):
    x, ya, yb = data
    with pytest.raises(ValueError, match=message):
        made(**compiled).fit(x, [ya, yb], verbose=0)


def test_targets_that_do_not_fit_are_refused(data):
    x, ya, yb = data
    with pytest.raises(ValueError, match=r"\[compute_loss\] expected targets for 2 outputs, got 3"):
        made().fit(x, [ya, yb, yb], verbose=0)
    with pytest.raises(ValueError, match=r"\[compute_loss\] expected targets y, got None"):
        made().fit(x, {"b": yb}, verbose=0)
    with pytest.raises(TypeError, match=r"\[compile\] expected loss_weights as a number, a list or a dict, got '1'"):
        made(loss_weights="1")
    with pytest.raises(ValueError, match=r"expected sample_weight for 2 outputs named 'a', 'b', got 3 of them"):
        made().fit(x, [ya, yb], sample_weight=[np.ones(24)] * 3, verbose=0)


def test_outputs_know_their_paths():
    assert Outputs(np.zeros(1), None).paths == [()]
    assert Outputs({"b": 1, "a": 2}, None).names == ["a", "b"]
    assert Outputs({"b": 1, "a": 2}, ["b", "a"]).names == ["b", "a"]
    assert Outputs([1, (2, 3)], None).paths == [(0,), (1, 0), (1, 1)]
