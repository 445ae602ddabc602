"""Files, pickles and copies of models."""

import copy
import io
import json
import os
import pickle
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fastnn
from fastnn import layers, losses, metrics, ops, optimizers
from fastnn.io import safetensors
from fastnn.layers import Layer
from fastnn.models import Model, Sequential, load_model


class Gate(Layer):
    """A layer of the user's own."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.inner = layers.Dense(units, "sigmoid")

    def call(self, x):
        return self.inner(x) * self.inner(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Half(losses.Loss):
    """A loss of the user's own."""

    def call(self, y_true, y_pred):
        return 0.5 * ops.sum(ops.square(y_pred - y_true), axis=-1)


class Net(Model):
    """A model of the user's own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = layers.Dense(5, "tanh"), layers.Dense(2)

    def call(self, x):
        return self.second(self.first(x))


OWN = {"Gate": Gate, "Half": Half, "Net": Net}


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((48, 6)).astype("float32"), rng.integers(0, 3, 48)


def trained(optimizer="adam", **options):
    fastnn.random.set_random_seed(0)
    model = Sequential([
        layers.Input((6,)), layers.Dense(16, "relu", **options), layers.Dropout(0.3, **options),
        layers.Dense(3, **options),
    ])  # fmt: skip
    model.compile(optimizer, losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(*data(), epochs=2, verbose=0)
    return model


def same_bits(a, b):
    return [w.tobytes() for w in a.get_weights()] == [w.tobytes() for w in b.get_weights()]


def through_file(model, path):
    model.save(path)
    return load_model(path)


COPIES = {
    "file": through_file,
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_predicts_the_same_bits(how, dtype, tmp_path):
    model = trained(dtype=dtype)
    again = COPIES[how](model, tmp_path / "m.safetensors")
    assert same_bits(model, again)
    assert model.predict(data()[0]).tobytes() == again.predict(data()[0]).tobytes()
    assert again.get_config() == model.get_config()
    assert again.evaluate(*data(), verbose=0) == model.evaluate(*data(), verbose=0)


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        optimizers.Adam(0.01, amsgrad=True),
        optimizers.Adagrad(0.1),
        optimizers.Adadelta(1.0),
        optimizers.AdamW(optimizers.schedules.CosineDecay(0.01, 20)),
        optimizers.Adamax(0.01, use_ema=True, ema_overwrite_frequency=2),
        optimizers.Nadam(optimizers.schedules.LinearWarmup(0.01, 5), gradient_accumulation_steps=3),
        optimizers.Lion(0.001, clipnorm=0.1, loss_scale_factor=16.0),
    ],
    ids=lambda optimizer: optimizer.name,
)
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_training_as_if_nothing_had_happened(how, optimizer, tmp_path):
    """Same weights after three more steps: the optimizer's slots and step, and the dropout streams, are kept."""
    model = trained(optimizers.get(layers.serialize(optimizer)))
    again = COPIES[how](model, tmp_path / "m.safetensors")
    assert again.optimizer.iterations == model.optimizer.iterations > 0
    assert again.optimizer.learning_rate == model.optimizer.learning_rate
    for one in (model, again):
        one.fit(*data(1), batch_size=16, shuffle=False, verbose=0)
    assert same_bits(model, again)


def test_a_copy_shares_nothing_with_its_model():
    model = trained()
    again = copy.deepcopy(model)
    before = model.predict(data()[0])
    again.fit(*data(), epochs=2, verbose=0)
    np.testing.assert_array_equal(model.predict(data()[0]), before)
    assert not same_bits(model, again)


def test_slots_find_their_weights_when_layers_were_unfrozen_after_the_first_step(tmp_path):
    """Once the slots were stored by position, in the order in which the optimizer met the weights."""
    model = Sequential([layers.Input((6,)), layers.Dense(6), layers.Dense(6)])
    model.layers[0].trainable = False
    model.compile(optimizers.Adam(0.01), "mse")
    x, _ = data()
    model.fit(x, x, verbose=0)
    model.layers[0].trainable = True
    model.fit(x, x, verbose=0)
    again = through_file(model, tmp_path / "m.safetensors")
    for one in (model, again):
        one.fit(x, 2 * x, shuffle=False, verbose=0)
    assert same_bits(model, again)


def test_frozen_layers_stay_frozen(tmp_path):
    model = trained()
    model.layers[0].trainable = False
    again = through_file(model, tmp_path / "m.safetensors")
    assert [v.path for v in again.trainable_variables] == [v.path for v in model.trainable_variables]
    assert len(again.trainable_variables) == 2
    for one in (model, again):
        one.fit(*data(1), shuffle=False, verbose=0)
    assert same_bits(model, again)


def test_without_compile_the_training_state_stays_in_the_file(tmp_path):
    model = trained()
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", compile=False)
    assert not again.compiled and same_bits(model, again)


def test_an_uncompiled_model_can_be_saved_and_an_unbuilt_one_cannot(tmp_path):
    model = Sequential([layers.Input((2,)), layers.Dense(3)])
    assert same_bits(model, through_file(model, tmp_path / "m.safetensors"))
    with pytest.raises(ValueError, match=r"\[save\] expected a built model"):
        Sequential([layers.Dense(3)]).save(tmp_path / "n.safetensors")
    assert not (tmp_path / "n.safetensors").exists()


# ---- classes of one's own -----------------------------------------------------------------------------------------


def own_model():
    model = Sequential([layers.Input((6,)), Gate(4), layers.Dense(6)])
    model.compile(optimizers.Adam(0.01), Half(), metrics=[metrics.MeanSquaredError()])
    x, _ = data()
    model.fit(x, x, verbose=0)
    return model


def test_own_layers_and_losses_come_from_custom_objects(tmp_path):
    model = own_model()
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", custom_objects=OWN)
    assert type(again.layers[0]) is Gate and type(again.loss) is Half and same_bits(model, again)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_own_classes_need_no_naming_in_pickles_and_copies(how):
    model = own_model()
    again = COPIES[how](model, None)
    assert type(again.layers[0]) is Gate and type(again.loss) is Half and same_bits(model, again)


@pytest.mark.parametrize("how", COPIES)
def test_models_of_ones_own(how, tmp_path):
    model = Net()
    x, _ = data()
    y = model.predict(x)
    path = tmp_path / "m.safetensors"
    model.save(path)
    again = load_model(path, custom_objects=OWN) if how == "file" else COPIES[how](model, path)
    assert type(again) is Net and again.predict(x).tobytes() == y.tobytes()


class Packed(layers.Dense):
    """Keeps of its kernel what is not 0."""

    def save_own_variables(self, store):
        super().save_own_variables(store)
        kernel = store.pop("0")
        store["places"], store["values"] = np.flatnonzero(kernel), kernel[kernel != 0]

    def load_own_variables(self, store):
        kernel = np.zeros(self.kernel.shape, "float32")
        kernel.flat[store["places"]] = store["values"]
        super().load_own_variables({"0": kernel, "1": store["1"]})


def packed_model():
    model = Sequential([layers.Input((3,)), layers.Dense(4), Sequential([Packed(2), Packed(2)])])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("how", ["save", "weights", "pickle", "copy"])
def test_layers_may_save_their_weights_in_a_way_of_their_own(how, tmp_path):
    model, path = packed_model(), tmp_path / "m.keras"
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    inner = model.layers[-1].layers[0]
    inner.kernel.assign(np.eye(4, 2))
    if how == "save":
        model.save(path)
        names = [name for name in load_file(path) if name.startswith("own/")]
        assert sorted(name.rpartition(":")[2] for name in names) == ["1", "1", "places", "places", "values", "values"]
        assert not any("packed" in name for name in load_file(path) if name.startswith("weights/"))
        twin = load_model(path, custom_objects={"Packed": Packed})
    elif how == "weights":
        model.save_weights(path)
        twin = packed_model()
        twin.load_weights(path)
    else:
        twin = copy.deepcopy(model) if how == "copy" else pickle.loads(pickle.dumps(model))
    for a, b in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    if how != "weights":
        for each in (model, twin):
            each.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
        np.testing.assert_array_equal(model.predict(np.ones((2, 3))), twin.predict(np.ones((2, 3))))


def test_own_ways_that_do_not_fit_are_refused_or_skipped(tmp_path):
    model, other = packed_model(), Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(2), layers.Dense(2)])
    other.save_weights(tmp_path / "other")
    with pytest.raises(ValueError, match="expected weights for this model"):
        model.load_weights(tmp_path / "other")
    before = model.get_weights()
    model.load_weights(tmp_path / "other", skip_mismatch=True)
    for a, b in zip(before[2:], model.get_weights()[2:], strict=True):
        np.testing.assert_array_equal(a, b)
    model.save_weights(tmp_path / "own")
    other = packed_model()
    other.load_weights(tmp_path / "own")
    np.testing.assert_array_equal(other.layers[-1].layers[1].kernel, model.layers[-1].layers[1].kernel)


def test_an_unknown_class_is_refused_without_importing_anything(tmp_path, monkeypatch):
    own_model().save(tmp_path / "m.safetensors")
    arrays, description = safetensors.read(tmp_path / "m.safetensors")
    text = json.dumps(description).replace('"Gate"', '"os.system"')
    safetensors.write(tmp_path / "evil.safetensors", arrays, json.loads(text))
    before = set(sys.modules)
    for name in ("m", "evil"):
        with pytest.raises(ValueError, match=r"\[layers\] expected a known name such as"):
            load_model(tmp_path / f"{name}.safetensors")
    assert set(sys.modules) == before


def test_a_function_as_loss_leaves_the_training_state_out_with_a_warning(tmp_path):
    model = Sequential([layers.Input((6,)), layers.Dense(6)])
    model.compile("sgd", lambda t, p: ops.mean(ops.square(p - t)))
    with pytest.warns(UserWarning, match=r"\[save\] the training state is left out"):
        model.save(tmp_path / "m.safetensors")
    assert not load_model(tmp_path / "m.safetensors").compiled


def test_weights_of_layers_with_automatic_names_are_found_where_some_do_not_fit(tmp_path):
    """The first of a kind is the first, whatever number its name ends with."""

    def network(*units):
        return Sequential([layers.Input((3,)), *(layers.Dense(n) for n in units), layers.LayerNormalization()])

    old, wider, deeper = network(4, 5), network(4, 6), network(4, 5, 5)
    old.layers[-1].gamma.assign(np.full(5, 3.0))
    old.save_weights(tmp_path / "w.safetensors")
    for new in (wider, deeper):
        before = new.get_weights()
        with pytest.raises(ValueError, match="expected weights for this model"):
            new.load_weights(tmp_path / "w.safetensors")
        new.load_weights(tmp_path / "w.safetensors", skip_mismatch=True)
        np.testing.assert_array_equal(new.layers[0].kernel, old.layers[0].kernel)
        fresh = 4 if new is deeper else 2  # the kernel of a layer that the file does not have so
        np.testing.assert_array_equal(new.get_weights()[fresh], before[fresh])
    assert not np.array_equal(wider.layers[1].kernel.shape, old.layers[1].kernel.shape)
    np.testing.assert_array_equal(deeper.layers[1].kernel, old.layers[1].kernel)
    np.testing.assert_array_equal(deeper.layers[-1].gamma, np.full(5, 3.0))


# ---- files that are not whole -------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "m.safetensors"
    trained().save(path)
    return path


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1, -1000])
def test_truncated_files_are_refused(saved, keep):
    whole = saved.read_bytes()
    saved.write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"\[load\] expected a whole safetensors file, got a broken one"):
        load_model(saved)


def test_foreign_files_are_refused(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("not a model" * 50)
    with pytest.raises(ValueError, match="expected a whole safetensors file"):
        load_model(text)
    archive = io.BytesIO()
    np.savez(archive, w=np.ones(3))
    (tmp_path / "a.npz").write_bytes(archive.getvalue())
    with pytest.raises(ValueError, match="expected a whole safetensors file"):
        load_model(tmp_path / "a.npz")
    save_file({"w": np.ones(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="expected a model saved by fastnn, got another safetensors file"):
        load_model(tmp_path / "other.safetensors")
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="got no file at"):
            load_model(missing)


def rewritten(path, arrays=None, change=None, version="1"):
    """The file with other arrays or another description."""
    old, description = safetensors.read(path)
    if change is not None:
        change(description)
    metadata = {"format": "fastnn-model", "version": version, "description": json.dumps(description)}
    save_file(old if arrays is None else arrays, path, metadata)


def test_files_of_a_later_layout_are_refused(saved):
    rewritten(saved, version="99")
    with pytest.raises(ValueError, match="expected file layout 1 or older, got 99; update fastnn"):
        load_model(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("model"),
        lambda d: d["model"].pop("class_name"),
        lambda d: d["model"].pop("config"),
        lambda d: d["model"]["config"]["layers"][1]["config"].pop("units"),
        lambda d: d["model"]["config"]["layers"][1]["config"].update(units="many"),
        lambda d: d["model"]["config"]["layers"][1]["config"].update(unitss=3),
        lambda d: d.update(model=None),
        lambda d: d.update(model=[1, 2]),
        lambda d: d["compile"].pop("loss"),
        lambda d: d.update(optimizer_weights=["nowhere"]),
    ],
)
def test_descriptions_that_make_no_sense_are_refused(saved, change):
    rewritten(saved, change=change)
    with pytest.raises(ValueError, match="expected"):
        load_model(saved)


def test_weights_that_do_not_fit_are_refused(saved):
    arrays = load_file(saved)
    rewritten(saved, {k: v for k, v in arrays.items() if k != "weights/dense/kernel" and "kernel" not in k})
    with pytest.raises(ValueError, match=r"\[load\] expected weights for this model, got a file without"):
        load_model(saved)
    kernel = next(k for k in arrays if k.startswith("weights/") and k.endswith("kernel"))
    rewritten(saved, {**arrays, kernel: arrays[kernel][:-1]})
    with pytest.raises(ValueError, match=r"expected .*kernel of shape \(6, 16\), got \(5, 16\)"):
        load_model(saved)


# ---- writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file_and_no_other(saved, monkeypatch, failing):
    before = saved.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        trained("sgd").save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_overwrite_false_keeps_what_is_there(saved):
    before = saved.read_bytes()
    with pytest.raises(FileExistsError, match="use overwrite=True"):
        trained("sgd").save(saved, overwrite=False)
    assert saved.read_bytes() == before
    trained("sgd").save(saved)
    assert saved.read_bytes() != before


def test_files_have_the_rights_of_other_files(saved):
    plain = saved.parent / "plain"
    plain.write_text("")
    assert saved.stat().st_mode == plain.stat().st_mode


def test_any_suffix_and_path_type_will_do(tmp_path):
    model = trained()
    for name in ("m.keras", "m", "m.h5"):
        model.save(str(tmp_path / name))
        assert same_bits(load_model(str(tmp_path / name)), model)
