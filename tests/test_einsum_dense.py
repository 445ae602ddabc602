"""EinsumDense: against numpy.einsum, and against the layers it stands for."""

import warnings

import numpy as np
import pytest

from fastnn import Sequential, layers
from fastnn.autograd import raw, vjp
from fastnn.layers import Dense, EinsumDense, Input, MultiHeadAttention
from fastnn.masks import mask_of
from fastnn.models import load_model
from fastnn.random import set_random_seed


# equation, shape of x, output_shape, bias_axes; shapes of kernel, bias and y, as Keras has them
@pytest.mark.parametrize(
    ("equation", "x", "output_shape", "bias_axes", "kernel", "bias", "y"),
    [
        ("ab,bc->ac", (2, 5), 3, "c", (5, 3), (3,), (2, 3)),
        ("abc,cd->abd", (2, 4, 5), (None, 3), "d", (5, 3), (3,), (2, 4, 3)),
        ("abc,cd->abd", (2, 4, 5), (4, 3), "bd", (5, 3), (4, 3), (2, 4, 3)),
        ("abc,cde->abde", (2, 4, 5), (None, 3, 2), "e", (5, 3, 2), (2,), (2, 4, 3, 2)),
        ("abc,cde->abde", (2, 4, 5), (None, 3, 2), "d", (5, 3, 2), (3, 1), (2, 4, 3, 2)),
        ("abcd,cde->abe", (2, 4, 3, 5), (None, 6), None, (3, 5, 6), None, (2, 4, 6)),
        ("abc,bd->acd", (2, 4, 5), (5, 3), "d", (4, 3), (3,), (2, 5, 3)),
        ("ab,ab->ab", (2, 5), 5, None, None, None, None),
        ("abc,bcd->abd", (2, 4, 5), (4, 3), "b", (4, 5, 3), (4, 1), (2, 4, 3)),
        ("...x,xy->...y", (2, 4, 5), 3, "y", (5, 3), (3,), (2, 4, 3)),
        ("...x,xy->...y", (2, 5), 3, "y", (5, 3), (3,), (2, 3)),
        ("ab...,bc->ac...", (2, 5, 4, 6), 3, "c", (5, 3), (3, 1, 1), (2, 3, 4, 6)),
    ],
)
def test_shapes_and_values_are_those_of_einsum(rng, equation, x, output_shape, bias_axes, kernel, bias, y):
    layer = EinsumDense(equation, output_shape, activation="tanh", bias_axes=bias_axes, bias_initializer="ones")
    given = rng.standard_normal(x).astype(np.float32)
    if kernel is None:  # the kernel would have the batch's length
        with pytest.raises(ValueError, match=r"expected known lengths of the kernel's axes 'ab', got \(None, 5\)"):
            layer.build((None, *x[1:]))
        return
    assert layer.compute_output_shape((None, *x[1:])) == (None, *y[1:])
    found = layer(given)
    assert found.shape == y and layer.kernel.shape == kernel
    assert (None if layer.bias is None else layer.bias.shape) == bias
    plain = np.einsum(equation, given, raw(layer.kernel)) + (0 if bias is None else raw(layer.bias))
    np.testing.assert_allclose(found, np.tanh(plain), rtol=1e-5, atol=1e-6)
    again = EinsumDense.from_config(layer.get_config())
    again.build((None, *x[1:]))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(given), found)


def test_it_is_the_dense_layer_where_the_equation_says_so(rng):
    x, dy = rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 4, 6))
    one, other = EinsumDense("...x,xy->...y", 6, "relu", "y", dtype="float64"), Dense(6, "relu", dtype="float64")
    y, pullback = vjp(one, x)
    other.build((None, 4, 5))
    other.set_weights(one.get_weights())
    wanted, back = vjp(other, x)
    np.testing.assert_allclose(y, wanted)
    (dx,), dws = pullback(dy, variables=one.trainable_variables)
    (dx2,), dws2 = back(dy, variables=other.trainable_variables)
    for found, right in zip((dx, *dws), (dx2, *dws2), strict=True):
        np.testing.assert_allclose(found, right)


def test_a_kernel_of_three_axes_is_drawn_with_the_fans_of_the_equation():
    layer = EinsumDense("abc,cde->abde", (None, 8, 16), kernel_initializer="glorot_uniform")
    layer.build((None, 4, 64))
    limit = np.sqrt(6 / (64 + 8 * 16))
    assert 0.98 * limit < np.abs(raw(layer.kernel)).max() <= limit
    heads = MultiHeadAttention(8, 16)
    heads.build((None, 4, 64), (None, 4, 64))
    assert 0.98 * limit < np.abs(raw(heads.query_dense.kernel)).max() <= limit
    assert 0.98 * limit < np.abs(raw(heads.output_dense.kernel)).max() <= limit


def test_lora_trains_the_two_factors_alone(rng):
    layer = EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de", lora_rank=2, lora_alpha=6.0)
    x = rng.standard_normal((2, 4, 5)).astype(np.float32)
    before = layer(x)
    assert [v.name for v in layer.trainable_variables] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    layer.lora_kernel_b.assign(np.ones((2, 2)))
    change = 3 * np.matmul(raw(layer.lora_kernel_a), np.ones((2, 2), np.float32))
    np.testing.assert_allclose(layer(x) - before, np.einsum("abc,cde->abde", x, change), rtol=1e-4, atol=1e-5)
    again = EinsumDense.from_config(layer.get_config())
    assert (again.lora_rank, again.lora_alpha) == (2, 6.0)


def trained(eagerly):
    set_random_seed(4)
    model = Sequential([Input((4, 5)), EinsumDense("abc,cd->abd", (None, 8), "tanh", "d"), layers.Flatten(), Dense(1)])
    model.compile("adam", "mse", run_eagerly=eagerly)
    x, y = np.random.default_rng(0).standard_normal((64, 4, 5)).astype(np.float32), np.ones((64, 1), np.float32)
    return model, model.fit(x, y, epochs=3, batch_size=16, verbose=0).history["loss"]


def test_a_model_with_it_trains_the_same_recorded_or_not_and_is_saved(rng, tmp_path):
    model, losses = trained(False)
    assert model._steps_now()._training._steps  # there was something to replay
    assert losses == trained(True)[1]
    model.save(tmp_path / "m.safetensors")
    x = rng.standard_normal((2, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors")(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ab,bc", 3), "expected an equation like"),
        (("ab...,bc->...ac", 3), "expected an equation like"),
        (("ab,bc,cd->ad", 3), "expected an equation like"),
        (("ab,bd->ac", 3), "expected axis 'd' of the kernel in x or y too"),
        (("ab,b->ac", 3), "expected axis 'c' of y in x or the kernel too"),
    ],
)
def test_equations_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=rf"\[EinsumDense\] {message}"):
        EinsumDense(*arguments)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\[e\] expected an input with axes 'ab', got \(None, 4, 5\)"):
        EinsumDense("ab,bc->ac", 3, name="e").build((None, 4, 5))
    with pytest.raises(ValueError, match=r"expected 4 or None for axis 'b', as in the input, got 7"):
        EinsumDense("abc,cd->abd", (7, 3)).build((None, 4, 5))
    with pytest.raises(ValueError, match=r"expected output_shape to have a length for each axis of 'abd'"):
        EinsumDense("abc,cd->abd", 3).build((None, 4, 5))
    with pytest.raises(ValueError, match=r"expected bias_axes of 'ac', got 'b'"):
        EinsumDense("ab,bc->ac", 3, bias_axes="b").build((None, 5))
    with pytest.raises(ValueError, match=r"\[EinsumDense\] expected quantization_config None, got 8"):
        EinsumDense("ab,bc->ac", 3, quantization_config=8)
    with pytest.raises(ValueError, match=r"expected no kernel_constraint with lora_rank, got both"):
        EinsumDense("ab,bc->ac", 3, kernel_constraint="non_neg", lora_rank=1)


def test_a_mask_ends_with_a_warning(rng):
    tokens = np.array([[1, 2, 0], [3, 0, 0]])
    masked = Sequential([layers.Embedding(5, 4, mask_zero=True), layers.EinsumDense("abc,cd->abd", (None, 2))])
    with pytest.warns(UserWarning, match="expected an input without a mask, got one, which ends here"):
        y = masked(tokens)
    assert mask_of(y) is None
    expected = masked.layers[0](tokens) @ masked.layers[1].kernel.value
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-8)  # sums of 4 products of some 0.05, in another order
    quiet = layers.EinsumDense("abc,cd->abd", (None, 2), drop_mask=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet(masked.layers[0](tokens))
        quiet(rng.standard_normal((2, 3, 4)))
