"""Sequential: building, changing, looking at a stack of layers."""

import re

import numpy as np
import pytest

import fastnn
from fastnn import layers, losses, ops, optimizers
from fastnn.layers import Input, Layer
from fastnn.models import Sequential


def small(**options):
    return Sequential(
        [layers.Input((4,)), layers.Dense(3, "relu", name="hidden"), layers.Dense(2, name="head")], **options
    )


class Doubled(Layer):
    """Without compute_output_shape, and with weights that its build makes."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 2 * input_shape[-1]), name="w")

    def call(self, x):
        return ops.matmul(x, self.w)


class Nested(Layer):
    """Layers inside, made by the first call."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = layers.Dense(5)

    def call(self, x):
        return self.inner(x)


def test_a_model_is_its_layers_one_after_the_other(rng):
    model = small()
    x = rng.standard_normal((6, 4)).astype("float32")
    w1, b1, w2, b2 = model.get_weights()
    np.testing.assert_allclose(model(x), np.maximum(x @ w1 + b1, 0) @ w2 + b2, rtol=1e-5, atol=1e-6)
    assert isinstance(model(x), np.ndarray)


def test_input_in_front_builds_at_once_and_its_absence_at_the_first_call():
    model = small()
    assert model.built and model.input_shape == (None, 4) and model.output_shape == (None, 2)
    late = Sequential([layers.Dense(3), layers.Dense(2)])
    assert not late.built and late.weights == []
    with pytest.raises(AttributeError, match="has seen no input shape"):
        _ = late.input_shape
    late(np.zeros((5, 4), "float32"))
    assert late.built and late.count_params() == model.count_params() == 23
    assert late.input_shape == (None, 4) and late.output_shape == (None, 2)


def test_add_and_pop():
    model = Sequential()
    model.add(layers.Input((4,)))
    model.add(layers.Dense(3))
    assert model.output_shape == (None, 3)
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2) and model.count_params() == 23
    popped = model.pop()
    assert isinstance(popped, layers.Dense) and popped.units == 2
    assert model.output_shape == (None, 3) and model.count_params() == 15 and len(model.layers) == 1
    model.add(layers.Dense(7))
    assert model(np.zeros((1, 4), "float32")).shape == (1, 7)


def test_pop_from_a_model_built_by_a_call_forgets_the_old_output_shape():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    model(np.zeros((1, 4), "float32"))
    model.pop()
    assert model.output_shape == (None, 3) and model.built
    model.pop()
    with pytest.raises(ValueError, match="expected a layer to take away"):
        model.pop()


def test_build_by_hand():
    model = Sequential([layers.Dense(3)])
    with pytest.raises(ValueError, match="expected an input_shape, got None and no Input in front"):
        model.build()
    model.build((None, 9))
    assert model.layers[0].kernel.shape == (9, 3)


def test_input_dim_and_input_shape_stand_for_an_input():
    for first in (layers.Dense(3, input_dim=4), layers.Dense(3, input_shape=(4,))):
        assert Sequential([first]).count_params() == 15


def test_what_cannot_be_added_is_refused():
    model = small(name="m")
    with pytest.raises(TypeError, match=r"\[m\] expected a Layer or an Input, got int"):
        model.add(3)
    with pytest.raises(ValueError, match="expected layers of different names, got 'head' twice"):
        model.add(layers.Dense(2, name="head"))
    with pytest.raises(ValueError, match="expected Input in front, got it after head"):
        model.add(layers.Input((2,)))


def test_an_error_while_building_names_the_layer_and_the_chain_of_shapes():
    model = Sequential([layers.Dense(6, name="wide"), layers.Reshape((2, 2), name="square"), layers.Dense(2)], name="m")
    with pytest.raises(ValueError) as caught:
        model.build((None, 4))
    message = str(caught.value)
    assert "at Reshape 'square'" in message and "in layer 1 of m" in message
    assert re.search(r"shapes so far: input_layer\w* \(None, 4\) -> wide \(None, 6\)", message)


def test_an_error_in_a_call_names_the_layer():
    with pytest.raises(ValueError, match=r"\[hidden\] .*expected .*got"):
        small()(np.zeros((2, 5), "float32"))


def test_summary_lists_layers_shapes_and_counts():
    lines = []
    small(name="m").summary(print_fn=lines.append)
    assert lines[0] == 'Model: "m"'
    assert [cell.strip() for cell in lines[2].strip("│").split("│")] == ["Layer (type)", "Output Shape", "Param #"]
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "Dense" in line]
    assert rows == [["hidden (Dense)", "(None, 3)", "15"], ["head (Dense)", "(None, 2)", "8"]]
    assert lines[-3] == " Total params: 23 (92.00 B)" and lines[-2] == " Trainable params: 23 (92.00 B)"
    assert lines[-1] == " Non-trainable params: 0 (0.00 B)"


def test_summary_before_building_and_with_frozen_layers():
    lines = []
    Sequential([layers.Dense(3)]).summary(print_fn=lines.append)
    assert "?" in "".join(lines) and "0 (unbuilt)" in "".join(lines)
    model, lines = small(), []
    model.layers[0].trainable = False
    model.summary(print_fn=lines.append)
    assert " Trainable params: 8 (32.00 B)" in lines and " Non-trainable params: 15 (60.00 B)" in lines


def test_get_layer():
    model = small()
    assert model.get_layer("head") is model.get_layer(index=1) is model.get_layer(index=-1) is model.layers[1]
    for arguments, message in (
        ({"name": "tail"}, r"expected one of \['hidden', 'head'\], got 'tail'"),
        ({"index": 2}, "expected an index below 2, got 2"),
        ({}, "expected either name or index"),
        ({"name": "head", "index": 0}, "expected either name or index"),
    ):
        with pytest.raises(ValueError, match=message):
            model.get_layer(**arguments)


def test_names_of_models_count_up_and_paths_name_the_layer():
    first, second = small(), small()
    assert first.name.startswith("sequential") and first.name != second.name
    assert [v.path for v in first.weights] == ["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"]


def test_a_frozen_layer_keeps_its_bytes_and_the_others_learn(rng):
    model = small()
    model.compile(optimizers.Adam(0.1), losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = rng.standard_normal((32, 4)), rng.integers(0, 2, 32)
    model.fit(x, y, verbose=0)
    for frozen, free in ((0, 1), (1, 0)):
        model.layers[free].trainable, model.layers[frozen].trainable = True, False
        before = [[w.tobytes() for w in layer.get_weights()] for layer in model.layers]
        model.fit(x, y, epochs=2, verbose=0)
        after = [[w.tobytes() for w in layer.get_weights()] for layer in model.layers]
        assert after[frozen] == before[frozen] and after[free] != before[free]


def test_a_frozen_model_has_no_trainable_weights_also_for_layers_added_later():
    model = Sequential([layers.Input((4,))], trainable=False)
    model.add(layers.Dense(2))
    assert model.trainable_variables == [] and len(model.non_trainable_variables) == 2


def test_layers_of_ones_own_without_compute_output_shape(rng):
    model = Sequential([layers.Input((3,)), Doubled(), Nested(), layers.Dense(1)])
    assert model.output_shape == (None, 1)
    assert model.count_params() == 18 + (6 + 1) * 5 + 6
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(rng.standard_normal((8, 3)), rng.standard_normal(8), verbose=0)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_models_nest_and_pass_training_on():
    seen = []

    class Noted(Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    model = Sequential([Noted(), Sequential([Noted()])])
    x = np.zeros((1, 2), "float32")
    model(x)
    seen.clear()  # building has called it on zeros
    model(x, training=True)
    model(x)
    model(x, True)
    with fastnn.GradientTape():
        model(x)
    assert seen == [True, True, False, False, True, True, False, False]


def test_a_float64_model_loses_no_digit_of_its_input():
    """Once the model cast its input to float32 before the float64 layers saw it."""
    model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="ones", dtype="float64")])
    assert model.dtype == "float64"
    assert model(np.array([[1 / 3]]))[0, 0] == model.predict(np.array([[1 / 3]]))[0, 0] == 1 / 3


def test_set_floatx_makes_float64_models():
    fastnn.set_floatx("float64")
    try:
        model = small()
        model.compile("adam", "mse")
        model.fit(np.zeros((4, 4)), np.zeros((4, 2)), verbose=0)
        assert {v.dtype.name for v in model.weights} == {"float64"}
        assert model.predict(np.zeros((2, 4), "float32")).dtype == np.float64
    finally:
        fastnn.set_floatx("float32")
    with pytest.raises(ValueError, match="expected 'float32' or 'float64', got 'float16'"):
        fastnn.set_floatx("float16")


def test_configuration_makes_the_same_model_again():
    model = small(name="m")
    twin = Sequential.from_config(model.get_config())
    assert twin.get_config() == model.get_config() and twin.count_params() == model.count_params()


def test_a_model_is_built_by_a_call_that_says_training(rng):
    """predict() says training=False, which building did not take."""
    x = rng.standard_normal((4, 3)).astype("float32")
    for training in (None, False, True):
        model = fastnn.Sequential([fastnn.layers.Dense(2), fastnn.layers.Dropout(0.5)])
        assert model(x, training=training).shape == (4, 2) and model.built
    model = fastnn.Sequential([fastnn.layers.Dense(2)])
    assert model.predict(x, verbose=0).shape == (4, 2)
    with pytest.raises(ValueError, match="expected a model with layers, got none"):
        fastnn.Sequential()(x)


def test_a_model_in_front_says_what_it_takes(tmp_path):
    numbers = Input((5,), dtype="int32")
    embedded = fastnn.Model(numbers, layers.Embedding(4, 3)(numbers))
    filtered = Sequential([Input((6, 6, 3)), layers.Conv2D(4, 3)])
    for front, x in ((embedded, np.ones((2, 5), "int32")), (filtered, np.ones((2, 6, 6, 3), "float32"))):
        model = Sequential([front, layers.Flatten(), layers.Dense(1)])
        assert model.built and model.input_shape == (None, *x.shape[1:]) and model.inputs[0].dtype == x.dtype
        y = model(x)
        model.save(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(fastnn.load_model(tmp_path / "m.safetensors")(x), y)
    assert not Sequential([Sequential([layers.Dense(2)]), layers.Dense(1)]).built
