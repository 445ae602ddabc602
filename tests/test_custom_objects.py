"""Classes and functions of the user's own in configurations and files: by scope, registered, or handed over."""

import copy
import json
import threading

import numpy as np
import pytest

import fastnn
from fastnn import Input, Sequential, activations, layers, losses, metrics, ops, regularizers, saving, utils
from fastnn.models import load_model, model_from_json


class Scale(layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def cube(x):
    return x * x * x


def cubed_error(y_true, y_pred):
    return ops.mean(ops.abs(cube(y_pred - y_true)), axis=-1)


OWN = {"Scale": Scale, "cube": cube, "cubed_error": cubed_error}


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    yield
    for name in list(saving.get_custom_objects()):
        item = saving.get_custom_objects().pop(name)
        fastnn.custom_objects._names.pop(item, None)


def made():
    utils.set_random_seed(0)  # of some weights a step of x^9 leads out of float32
    model = Sequential([Input((3,)), layers.Dense(4, activation=cube), Scale(3.0), layers.Dense(2)])
    model.compile("sgd", cubed_error, metrics=[cubed_error])
    x = np.random.default_rng(0).standard_normal((8, 3)).astype("float32")
    model.train_on_batch(x, x[:, :2])
    return model, x


def test_a_model_of_ones_own_parts_comes_back_with_custom_objects(tmp_path):
    model, x = made()
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", OWN)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    expected = [model.evaluate(x, x[:, :2], verbose=0), model.train_on_batch(x, x[:, :2])]
    found = [again.evaluate(x, x[:, :2], verbose=0), again.train_on_batch(x, x[:, :2])]
    np.testing.assert_allclose(np.ravel(found), np.ravel(expected), rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected a known name such as .*, got '(Scale|cube|cubed_error)'"):
        load_model(tmp_path / "m.safetensors")
    again = model_from_json(model.to_json(), OWN)
    assert again.layers[0].activation is cube and again.layers[1].factor == 3.0
    assert copy.deepcopy(model).layers[0].activation is cube


def test_a_scope_holds_inside_its_with_and_in_its_thread(tmp_path):
    model, x = made()
    model.save(tmp_path / "m.safetensors")
    seen = []
    with saving.custom_object_scope({"cube": cube}):
        assert activations.get("cube") is cube and layers.Dense(2, "cube").activation is cube
        with utils.CustomObjectScope({name: OWN[name] for name in ("Scale", "cubed_error")}):
            loaded = load_model(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
        thread = threading.Thread(target=lambda: seen.append(saving.get_registered_object("cube")))
        thread.start()
        thread.join()
        assert saving.get_registered_object("Scale") is None
    assert seen == [None] and saving.get_custom_objects() == {}
    with pytest.raises(ValueError, match=r"\[activations\] expected a known name such as .*, got 'cube'"):
        activations.get("cube")


def test_what_is_registered_is_found_without_being_handed_over(tmp_path):
    saving.register_keras_serializable("mine", "Times")(Scale)
    for function in (cube, cubed_error):
        assert utils.register_keras_serializable()(function) is function
    assert saving.get_registered_name(Scale) == "mine>Times" and saving.get_registered_name(cube) == "Custom>cube"
    assert saving.get_registered_name(layers.Dense) == "Dense"
    assert saving.get_registered_object("mine>Times") is Scale
    assert set(saving.get_custom_objects()) == {"mine>Times", "Custom>cube", "Custom>cubed_error"}
    described = layers.serialize(Scale(5.0))
    assert described["class_name"] == "Scale" and described["registered_name"] == "mine>Times"
    assert layers.deserialize(json.loads(json.dumps(described))).factor == 5.0
    model, x = made()
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.compiled and loaded.layers[0].activation is cube
    assert model_from_json(model.to_json()).layers[0].activation is cube


def test_a_registered_model_is_found_by_its_name_alone(tmp_path):
    @saving.register_keras_serializable("nets")
    class Doubled(fastnn.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, x):
            return self.dense(x) * 2.0

    model, x = Doubled(3), np.ones((2, 4), "float32")
    y = model(x)
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert type(loaded) is Doubled
    np.testing.assert_array_equal(loaded(x), y)


def test_names_may_be_added_by_hand():
    saving.get_custom_objects()["cube"] = cube
    assert layers.Dense(2, "cube").activation is cube


def test_a_class_without_a_configuration_is_not_registered():
    with pytest.raises(ValueError, match=r"expected a class with get_config\(\), got A without it"):
        saving.register_keras_serializable()(type("A", (), {}))


def test_descriptions_of_nested_objects_come_back():
    parts = {
        "layer": layers.Dense(3, "relu"),
        "function": activations.tanh,
        "list": [regularizers.L2(0.1), 1, "two", None, 2.5, True],
        "array": np.arange(6, dtype="int16").reshape(2, 3),
        "number": np.float32(0.5),
    }
    again = saving.deserialize_keras_object(json.loads(json.dumps(saving.serialize_keras_object(parts))))
    assert again["layer"].get_config() == parts["layer"].get_config() and again["function"] is activations.tanh
    assert isinstance(again["list"][0], regularizers.L2) and again["list"][1:] == [1, "two", None, 2.5, True]
    np.testing.assert_array_equal(again["array"], parts["array"], strict=True)
    assert again["number"] == 0.5
    with pytest.raises(TypeError, match="expected config as a dict, got list"):
        saving.deserialize_keras_object({"class_name": "Dense", "config": [1]})


def test_the_module_tells_losses_and_metrics_of_one_name_apart():
    config = {"class_name": "MeanSquaredError", "config": {"name": "m"}}
    for module, kind in (("keras.losses", losses.Loss), ("keras.metrics", metrics.Metric)):
        assert isinstance(saving.deserialize_keras_object({**config, "module": module}), kind)


class Plain(layers.Layer):
    """A layer without get_config()."""

    def __init__(self, units, ratio=0.5, *, shape=(1, 2), **options):
        super().__init__(**options)
        self.dense, self.ratio, self.shape = layers.Dense(units), ratio, shape

    def call(self, x):
        return self.dense(x) * self.ratio


class Net(fastnn.Model):
    """A model without get_config(), whose constructor takes no name."""

    def __init__(self, units, activation=None):
        super().__init__()
        self.hidden = layers.Dense(units, activation)

    def call(self, x):
        return self.hidden(x)


def test_what_a_constructor_was_given_is_kept_where_get_config_is_missing(tmp_path):
    layer = Plain(3, shape=(4, 5), name="p", trainable=False)
    config = layer.get_config()
    assert config == {"units": 3, "shape": (4, 5), "name": "p", "trainable": False, "dtype": "float32"}
    again = Plain.from_config(json.loads(json.dumps(config)))
    assert again.dense.units == 3 and again.ratio == 0.5 and tuple(again.shape) == (4, 5)
    x = np.ones((2, 3), "float32")
    inputs = Input((3,))
    functional = fastnn.Model(inputs, Plain(2, ratio=0.25)(inputs))
    for model in (Sequential([inputs, Plain(2, 0.25)]), functional, Net(2, "relu")):
        y = model(x)
        model.save(tmp_path / "m.safetensors")
        loaded = load_model(tmp_path / "m.safetensors", {"Plain": Plain, "Net": Net})
        np.testing.assert_array_equal(loaded(x), y)
        np.testing.assert_array_equal(copy.deepcopy(model)(x), y)
    assert Net(4).get_config() == {"units": 4}
    sizes = [4, 5]
    layer = Plain(3, shape=sizes)
    sizes.append(6)
    assert layer.get_config()["shape"] == [4, 5]
    with pytest.raises(NotImplementedError, match=r"\[Plain\] expected get_config\(\) to be .* given ratio"):
        Plain(3, ratio=np.ones(3)).get_config()


class Twice(layers.Wrapper):
    """Holds a layer, and hands an object over in its configuration as it is."""

    def __init__(self, layer, penalty=None, **options):
        super().__init__(layer, **options)
        self.penalty = regularizers.get(penalty)

    def call(self, x):
        return self.layer(self.layer(x))

    def get_config(self):
        return {**super().get_config(), "penalty": self.penalty}


def test_wrappers_hold_a_layer(rng):
    x = rng.standard_normal((4, 3)).astype("float32")
    layer = Twice(layers.Dense(3, "tanh", kernel_regularizer="l2"), penalty=regularizers.L1(0.25))
    y = layer(x)
    np.testing.assert_array_equal(y, layer.layer(layer.layer(x)))
    assert len(layer.weights) == 2 and len(layer.losses) == 1
    with saving.CustomObjectScope({"Twice": Twice}):
        again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    again.build((None, 3))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), y)
    assert again.penalty.l1 == 0.25
    assert issubclass(layers.TimeDistributed, layers.Wrapper)
    with pytest.raises(ValueError, match=r"\[Wrapper\] expected a layer, got str"):
        layers.Wrapper("dense")
