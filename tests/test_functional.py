"""Models made of symbolic inputs and outputs: graphs, nesting, sharing, copies, training with recordings."""

import copy
import json
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, Sequential, layers, losses, ops, optimizers
from fastnn.layers import Layer
from fastnn.models import Functional, clone_model, load_model, model_from_json


def course_model():
    """The model of the course: two inputs, two outputs, two disjoint branches. 309 parameters."""
    first, second = Input((11,), name="first"), Input((5,), name="second")
    h = layers.Dense(4, "relu", name="h2")(layers.Dense(16, "relu", name="h1")(first))
    out1 = layers.Dense(4, "softmax", name="out1")(h)
    out2 = layers.Dense(1, name="out2")(layers.Dense(4, "relu", name="h3")(second))
    return Model([first, second], [out1, out2], name="course")


def residual(blocks=3, units=6):
    x = y = Input((units,), name="x")
    for _ in range(blocks):
        y = y + layers.Dense(units, "tanh")(y)
    return Model(x, layers.Dense(3)(y * 0.5))


def table(rng, n=24):
    x = [rng.standard_normal((n, 11)).astype("float32"), rng.standard_normal((n, 5)).astype("float32")]
    return x, [np.eye(4, dtype="float32")[rng.integers(0, 4, n)], rng.standard_normal((n, 1)).astype("float32")]


def bits(values):
    return [v.tobytes() for v in (values if isinstance(values, list) else [values])]


# ---- the course's model -------------------------------------------------------------------------------------------


def test_the_courses_model_has_309_parameters_and_computes_what_it_says(rng):
    model = course_model()
    assert type(model) is Functional and isinstance(model, Model)
    counts = {layer.name: layer.count_params() for layer in model.layers}
    assert [counts[name] for name in ("h1", "h2", "h3", "out1", "out2")] == [192, 68, 24, 20, 5]
    assert model.count_params() == 309
    x, _ = table(rng)
    out1, out2 = model(x)
    w = {v.path: v.numpy() for v in model.weights}
    relu = lambda z: np.maximum(z, 0)  # noqa: E731
    h = relu(relu(x[0] @ w["h1/kernel"] + w["h1/bias"]) @ w["h2/kernel"] + w["h2/bias"])
    z = np.exp(h @ w["out1/kernel"] + w["out1/bias"])
    np.testing.assert_allclose(out1, z / z.sum(-1, keepdims=True), rtol=1e-5)
    y = relu(x[1] @ w["h3/kernel"] + w["h3/bias"]) @ w["out2/kernel"] + w["out2/bias"]
    np.testing.assert_allclose(out2, y, rtol=1e-5, atol=1e-6)


def test_a_joint_loss_is_the_sum_of_its_parts_and_so_is_its_gradient(rng):
    """L = J1 + J2; the branches are disjoint, so that each part's gradient is that of the whole for its branch."""
    model = course_model()
    x, (y1, y2) = table(rng)
    parts = (losses.CategoricalCrossentropy(), losses.MeanSquaredError())

    def gradients(weights):
        with fastnn.GradientTape() as tape:
            out = model(x)
            values = [part(y, o) for part, y, o in zip(parts, (y1, y2), out, strict=True)]
            total = values[0] * weights[0] + values[1] * weights[1]
        grads = tape.gradient(total, model.trainable_variables, unconnected_gradients="zero")
        return float(total), grads, [float(v) for v in values]

    total, joint, (j1, j2) = gradients((1.0, 1.0))
    assert total == pytest.approx(j1 + j2, rel=1e-6)
    _, first, _ = gradients((1.0, 0.0))
    _, second, _ = gradients((0.0, 1.0))
    for both, a, b, variable in zip(joint, first, second, model.trainable_variables, strict=True):
        np.testing.assert_allclose(both, a + b, rtol=1e-5, atol=1e-7)
        in_first = variable.path.partition("/")[0] in ("h1", "h2", "out1")
        assert np.all((b if in_first else a) == 0) and np.any((a if in_first else b) != 0)


def test_the_courses_model_trains_on_both_losses(rng):
    model = course_model()
    x, (y1, y2) = table(rng, 64)
    model.compile(optimizers.Adam(0.01), ["categorical_crossentropy", "mse"], loss_weights=[1.0, 1.0])
    first = model.evaluate(x, [y1, y2], verbose=0)
    model.fit(x, [y1, y2], epochs=60, verbose=0)
    last = model.evaluate(x, [y1, y2], verbose=0)
    assert last[0] < 0.8 * first[0] and last[0] == pytest.approx(last[1] + last[2], rel=1e-5)
    assert [p.shape for p in model.predict(x, verbose=0)] == [(64, 4), (64, 1)]


# ---- graphs -------------------------------------------------------------------------------------------------------


def test_inputs_come_in_their_nesting_or_by_name(rng):
    model = course_model()
    x, _ = table(rng)
    expected = bits(model(x))
    assert bits(model(tuple(x))) == expected
    assert bits(model({"second": x[1], "first": x[0], "other": x[0]})) == expected
    one = Model(model.inputs[0], model.outputs[0])
    assert bits(one(x[0])) == bits(one([x[0]])) == bits(one({"first": x[0]})) == expected[:1]
    for wrong in (x[0], [x[0]], {"first": x[0]}, [*x, x[0]]):
        with pytest.raises(ValueError, match=r"\[course\] expected inputs like \[first \(None, 11\), second"):
            model(wrong)


def test_nested_structures_of_inputs_and_outputs(rng):
    a, b, c = Input((2,), name="a"), Input((2,), name="b"), Input((2,), name="c")
    model = Model({"left": a, "right": [b, c]}, {"sum": a + b, "pair": (b * c, [c])})
    x = {key: rng.standard_normal((3, 2)).astype("float32") for key in "abc"}
    y = model({"left": x["a"], "right": [x["b"], x["c"]]})
    assert type(y["pair"]) is tuple and type(y["pair"][1]) is list
    np.testing.assert_array_equal(y["sum"], x["a"] + x["b"])
    np.testing.assert_array_equal(y["pair"][0], x["b"] * x["c"])
    np.testing.assert_array_equal(y["pair"][1][0], x["c"])
    again = Functional.from_config(json.loads(json.dumps(model.get_config())))
    assert again({"left": x["a"], "right": [x["b"], x["c"]]})["sum"].tobytes() == y["sum"].tobytes()


def test_layers_stand_in_kerass_order():
    assert [layer.name for layer in course_model().layers] == ["first", "h1", "second", "h2", "h3", "out1", "out2"]


def test_ops_operators_and_constants_are_steps(rng):
    a, b = Input((4,)), Input((4,))
    scale = rng.standard_normal(4).astype("float32")
    y = ops.concatenate([(a + b) * scale, -a[:, :2] / 2, 1 - ops.relu(b)], axis=-1)
    model = Model([a, b], ops.sum(y[:, None, ::2], axis=(1, 2)))
    xa, xb = rng.standard_normal((2, 5, 4)).astype("float32")
    parts = np.concatenate([(xa + xb) * scale, -xa[:, :2] / 2, 1 - np.maximum(xb, 0)], -1)
    np.testing.assert_allclose(model([xa, xb]), parts[:, ::2].sum(-1), rtol=1e-5, atol=1e-6)
    names = [operation.name for operation in model.operations]
    assert len(model.layers) == 2 and len(names) == len(set(names)) > 8


def test_a_variable_in_an_op_is_a_weight_of_the_model(rng):
    scale = fastnn.Variable(np.full(3, 2.0, "float32"), name="scale")
    x = Input((3,))
    model = Model(x, x * scale)
    assert [v is scale for v in model.trainable_variables] == [True]
    model.compile(optimizers.SGD(0.1), "mse")
    data = rng.standard_normal((8, 3)).astype("float32")
    model.train_on_batch(data, np.zeros((8, 3), "float32"))
    assert np.all(scale.numpy() < 2.0)
    again = copy.deepcopy(model)
    assert again.predict(data, verbose=0).tobytes() == model.predict(data, verbose=0).tobytes()


def test_outputs_that_need_another_input_are_refused():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    with pytest.raises(ValueError, match=r"expected outputs that depend on the inputs \['a'\] alone.*'b' of shape"):
        Model(a, a + b)
    with pytest.raises(ValueError, match=r"\[Model\] expected inputs made of symbolic tensors"):
        Model(np.zeros((2, 2)), a)
    with pytest.raises(ValueError, match=r"\[Model\] expected outputs made of symbolic tensors"):
        Model(a, "dense")
    x = layers.Dense(2, name="same")(a)
    with pytest.raises(ValueError, match="expected layers of different names, got 'same' twice"):
        Model(a, layers.Dense(2, name="same")(x))


def test_an_unused_input_is_part_of_the_model(rng):
    a, b = Input((2,), name="a"), Input((3,), name="b")
    model = Model([a, b], a * 2)
    x = rng.standard_normal((4, 2)).astype("float32")
    np.testing.assert_array_equal(model([x, np.zeros((4, 3), "float32")]), x * 2)
    assert [layer.name for layer in model.layers] == ["a", "b"]


def test_an_input_may_be_an_output():
    a = Input((2,))
    x = np.ones((3, 2), "float32")
    y, z = Model(a, [a, a + 1])(x)
    assert y.tobytes() == x.tobytes() and z[0, 0] == 2


def test_deep_graphs_need_no_recursion():
    x = y = Input((2,))
    for _ in range(3000):
        y = y + 1.0
    model = Model(x, y)
    np.testing.assert_array_equal(model(np.zeros((1, 2), "float32")), [[3000, 3000]])
    assert clone_model(model).output_shape == (None, 2)
    with fastnn.GradientTape() as tape:
        data = tape.watch(np.zeros((1, 2), "float32"))
        loss = ops.sum(model(data))
    np.testing.assert_array_equal(tape.gradient(loss, data), [[1, 1]])


def test_values_are_let_go_when_they_were_read_for_the_last_time():
    x = y = Input((2,))
    for _ in range(50):
        y = y + 1.0
    model = Model(x, ops.concatenate([y, x], axis=-1))
    model(np.zeros((1, 2), "float32"))
    assert model._plan(True).size <= 3


def test_partial_models_share_the_weights(rng):
    model = course_model()
    x, _ = table(rng)
    features = Model(model.input, model.get_layer("h2").output)
    head = Model(model.get_layer("h2").output, model.get_layer("out1").output)
    assert features(x).shape == (24, 4)
    assert head(features(x)).tobytes() == model(x)[0].tobytes()
    assert [layer.name for layer in head.layers][1:] == ["out1"] and head.layers[1] is model.get_layer("out1")
    all_layers = Model(model.inputs, [layer.output for layer in model.layers])
    assert [y.shape[-1] for y in all_layers(x)] == [11, 16, 5, 4, 4, 4, 1]


def test_sequential_models_have_inputs_and_outputs(rng):
    model = Sequential([Input((4,), name="x"), layers.Dense(3, name="d"), layers.Dense(2)])
    x = rng.standard_normal((5, 4)).astype("float32")
    assert model.input.name == "x" and model.inputs == [model.input] and model.outputs == [model.output]
    features = Model(model.inputs, model.get_layer("d").output)
    np.testing.assert_array_equal(features(x), model.layers[0](x))
    late = Sequential([layers.Dense(3, name="e"), layers.Dense(2)])
    with pytest.raises(AttributeError, match="it has seen no input shape yet"):
        _ = late.inputs
    late(x)
    np.testing.assert_array_equal(Model(late.inputs, late.layers[0].output)(x), late.layers[0](x))


def test_inputs_are_brought_to_dtype_and_number_of_axes(rng):
    a = Input((3,), dtype="float64", name="a")
    model = Model(a, a * 2)
    assert model(np.ones((2, 3), "float32")).dtype == np.float64
    b = Input((3, 1), name="b")
    assert Model(b, b * 2)(np.ones((2, 3), "float32")).shape == (2, 3, 1)
    words = Input((2,), dtype="int32", name="words")
    assert Model(words, ops.take(np.eye(4, dtype="float32"), words, axis=0))(np.array([[0.0, 3.0]])).shape == (1, 2, 4)
    wrong = {(2, 4): r"\[a\] expected i = 3, got i = 4", (2, 3, 3): r"\[a\] expected an input with 2 axes"}
    for shape, text in wrong.items():
        with pytest.raises(ValueError, match=text):
            model(np.ones(shape))


def test_optional_inputs_may_be_none():
    class Maybe(Layer):
        def call(self, pair):
            x, other = pair
            return x if other is None else x + other

        def compute_output_shape(self, shapes):
            return shapes[0]

    a, b = Input((2,), name="a"), Input((2,), name="b", optional=True)
    model = Model([a, b], Maybe()([a, b]))
    x = np.ones((1, 2), "float32")
    assert model([x, None])[0, 0] == 1 and model([x, x])[0, 0] == 2
    with pytest.raises(ValueError, match=r"\[a\] expected an array for this input, got None"):
        model([None, x])


# ---- models in models ---------------------------------------------------------------------------------------------


def test_models_nest(rng):
    inner = residual()
    x = Input((6,))
    outer = Model(x, layers.Dense(1)(inner(Sequential([layers.Dense(6)])(x))))
    data = rng.standard_normal((4, 6)).astype("float32")
    by_hand = outer.layers[-1](inner(outer.layers[1](data)))
    np.testing.assert_array_equal(outer(data), by_hand)
    assert outer.count_params() == inner.count_params() + 42 + 4
    assert Sequential([inner, layers.Dense(2)])(data).shape == (4, 2)


def test_a_model_is_called_on_other_shapes_than_its_own():
    x = Input((None, 3))
    model = Model(x, layers.Dense(2)(x) + 1)
    assert model(Input((7, 3))).shape == (None, 7, 2)
    assert model.compute_output_shape((5, 4, 3)) == (5, 4, 2)
    with pytest.raises(ValueError, match=r"expected i = 3, got i = 4"):
        model(Input((7, 4)))


def test_a_shared_layers_gradient_sums_over_its_uses(rng):
    shared = layers.Dense(3, use_bias=False, name="shared")
    a, b = Input((4,)), Input((4,))
    model = Model([a, b], shared(a) * 2 + shared(b))
    xa, xb = rng.standard_normal((2, 5, 4)).astype("float32")
    with fastnn.GradientTape() as tape:
        loss = ops.sum(model([xa, xb]))
    expected = np.repeat((2 * xa.sum(0) + xb.sum(0))[:, None], 3, 1)
    np.testing.assert_allclose(tape.gradient(loss, shared.kernel), expected, rtol=1e-5, atol=1e-5)
    assert len(model.trainable_variables) == 1


def test_two_optimizers_on_one_set_of_variables(rng):
    """As a GAN has: the generator learns through the discriminator, whose weights another optimizer moves."""
    generator = Sequential([Input((2,)), layers.Dense(4, "tanh"), layers.Dense(3)], name="generator")
    discriminator = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)], name="discriminator")
    real = rng.standard_normal((8, 3)).astype("float32")
    noise = rng.standard_normal((8, 2)).astype("float32")
    loss = losses.BinaryCrossentropy(from_logits=True)
    d_optimizer, g_optimizer, both = optimizers.Adam(0.01), optimizers.SGD(0.1, momentum=0.9), optimizers.Adam(0.01)
    for _ in range(3):
        before = bits(generator.get_weights()), bits(discriminator.get_weights())
        with fastnn.GradientTape() as tape:
            scores = ops.concatenate([discriminator(real), discriminator(generator(noise))], axis=0)
            value = loss(np.repeat([[1.0], [0.0]], 8, 0), scores)
        d_optimizer.apply(tape.gradient(value, discriminator.trainable_variables), discriminator.trainable_variables)
        assert bits(generator.get_weights()) == before[0] and bits(discriminator.get_weights()) != before[1]
        with fastnn.GradientTape() as tape:
            value = loss(np.ones((8, 1)), discriminator(generator(noise)))
        middle = bits(discriminator.get_weights())
        g_optimizer.apply(tape.gradient(value, generator.trainable_variables), generator.trainable_variables)
        assert bits(discriminator.get_weights()) == middle and bits(generator.get_weights()) != before[0]
    everything = generator.trainable_variables + discriminator.trainable_variables
    with fastnn.GradientTape() as tape:
        value = ops.mean(discriminator(generator(noise)))
    both.apply(tape.gradient(value, everything), everything)
    assert bits(discriminator.get_weights()) != middle


def test_a_gan_of_models_trains_with_a_frozen_part(rng):
    generator = Sequential([Input((2,)), layers.Dense(3)])
    discriminator = Sequential([Input((3,)), layers.Dense(1, "sigmoid")])
    discriminator.compile("sgd", "binary_crossentropy")
    noise = Input((2,))
    discriminator.trainable = False
    gan = Model(noise, discriminator(generator(noise)))
    gan.compile(optimizers.SGD(0.5), "binary_crossentropy")
    frozen, free = bits(discriminator.get_weights()), bits(generator.get_weights())
    z = rng.standard_normal((16, 2)).astype("float32")
    for _ in range(4):
        gan.train_on_batch(z, np.ones((16, 1)))
    assert bits(discriminator.get_weights()) == frozen and bits(generator.get_weights()) != free
    assert len(gan.trainable_variables) == 2 and len(gan.non_trainable_variables) == 2


@pytest.mark.parametrize("frozen", ["h1", "out1", "h3"])
def test_a_frozen_layer_keeps_its_bytes(rng, frozen):
    model = course_model()
    x, y = table(rng)
    model.get_layer(frozen).trainable = False
    model.compile("adam", ["categorical_crossentropy", "mse"])
    before = {layer.name: bits(layer.get_weights()) for layer in model.layers}
    model.fit(x, y, epochs=3, batch_size=8, verbose=0)
    changed = {layer.name for layer in model.layers if bits(layer.get_weights()) != before[layer.name]}
    assert changed == {"h1", "h2", "h3", "out1", "out2"} - {frozen}


# ---- recorded steps -----------------------------------------------------------------------------------------------

MODELS = {
    "course": (course_model, table),
    "residual": (
        residual,
        lambda rng: (rng.standard_normal((24, 6)).astype("float32"), rng.standard_normal((24, 3)).astype("float32")),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_recorded_steps_have_the_bits_of_python(rng, name):
    make, data = MODELS[name]
    x, y = data(rng)
    found = []
    for eager in (False, True):
        fastnn.random.set_random_seed(3)
        model = make()
        loss = "mse" if name == "residual" else ["categorical_crossentropy", "mse"]
        model.compile(optimizers.Adam(0.01), loss, run_eagerly=eager)
        figures = [model.train_on_batch(x, y) for _ in range(6)]
        predictions = [model.predict_on_batch(x) for _ in range(4)]
        steps = model._steps_now()
        recorded = [r is not None and bool(r._steps) for r in (steps._training, steps._predicting)]
        assert recorded == [not eager, not eager]
        found.append((figures, bits(model.get_weights()), [bits(p) for p in predictions]))
    assert found[0] == found[1]


def test_arrays_among_the_arguments_of_ops_are_read_by_replays(rng):
    x = Input((4,))
    scaled = layers.Dense(4)(x) * np.arange(4, dtype="float32") + np.ones((1, 4))
    model = Model(x, ops.take(scaled, np.array([0, 2]), axis=1))
    data = rng.standard_normal((8, 4)).astype("float32")
    found = [model.predict_on_batch(data).tobytes() for _ in range(4)]
    assert model._steps_now()._predicting._steps and set(found) == {model(data).tobytes()}


# ---- copies -------------------------------------------------------------------------------------------------------


class Halved(Layer):
    """A layer of the user's own."""

    def call(self, x):
        return x * 0.5


def trained(rng):
    x, y = table(rng)
    model = course_model()
    model.compile(optimizers.Adam(0.01), ["categorical_crossentropy", "mse"], metrics=[["accuracy"], ["mae"]])
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    return model, x, y


def by_json(model):
    twin = model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    return twin


def by_clone(model):
    twin = clone_model(model)
    assert bits(twin.get_weights()) != bits(model.get_weights())
    twin.set_weights(model.get_weights())
    return twin


def by_weights_file(model, tmp_path):
    model.save_weights(tmp_path / "m.weights.h5")
    twin = course_model()
    twin.load_weights(tmp_path / "m.weights.h5")
    return twin


def by_file(model, tmp_path):
    model.save(tmp_path / "m.keras")
    return load_model(tmp_path / "m.keras")


def test_built_trained_cloned_saved_loaded_pickled_predicts_the_same_bits(rng, tmp_path):
    model, x, _ = trained(rng)
    expected = bits(model.predict(x, verbose=0))
    copies = {
        "clone": by_clone(model),
        "json": by_json(model),
        "file": by_file(model, tmp_path),
        "weights": by_weights_file(model, tmp_path),
        "pickle": pickle.loads(pickle.dumps(model)),
        "deepcopy": copy.deepcopy(model),
        "copies of copies": copy.deepcopy(by_file(pickle.loads(pickle.dumps(by_clone(model))), tmp_path)),
    }
    for how, twin in copies.items():
        assert type(twin) is Functional and bits(twin.predict(x, verbose=0)) == expected, how
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers], how
        assert twin.input_names == model.input_names and twin.output_names == model.output_names, how


@pytest.mark.parametrize("how", ["file", "pickle", "deepcopy"])
def test_a_loaded_model_goes_on_training_with_the_same_bits(rng, tmp_path, how):
    model, x, y = trained(rng)
    twin = by_file(model, tmp_path) if how == "file" else pickle.loads(pickle.dumps(model))
    twin = copy.deepcopy(model) if how == "deepcopy" else twin
    for one in (model, twin):
        one.fit(x, y, batch_size=8, shuffle=False, epochs=2, verbose=0)
    assert bits(twin.get_weights()) == bits(model.get_weights())
    assert twin.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_a_nested_model_with_shared_and_own_layers_is_saved(rng, tmp_path):
    shared = layers.Dense(6, name="shared")
    x = Input((6,))
    inner = Model(x, Halved(name="half")(shared(shared(x)) + x), name="inner")
    a = Input((6,), name="a")
    outer = Model(a, layers.Dense(2)(inner(a)), name="outer")
    data = rng.standard_normal((3, 6)).astype("float32")
    outer.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="expected a known name"):
        load_model(tmp_path / "m.keras")
    for twin in (load_model(tmp_path / "m.keras", custom_objects={"Halved": Halved}), copy.deepcopy(outer)):
        assert bits(twin(data)) == bits(outer(data))
        assert len(twin.weights) == 4 and twin.get_layer("inner").get_layer("shared").kernel.shape == (6, 6)


class OwnStep(Model):
    """A functional model with a train_step of its own."""

    trained_steps = 0

    def train_step(self, data):
        OwnStep.trained_steps += 1
        return super().train_step(data)


def test_a_class_of_ones_own_may_be_made_of_inputs_and_outputs(rng, tmp_path):
    x = Input((3,))
    model = OwnStep(x, layers.Dense(2)(x))
    assert isinstance(model, OwnStep) and isinstance(model, Functional) and type(model).__name__ == "OwnStep"
    model.compile("sgd", "mse")
    data = rng.standard_normal((8, 3)).astype("float32")
    before = OwnStep.trained_steps
    model.fit(data, data[:, :2], batch_size=4, verbose=0)
    assert OwnStep.trained_steps == before + 2
    model.save(tmp_path / "m.keras")
    for twin in (
        load_model(tmp_path / "m.keras", custom_objects={"OwnStep": OwnStep}),
        pickle.loads(pickle.dumps(model)),
        clone_model(model),
    ):
        assert isinstance(twin, OwnStep)
    assert bits(pickle.loads(pickle.dumps(model))(data)) == bits(model(data))


class Built(Model):
    """Makes its graph itself."""

    def __init__(self, units):
        x = Input((3,))
        super().__init__(inputs=x, outputs=layers.Dense(units)(x))


def test_a_class_of_ones_own_may_make_its_graph_itself():
    model = Built(2)
    assert isinstance(model, Built) and model(np.ones((4, 3), "float32")).shape == (4, 2)
    assert model.output_shape == (None, 2) and len(model.layers) == 2


def test_clone_model_takes_functions_and_inputs(rng):
    model = course_model()
    seen = []

    def cloned(layer):
        seen.append(layer.name)
        config = layer.get_config()
        if isinstance(layer, layers.Dense):
            config["dtype"] = "float64"
        return layer.__class__.from_config(config)

    twin = clone_model(model, clone_function=cloned)
    assert sorted(seen) == ["h1", "h2", "h3", "out1", "out2"]
    assert {layer.dtype for layer in twin.layers if isinstance(layer, layers.Dense)} == {"float64"}
    inputs = [Input((11,), batch_size=2, name="p"), Input((5,), batch_size=2, name="q")]
    assert clone_model(model, input_tensors=inputs).output_shape == [(2, 4), (2, 1)]
    noisy = clone_model(model, call_function=lambda layer, *args: layer(*args) + 1.0)
    assert len(noisy.operations) == len(model.operations) + 5
    stack = Sequential([Input((4,)), layers.Dense(3, name="d")], name="stack")
    assert clone_model(stack).get_config() == stack.get_config()
    assert clone_model(stack, input_tensors=Input((4,), batch_size=3)).output_shape == (3, 3)
    with pytest.raises(ValueError, match=r"\[clone_model\] expected 2 input_tensors, got 1"):
        clone_model(model, input_tensors=inputs[:1])


def test_clone_model_reaches_into_nested_models_if_told():
    inner = Sequential([Input((4,)), layers.Dense(4, name="deep")], name="inner")
    x = Input((4,))
    model = Model(x, inner(x))
    for recursive, expected in ((False, ["inner"]), (True, ["deep"])):
        seen = []

        def cloned(layer, seen=seen):
            seen.append(layer.name)
            return layer.__class__.from_config(layer.get_config())

        twin = clone_model(model, clone_function=cloned, recursive=recursive)
        assert seen == expected and twin.count_params() == model.count_params()


# ---- weights files ------------------------------------------------------------------------------------------------


def test_weights_are_found_by_order_where_names_differ(tmp_path):
    make = lambda: Sequential([Input((3,)), layers.Dense(4), layers.Dense(2)])  # noqa: E731
    first, second = make(), make()
    assert first.layers[0].name != second.layers[0].name
    first.save_weights(tmp_path / "w.weights.h5")
    second.load_weights(tmp_path / "w.weights.h5")
    assert bits(first.get_weights()) == bits(second.get_weights())
    first.save(tmp_path / "m.keras")
    third = make()
    third.load_weights(tmp_path / "m.keras")
    assert bits(first.get_weights()) == bits(third.get_weights())


def test_weights_that_do_not_fit_are_refused_or_skipped(tmp_path):
    first = Sequential([Input((3,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")])
    second = Sequential([Input((3,)), layers.Dense(4, name="a"), layers.Dense(5, name="b")])
    first.save_weights(tmp_path / "w.safetensors")
    before = bits(second.get_weights())
    with pytest.raises(ValueError, match=r"expected b/kernel of shape \(4, 5\), got \(4, 2\)"):
        second.load_weights(tmp_path / "w.safetensors")
    assert bits(second.get_weights()) == before
    second.load_weights(tmp_path / "w.safetensors", skip_mismatch=True)
    assert bits(second.get_weights())[:2] == bits(first.get_weights())[:2]
    assert bits(second.get_weights())[2:] == before[2:]
    with pytest.raises(FileExistsError, match=r"\[save_weights\] expected a new file"):
        first.save_weights(tmp_path / "w.safetensors", overwrite=False)
    with pytest.raises(ValueError, match=r"\[save_weights\] expected a built model"):
        Sequential([layers.Dense(2)]).save_weights(tmp_path / "n")


def test_json_describes_a_model_without_its_weights():
    stack = Sequential([Input((4,)), layers.Dense(3)])
    twin = model_from_json(stack.to_json(indent=1))
    assert twin.get_config() == stack.get_config() and bits(twin.get_weights()) != bits(stack.get_weights())
    x = Input((2,))
    own = Model(x, Halved()(x))
    with pytest.raises(ValueError, match="expected a known name"):
        model_from_json(own.to_json())
    assert model_from_json(own.to_json(), {"Halved": Halved}).output_shape == (None, 2)


def test_a_clone_is_compiled_as_its_model_with_a_state_of_its_own(rng):
    x, y = rng.standard_normal((16, 3)), rng.integers(0, 2, (16, 1))
    plain = fastnn.Sequential([fastnn.Input((3,)), fastnn.layers.Dense(1, "sigmoid")])
    assert not fastnn.models.clone_model(plain).compiled
    inputs = fastnn.Input((3,))
    graph = fastnn.Model(inputs, fastnn.layers.Dense(1, "sigmoid")(inputs))
    for model in (plain, graph):
        optimizer = fastnn.optimizers.Adam(0.02, beta_1=0.8)
        model.compile(optimizer, "binary_crossentropy", metrics=[fastnn.metrics.AUC(num_thresholds=9), "accuracy"])
        model.fit(x, y, verbose=0)
        twin = fastnn.models.clone_model(model)
        assert twin.compiled and twin.optimizer is not optimizer and twin.optimizer.iterations == 0
        assert (twin.optimizer.learning_rate, twin.optimizer.beta_1) == (0.02, 0.8)
        twin.set_weights(model.get_weights())
        first, second = (m.evaluate(x, y, verbose=0, return_dict=True) for m in (model, twin))
        assert first == second


def test_graph_of_keras_is_refused():
    written = {"name": "m", "trainable": True, "layers": [], "input_layers": [["a", 0, 0]], "output_layers": []}
    with pytest.raises(ValueError, match=r"\[Functional\] expected a graph that fastnn wrote"):
        model_from_json(json.dumps({"class_name": "Functional", "config": written}))


def test_a_layer_whose_config_leaves_its_name_out():
    class Plain(Layer):
        def __init__(self, units=3):
            super().__init__()
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight((input_shape[-1], self.units))

        def call(self, x):
            return ops.matmul(x, self.w)

        def get_config(self):
            return {"units": self.units}

    inputs = Input((4,))
    model = Model(inputs, Plain(5)(Plain()(inputs)))
    copy = Model.from_config(model.get_config(), custom_objects={"Plain": Plain})
    copy.set_weights(model.get_weights())
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(copy(x), model(x))
