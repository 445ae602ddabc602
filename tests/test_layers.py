"""Layers: Dense, activations, Dropout, Flatten, Reshape, Input, and what every layer can do."""

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, Variable, layers, ops
from fastnn.layers import Layer
from fastnn.masks import masked


class Scale(Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


class Noted(Layer):
    """Notes what training it was called with."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen = None

    def call(self, x, training=None):
        self.seen = training
        return x


# ---- Dense --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("activation", "g"),
    [
        (None, lambda z: z),
        ("relu", lambda z: np.maximum(z, 0)),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z))),
        ("tanh", np.tanh),
        ("softmax", lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)),
        ("leaky_relu", lambda z: np.where(z > 0, z, 0.2 * z)),
        (lambda z: z * 2.0, lambda z: 2 * z),
    ],
)
def test_dense_is_activation_of_x_kernel_plus_bias(activation, g, dtype, rng):
    layer = layers.Dense(5, activation, bias_initializer="normal", dtype=dtype)
    x = rng.standard_normal((4, 3, 7)).astype(dtype)
    y = layer(x)
    kernel, bias = layer.get_weights()
    assert y.dtype == kernel.dtype == bias.dtype == dtype
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(y, g(x.astype(float) @ kernel + bias), rtol=tolerance, atol=tolerance)


def test_dense_has_the_shapes_of_keras():
    layer = layers.Dense(5)
    layer.build((None, 7))
    assert [v.path.split("/")[1] for v in layer.weights] == ["kernel", "bias"]
    assert [v.shape for v in layer.weights] == [(7, 5), (5,)]
    assert layer.compute_output_shape((None, 3, 7)) == (None, 3, 5)
    assert not layer.bias.numpy().any() and np.abs(layer.kernel.numpy()).max() <= np.sqrt(6 / 12)


def test_dense_without_bias():
    layer = layers.Dense(5, use_bias=False)
    layer.build((None, 7))
    assert layer.bias is None and layer.count_params() == 35


def test_dense_casts_floats_and_integers_to_its_dtype(rng):
    layer = layers.Dense(2)
    x = rng.integers(0, 255, (3, 4))
    expected = layer(x.astype("float32"))
    for given in (x, x.astype("uint8"), x.astype("float64"), x.tolist(), np.asfortranarray(x)):
        np.testing.assert_array_equal(layer(given), expected)
    np.testing.assert_array_equal(layer(x > 100), layer((x > 100).astype("float32")))


@pytest.mark.parametrize("units", [0, -1, 2.5, True, "3", None])
def test_dense_refuses_units(units):
    with pytest.raises(ValueError, match=r"\[Dense\] expected units to be a positive integer"):
        layers.Dense(units)


def test_dense_refuses():
    with pytest.raises(ValueError, match=r"\[Dense\] expected use_bias True, False or 'shared', got 'all'"):
        layers.Dense(2, use_bias="all")
    with pytest.raises(ValueError, match="expected an input whose last axis has a known length"):
        layers.Dense(2).build((None, None))
    with pytest.raises(TypeError, match=r"\[Dense\] expected other arguments than unitss"):
        layers.Dense(2, unitss=3)
    with pytest.raises(ValueError, match=r"\[activations\] expected a known name such as 'relu'.*, got 'rellu'"):
        layers.Dense(2, "rellu")
    layer = layers.Dense(2, name="head")
    layer.build((None, 3))
    with pytest.raises(ValueError, match=r"\[head\] .*expected .*got"):
        layer(np.zeros((1, 4), "float32"))
    with pytest.raises(ValueError, match="expected dtype float32 or float64, got float16"):
        layers.Dense(2, dtype="float16")


@pytest.mark.parametrize("x", [np.ones((1, 2), complex), "abc", None, np.ones((1, 2), object)])
def test_what_is_not_real_is_refused(x):
    with pytest.raises(TypeError, match="expected an array of real numbers, got dtype"):
        layers.Dense(2)(x)


def test_strided_and_read_only_inputs_are_left_alone(rng):
    layer = layers.Dense(3, "relu")
    big = rng.standard_normal((8, 12)).astype("float32")
    x = big[::2, ::3]
    expected = layer(np.ascontiguousarray(x))
    big.flags.writeable = False
    before = big.copy()
    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(big, before)


@pytest.mark.parametrize("shape", [(0, 4), (2, 0, 4)])
def test_empty_batches_give_empty_outputs(shape):
    assert layers.Dense(3, "softmax")(np.zeros(shape, "float32")).shape == (*shape[:-1], 3)


def test_nan_goes_through_dense_and_stays_in_its_row():
    layer = layers.Dense(3, "relu", kernel_initializer="ones")
    y = layer(np.array([[np.nan, 1.0], [1.0, 1.0]], "float32"))
    assert np.isnan(y[0]).all() and (y[1] == 2).all()


# ---- activations, reshaping, Input --------------------------------------------------------------------------------


X = np.array([[-3.0, -0.5, 0.0, 0.5, 7.0]], "float32")


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.ReLU(), np.maximum(X, 0)),
        (layers.ReLU(max_value=6), np.clip(X, 0, 6)),
        (layers.ReLU(6.0, 0.1, 1.0), np.where(X > 1, np.minimum(X, 6), 0.1 * (X - 1))),
        (layers.LeakyReLU(), np.where(X > 0, X, 0.3 * X)),
        (layers.LeakyReLU(negative_slope=0.01), np.where(X > 0, X, 0.01 * X)),
        (layers.Activation("tanh"), np.tanh(X)),
        (layers.Softmax(), np.exp(X) / np.exp(X).sum()),
        (layers.Softmax(axis=0), np.ones_like(X)),
        (layers.Softmax(axis=(0, 1)), np.exp(X) / np.exp(X).sum()),
        (layers.ELU(), np.where(X > 0, X, np.expm1(X))),
        (layers.ELU(alpha=0.5), np.where(X > 0, X, 0.5 * np.expm1(X))),
        (layers.PReLU(), np.maximum(X, 0)),
        (layers.PReLU(alpha_initializer=fastnn.initializers.Constant(0.2)), np.where(X > 0, X, 0.2 * X)),
    ],
)
def test_activation_layers(layer, expected):
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)
    twin = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(twin(X), layer(X))
    assert layer.compute_output_shape((None, 5)) == (None, 5)


def test_activation_layers_refuse_negative_settings():
    for made in (lambda: layers.ReLU(max_value=-1), lambda: layers.ReLU(negative_slope=-0.1)):
        with pytest.raises(ValueError, match=r"\[ReLU\] expected .* >= 0"):
            made()
    with pytest.raises(ValueError, match=r"\[LeakyReLU\] expected negative_slope >= 0, got None"):
        layers.LeakyReLU(negative_slope=None)
    with pytest.raises(ValueError, match=r"\[ELU\] expected alpha >= 0, got -1"):
        layers.ELU(-1)


@pytest.mark.parametrize(
    ("shared_axes", "shape"), [(None, (4, 5, 3)), ((1, 2), (1, 1, 3)), ([3], (4, 5, 1)), (2, (4, 1, 3))]
)
def test_prelu_learns_its_slopes(rng, shared_axes, shape):
    layer = layers.PReLU(fastnn.initializers.Constant(0.25), shared_axes=shared_axes, dtype="float64")
    x = rng.standard_normal((2, 4, 5, 3))
    with GradientTape() as tape:
        y = layer(x)
        loss = ops.sum(ops.square(y))
    (dalpha,) = tape.gradient(loss, [layer.alpha])
    assert layer.alpha.shape == shape and layer.compute_output_shape((None, 4, 5, 3)) == (None, 4, 5, 3)
    np.testing.assert_allclose(y.numpy(), np.where(x > 0, x, 0.25 * x))
    axes = tuple(axis for axis in range(4) if axis == 0 or shape[axis - 1] == 1)
    expected = np.sum(np.where(x > 0, 0, 2 * 0.25 * x * x), axes, keepdims=True)[0]
    np.testing.assert_allclose(dalpha, expected, rtol=1e-12)
    assert layers.PReLU.from_config(layer.get_config()).shared_axes == layer.shared_axes


def test_prelu_refuses_axes_it_cannot_share():
    with pytest.raises(ValueError, match=r"expected shared_axes in \[1, 2\], got 3"):
        layers.PReLU(shared_axes=[3]).build((None, 4, 5))
    with pytest.raises(ValueError, match="expected known lengths but for shared axes"):
        layers.PReLU().build((None, None, 5))
    layers.PReLU(shared_axes=1).build((None, None, 5))


def test_slopes_may_be_penalised_and_limited():
    layer = layers.PReLU("ones", alpha_regularizer="l2", alpha_constraint="non_neg")
    layer.build((None, 3))
    np.testing.assert_allclose(float(layer.losses[0]), 0.03, rtol=1e-6)
    twin = layers.PReLU.from_config(layer.get_config())
    assert type(twin.alpha_constraint) is fastnn.constraints.NonNeg


def test_a_mask_takes_elements_out_of_softmax(rng):
    x = rng.standard_normal((3, 4)).astype("float32")
    mask = np.array([[True, True, False, True], [False, False, True, False], [False] * 4])
    e = np.exp(x) * mask
    expected = e / np.maximum(e.sum(1, keepdims=True), 1e-30)
    np.testing.assert_allclose(layers.Softmax()(x, mask=mask), expected, rtol=1e-5)
    np.testing.assert_allclose(layers.Softmax()(x, mask.astype("float32")), expected, rtol=1e-5)
    for other in (np.ones((2, *x.shape), bool), np.ones((x.shape[0] + 1, *x.shape[1:]), bool)):
        with pytest.raises(ValueError, match="expected a mask that broadcasts to x"):
            layers.Softmax(name="s")(x, mask=other)
    assert fastnn.gradcheck(lambda x: layers.Softmax(dtype="float64")(x, mask=mask), x.astype(float))


def test_maxout(rng):
    layer = layers.Maxout(3, 4, bias_initializer="ones", dtype="float64")
    x = rng.standard_normal((5, 2))
    y = layer(x)
    pieces = (x @ layer.kernel.numpy() + 1).reshape(5, 3, 4)
    np.testing.assert_allclose(y, pieces.max(-1))
    assert layer.compute_output_shape((None, 2)) == (None, 3) and fastnn.gradcheck(layer, x)
    assert layers.Maxout.from_config(layer.get_config()).pieces == 4
    with pytest.raises(ValueError, match=r"\[Maxout\] expected pieces to be a positive integer, got 0"):
        layers.Maxout(3, 0)


def test_flatten():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(layers.Flatten()(x), x.reshape(2, 12))
    assert layers.Flatten()(np.zeros(3)).shape == (3, 1)
    assert layers.Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)
    assert layers.Flatten().compute_output_shape((None, 3, 4)) == (None, 12)
    assert layers.Flatten().compute_output_shape((None, None, 4)) == (None, None)
    with pytest.raises(ValueError, match="expected data_format 'channels_last', got 'channels_first'"):
        layers.Flatten(data_format="channels_first")


def test_reshape():
    x = np.arange(24.0).reshape(2, 12)
    np.testing.assert_array_equal(layers.Reshape((3, 4))(x), x.reshape(2, 3, 4))
    np.testing.assert_array_equal(layers.Reshape((-1, 2))(x), x.reshape(2, 6, 2))
    assert layers.Reshape((-1, 2)).compute_output_shape((None, 12)) == (None, 6, 2)
    assert layers.Reshape((-1, 2)).compute_output_shape((None, None)) == (None, None, 2)
    assert layers.Reshape((3, -1))(np.zeros((0, 12))).shape == (0, 3, 4)
    with pytest.raises(ValueError, match="to hold the 12 elements"):
        layers.Reshape((5, 2))(x)
    with pytest.raises(ValueError, match="at most one -1"):
        layers.Reshape((-1, -1))


def test_gradients_go_through_reshaping_and_activation_layers(rng):
    x = rng.standard_normal((2, 3, 4))
    for layer in (layers.Flatten(dtype="float64"), layers.Reshape((4, 3), dtype="float64"),
                  layers.LeakyReLU(dtype="float64"), layers.Softmax(axis=1, dtype="float64")):  # fmt: skip
        assert fastnn.gradcheck(layer, x)


def test_input_states_a_shape():
    assert layers.Input((64,)).shape == (None, 64)
    assert layers.Input((8, 8), batch_size=4).shape == (4, 8, 8)
    assert layers.Input(batch_shape=(None, None, 3)).shape == (None, None, 3)
    with pytest.raises(ValueError, match="expected either shape or batch_shape"):
        layers.Input()
    with pytest.raises(ValueError, match=r"\[InputLayer\] expected a shape such as \(64,\), got 64"):
        layers.Input(64)
    for shape in ((-1,), ("a",), (2.5,)):
        with pytest.raises(ValueError, match="expected lengths that are None or integers >= 0"):
            layers.Input(shape)
    with pytest.raises(TypeError, match="has no values"):
        np.asarray(layers.Input((3,)))


# ---- Dropout ------------------------------------------------------------------------------------------------------


def test_dropout_keeps_the_mean_and_scales_what_it_keeps():
    layer = layers.Dropout(0.25, seed=3)
    x = np.ones((200, 500), "float32")
    y = layer(x, training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(np.mean(y == 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / y.size)
    assert not np.array_equal(layer(x, training=True), y)
    np.testing.assert_array_equal(layers.Dropout(0.25, seed=3)(x, training=True), y)


def test_dropout_passes_its_input_through_outside_training():
    x = np.ones((3, 4), "float32")
    for y in (layers.Dropout(0.5)(x), layers.Dropout(0.5)(x, training=False), layers.Dropout(0)(x, training=True)):
        np.testing.assert_array_equal(y, x)
    assert not layers.Dropout(1)(x, training=True).any()


def test_dropout_with_a_noise_shape_drops_whole_rows():
    y = layers.Dropout(0.5, noise_shape=(None, 1), seed=1)(np.ones((64, 10), "float32"), training=True)
    assert set(y.sum(axis=1).tolist()) == {0.0, 20.0}
    with pytest.raises(ValueError, match=r"expected noise_shape with 2 axes, got \(1,\)"):
        layers.Dropout(0.5, noise_shape=(1,))(np.ones((2, 3), "float32"), training=True)
    for shape in ("rows", (2, 1.5), (2, 0), (2, -1)):
        with pytest.raises(ValueError, match=r"\[Dropout\] expected noise_shape a tuple of positive integers and None"):
            layers.Dropout(0.5, noise_shape=shape)


def test_dropout_masks_its_gradient_too(rng):
    layer = layers.Dropout(0.5, seed=2)
    with GradientTape() as tape:
        x = tape.watch(np.ones((20, 30), "float32"))
        y = layer(x, training=True)
    np.testing.assert_array_equal(tape.gradient(y, x), y.numpy())


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_rates(rate):
    with pytest.raises(ValueError, match=r"\[Dropout\] expected rate in \[0, 1\]"):
        layers.Dropout(rate)


# ---- training -----------------------------------------------------------------------------------------------------


def test_training_is_the_calls_argument_by_name_or_position():
    layer, x = Noted(), np.zeros((1, 2), "float32")
    for call, expected in (
        (lambda: layer(x), False),
        (lambda: layer(x, training=True), True),
        (lambda: layer(x, True), True),
        (lambda: layer(x, None), False),
        (lambda: layer(x, training=None), False),
        (lambda: layer(x=x, training=True), True),
    ):
        call()
        assert layer.seen is expected


def test_training_is_that_of_the_enclosing_call_unless_given():
    inner, fixed, x = Noted(), Noted(), np.zeros((1, 2), "float32")

    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.inner, self.fixed = inner, fixed

        def call(self, x):
            return self.fixed(self.inner(x), training=False)

    outer = Outer()
    outer(x, training=True)
    assert (inner.seen, fixed.seen) == (True, False)
    outer(x)
    assert (inner.seen, fixed.seen) == (False, False)


def test_training_ends_with_the_call_even_if_it_fails():
    class Failing(Layer):
        def call(self, x):
            raise KeyError("no")

    with pytest.raises(KeyError):
        Failing()(np.zeros((1, 2), "float32"), training=True)
    layer = Noted()
    layer(np.zeros((1, 2), "float32"))
    assert layer.seen is False


def test_a_tape_alone_does_not_set_training():
    layer = Noted()
    with GradientTape():
        layer(np.zeros((1, 2), "float32"))
    assert layer.seen is False


# ---- layers of one's own ------------------------------------------------------------------------------------------


def test_a_layer_of_ones_own_builds_calls_and_differentiates(rng):
    layer = Scale(dtype="float64")
    with pytest.raises(ValueError, match="expected a built layer"):
        layer.count_params()
    x = rng.standard_normal((4, 3))
    np.testing.assert_array_equal(layer(x), x)
    assert layer.count_params() == 3 and layer.factor.path == f"{layer.name}/factor"
    with GradientTape() as tape:
        y = ops.sum(layer(x))
    np.testing.assert_allclose(tape.gradient(y, layer.factor), x.sum(axis=0), rtol=1e-14)


def test_a_layer_finds_its_own_output_shape():
    assert Scale().compute_output_shape((None, 5)) == (None, 5)

    class Pooled(Layer):
        def call(self, x):
            return ops.mean(x, axis=1)

    assert Pooled().compute_output_shape((None, None, 5)) == (None, 5)
    assert Pooled().compute_output_shape((7, 2, 5)) == (7, 5)


def test_weights_are_found_in_attributes_lists_and_dicts_also_when_filled_later():
    class Blocks(Layer):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(2)
            self.blocks = []
            self.named = {}
            for _ in range(2):
                self.blocks.append(layers.Dense(2))
            self.named["last"] = layers.Dense(2)
            self.offset = Variable(np.zeros(2, "float32"))

        def call(self, x):
            x = self.first(x)
            for block in self.blocks:
                x = block(x)
            return self.named["last"](x) + self.offset

    layer = Blocks()
    layer(np.zeros((1, 3), "float32"))
    assert len(layer.trainable_variables) == 9
    layer.trainable = False
    assert layer.trainable_variables == [] and not layer.blocks[1].trainable


def test_attributes_may_be_set_before_super_init():
    class Early(Layer):
        def __init__(self):
            self.inner = layers.Dense(2)
            self.sizes = [1, 2]
            super().__init__()

        def call(self, x):
            return self.inner(x)

    class Bare(Layer):
        def __init__(self):
            self.trainable = False
            self.scale = Variable(np.ones(2, np.float32))
            super().__init__()

    layer = Early()
    assert layer(np.ones((3, 4), np.float32)).shape == (3, 2)
    assert len(layer.weights) == 2
    assert len(Bare().weights) == 1


def test_a_forgotten_super_init_is_named():
    class Forgetful(Layer):
        def __init__(self):
            self.inner = layers.Dense(2)

        def call(self, x):
            return self.inner(x)

    with pytest.raises(RuntimeError, match=r"\[Forgetful\] expected its __init__\(\) to call super"):
        Forgetful()(np.ones((3, 4), np.float32))


def test_freezing_and_unfreezing_restores_what_each_weight_was():
    class Mixed(Layer):
        def build(self, input_shape):
            self.moving = self.add_weight((2,), "zeros", trainable=False, name="moving")
            self.scale = self.add_weight((2,), "ones", name="scale")

        def call(self, x):
            return x * self.scale + self.moving

    built_frozen = Mixed(trainable=False)
    for layer in (Mixed(), built_frozen):
        layer(np.zeros((1, 2), "float32"))
        layer.trainable = False
        assert layer.trainable_variables == [] and len(layer.non_trainable_variables) == 2
        for twin in (layer, copy.deepcopy(layer)):
            twin.trainable = True
            assert [v.name for v in twin.trainable_variables] == ["scale"]
            assert [v.name for v in twin.non_trainable_variables] == ["moving"]


def test_set_weights_sets_all_or_none():
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match="expected 2 weights, got 1"):
        layer.set_weights(before[:1])
    with pytest.raises(ValueError, match=r"expected .*/bias of shape \(2,\), got \(3,\)"):
        layer.set_weights([np.ones((3, 2)), np.ones(3)])
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])
    layer.set_weights([np.ones((3, 2)), np.ones(2)])
    assert (layer(np.ones((1, 3), "float32")) == 4).all()


def test_names_count_up_and_can_be_given():
    first, second = layers.LeakyReLU(), layers.LeakyReLU()
    assert first.name.startswith("leaky_re_lu") and first.name != second.name
    assert layers.Dense(2, name="head").name == "head"


def test_layers_describe_themselves():
    config = layers.Dense(3, "relu", kernel_initializer=fastnn.initializers.HeNormal(seed=4), name="d").get_config()
    twin = layers.deserialize(layers.serialize(layers.Dense.from_config(config)))
    assert twin.get_config() == config and config["kernel_initializer"]["class_name"] == "HeNormal"
    np.testing.assert_array_equal(twin.kernel_initializer((2, 2)), fastnn.initializers.HeNormal(seed=4)((2, 2)))
    with pytest.raises(ValueError, match="expected a function with a name, got a lambda"):
        layers.Dense(2, lambda x: x).get_config()
    with pytest.raises(ValueError, match=r"\[layers\] expected a known name such as .*'Dense'.*, got 'Denze'"):
        layers.deserialize({"class_name": "Denze", "config": {}})


def test_layers_can_be_pickled_with_their_weights(rng):
    layer = layers.Dense(3, "relu")
    x = rng.standard_normal((2, 4)).astype("float32")
    y = layer(x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(layer))(x), y)
    np.testing.assert_array_equal(copy.deepcopy(layer)(x), y)


def test_a_tape_follows_a_tensor_into_a_layer_of_another_dtype():
    first, second = layers.Dense(3, dtype="float64"), layers.Dense(2)
    with GradientTape() as tape:
        loss = ops.sum(second(first(np.ones((4, 2)))))
    gradient = tape.gradient(loss, first.kernel)
    assert (loss.dtype, gradient.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(gradient, 4 * np.sum(second.kernel.numpy(), axis=1) * np.ones((2, 1)), rtol=1e-6)


def test_dtype_policies_say_a_layers_dtype():
    layer = layers.Dense(2, dtype=fastnn.DTypePolicy("float64"))
    policy = layer.dtype_policy
    assert (policy.name, policy.compute_dtype, policy.variable_dtype) == ("float64",) * 3
    assert policy == fastnn.dtype_policies.DTypePolicy.from_config(policy.get_config()) != fastnn.DTypePolicy()
    assert layer.dtype == "float64" and fastnn.DTypePolicy().name == fastnn.floatx()
    with pytest.raises(ValueError, match=r"\[DTypePolicy\] expected dtype float32 or float64, got float16"):
        fastnn.DTypePolicy("float16")


def test_a_layer_hands_its_own_weights_over_and_takes_them_back():
    first, second, store = layers.BatchNormalization(), layers.BatchNormalization(), {}
    for layer in (first, second):
        layer.build((None, 3))
    first.set_weights([np.full(3, i) for i in range(4)])
    first.save_own_variables(store)
    assert list(store) == ["0", "1", "2", "3"] and store["1"].tolist() == [1, 1, 1]
    second.load_own_variables(store)
    np.testing.assert_array_equal(second.get_weights(), first.get_weights())
    store.pop("3")
    with pytest.raises(ValueError, match="expected 4 weights, got 3, named 0, 1, 2"):
        second.load_own_variables(store)


def test_a_layer_is_built_as_another_was():
    layer, twin = layers.Dense(3), layers.Dense(3)
    assert layer.get_build_config() is None
    layer(np.ones((2, 4)))
    twin.build_from_config(layer.get_build_config())
    assert twin.built and twin.kernel.shape == (4, 3)


def test_trainable_is_true_or_false():
    with pytest.raises(ValueError, match=r"\[Dense\] expected trainable True or False, got 'yes'"):
        layers.Dense(2, trainable="yes")


def test_weights_that_are_no_floats_begin_with_zeros():
    layer = layers.Layer(name="own")
    count = layer.add_weight(dtype="int32", trainable=False)
    flag = layer.add_weight((2,), dtype="bool", trainable=False)
    ones = layer.add_variable((2, 2), "ones", dtype="int64", trainable=False, name="n")
    assert (count.dtype, count.shape, count.numpy()) == (np.int32, (), 0) and flag.numpy().tolist() == [False, False]
    assert ones.dtype == np.int64 and ones.numpy().tolist() == [[1, 1], [1, 1]] and ones.name == "n"
    with pytest.raises(ValueError, match=r"\[own\] expected a shape first, got 'kernel'; names are given as name="):
        layer.add_weight("kernel")


def test_masks_come_in_the_kind_of_list_that_inputs_do():
    seen = []

    class Pair(layers.Layer):
        supports_masking = True

        def call(self, xs, xs_mask=None):
            seen.append(xs_mask)
            return xs[0]

    a, mask = np.ones((2, 3), "float32"), np.ones(2, bool)
    for kind in (list, tuple):
        Pair()(kind((masked(a, mask), a)))
        assert type(seen[-1]) is kind and seen[-1][1] is None
