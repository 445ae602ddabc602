"""Positions and the blocks of a Transformer."""

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, layers, ops, utils
from fastnn.autograd import raw
from fastnn.layers import (
    Dense,
    Embedding,
    PositionEmbedding,
    RotaryEmbedding,
    SinePositionEncoding,
    TokenAndPositionEmbedding,
    TransformerDecoder,
    TransformerEncoder,
)
from fastnn.masks import mask_of


def test_positions_are_sines_and_cosines(rng):
    y = SinePositionEncoding(max_wavelength=100.0)(np.zeros((2, 3, 4), np.float32), start_index=1)
    expected = [[np.sin(p), np.cos(p), np.sin(p / 10), np.cos(p / 10)] for p in (1, 2, 3)]
    np.testing.assert_allclose(y, [expected, expected], rtol=1e-6)


def test_positions_are_trained(rng):
    layer = PositionEmbedding(5)
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    y = layer(x, start_index=2)
    np.testing.assert_array_equal(y, np.broadcast_to(raw(layer.position_embeddings)[2:5], x.shape))
    with pytest.raises(ValueError, match="expected at most 5 positions, got 6"):
        layer(x, start_index=3)


def test_rotations_are_those_of_the_op(rng):
    x = rng.standard_normal((2, 3, 2, 4)).astype(np.float32)
    np.testing.assert_array_equal(RotaryEmbedding(50.0, 2.0)(x, start_index=4), ops.rotary_embedding(x, 4, 50.0, 2.0))
    assert (RotaryEmbedding()(x, positions=np.array([0, 0, 0])) == x).all()


def test_tokens_and_positions_are_added():
    words = np.array([[3, 1, 0]])
    layer = TokenAndPositionEmbedding(4, 5, 6, mask_zero=True)
    y = layer(words)
    np.testing.assert_array_equal(mask_of(y), words != 0)
    tokens, positions = (raw(w) for w in layer.weights)
    np.testing.assert_allclose(y[0], tokens[[3, 1, 0]] + positions[:3], rtol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        PositionEmbedding(5),
        SinePositionEncoding(50.0),
        RotaryEmbedding(50.0, 2.0),
        TokenAndPositionEmbedding(4, 5, 6),
        TransformerEncoder(8, 2, dropout=0.1, activation="gelu", normalize_first=True),
        TransformerDecoder(8, 2, layer_norm_epsilon=1e-3),
    ],
)
def test_settings_round_trip(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("first", [False, True])
def test_an_encoder_is_attention_and_a_feed_forward_part_each_added_and_normalised(rng, first):
    x = rng.standard_normal((2, 3, 8)).astype(np.float32)
    layer = TransformerEncoder(16, 2, normalize_first=first)
    y = layer(x)
    a, middle, out = layer.self_attention, layer.feedforward_intermediate, layer.feedforward_output

    def part(x, work):
        return x + work(norm(x)) if first else norm(x + work(x))

    expected = part(x, lambda z: a(z.astype(np.float32), z.astype(np.float32)))
    expected = part(expected, lambda z: np.maximum(z @ raw(middle.kernel), 0) @ raw(out.kernel))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    seen, padding = rng.random((2, 3, 3)) < 0.6, rng.random((2, 3)) < 0.7
    masked = part(x, lambda z: a(*[z.astype(np.float32)] * 2, attention_mask=seen & padding[:, None]))
    masked = part(masked, lambda z: np.maximum(z @ raw(middle.kernel), 0) @ raw(out.kernel))
    found = layer(x, padding_mask=padding, attention_mask=seen)
    np.testing.assert_allclose(found, masked, rtol=1e-4, atol=1e-5)
    again, weights = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(again, y, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights.sum(-1), np.ones((2, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("hidden", [(), ("padding",), ("attention",), ("padding", "attention")])
def test_a_decoder_is_causal_attention_attention_to_the_encoder_and_a_feed_forward_part(rng, first, cross, hidden):
    x, source = rng.standard_normal((2, 4, 8)).astype(np.float32), rng.standard_normal((2, 3, 6)).astype(np.float32)
    layer = TransformerDecoder(16, 2, normalize_first=first)
    masks, seen = {}, {"decoder": np.tril(np.ones((2, 4, 4), bool)), "encoder": np.ones((2, 4, 3), bool)}
    for side, steps in (("decoder", 4), ("encoder", 3))[: 1 + cross]:
        for kind in hidden:
            mask = rng.random((2, steps) if kind == "padding" else (2, 4, steps)) < 0.6
            masks[f"{side}_{kind}_mask"] = mask
            seen[side] &= mask[:, None] if kind == "padding" else mask
    y = layer(x, *([source] if cross else []), **masks)
    middle, out = layer.feedforward_intermediate, layer.feedforward_output

    def part(x, work):
        return (x + work(norm(x)) if first else norm(x + work(x))).astype(np.float32)

    expected = part(x, lambda z: layer.self_attention(z, z, attention_mask=seen["decoder"]))
    if cross:
        expected = part(expected, lambda z: layer.cross_attention(z, source, attention_mask=seen["encoder"]))
    expected = part(expected, lambda z: np.maximum(z @ raw(middle.kernel), 0) @ raw(out.kernel))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_padding_is_not_seen(rng):
    x = rng.standard_normal((2, 5, 8)).astype(np.float32)
    seen = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], bool)
    layer = TransformerEncoder(16, 2)
    whole = layer(x, padding_mask=seen)
    other = x.copy()
    other[~seen] = 100
    np.testing.assert_allclose(layer(other, padding_mask=seen)[seen], whole[seen], rtol=1e-5)
    tokens = Embedding(4, 8, mask_zero=True)(np.where(seen, 2, 0))
    np.testing.assert_array_equal(mask_of(layer(tokens)), seen)
    np.testing.assert_allclose(layer(tokens), layer(raw(tokens), padding_mask=seen), rtol=1e-6)


def test_a_decoder_sees_what_came_before_and_all_of_the_encoder(rng):
    x, source = rng.standard_normal((2, 4, 8)).astype(np.float32), rng.standard_normal((2, 3, 6)).astype(np.float32)
    layer = TransformerDecoder(16, 2)
    y = layer(x, source)
    assert y.shape == x.shape == layer.compute_output_shape(x.shape, source.shape)
    later = x.copy()
    later[:, 2:] += 1
    np.testing.assert_allclose(layer(later, source)[:, :2], y[:, :2], rtol=1e-5, atol=1e-6)
    assert (layer(later, source, use_causal_mask=False)[:, 0] != y[:, 0]).any()
    moved = source.copy()
    moved[:, 2] += 1
    assert (layer(x, moved)[:, 0] != y[:, 0]).any()
    hidden = np.array([[1, 1, 0]] * 2, bool)
    np.testing.assert_allclose(
        layer(x, moved, encoder_padding_mask=hidden), layer(x, source, encoder_padding_mask=hidden), rtol=1e-5
    )
    with pytest.raises(ValueError, match="expected an encoder_sequence, as in the call that built the layer"):
        layer(x)
    with pytest.raises(ValueError, match="expected no encoder_sequence"):
        alone = TransformerDecoder(16, 2)
        alone(x)
        alone(x, source)


def test_recorded_steps_of_a_transformer_are_those_of_python(rng):
    x = rng.integers(1, 7, (8, 6))

    def trained(eagerly):
        utils.set_random_seed(1)
        blocks = [TokenAndPositionEmbedding(7, 6, 8, mask_zero=True), TransformerEncoder(16, 2, dropout=0.1)]
        model = Sequential([*blocks, Dense(7, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eagerly)
        losses = [model.train_on_batch(x, x[:, ::-1].copy()) for _ in range(4)]
        return model, [losses, *[w.tobytes() for w in model.get_weights()]]

    plain, (model, recorded) = trained(True)[1], trained(False)
    assert recorded == plain
    assert model._steps_now()._training._steps


def test_a_transformer_of_encoder_and_decoder_is_a_functional_model(rng, tmp_path):
    from fastnn import load_model

    source, given = Input((None,), dtype="int64"), Input((None,), dtype="int64")
    seen = TransformerEncoder(16, 2)(TokenAndPositionEmbedding(9, 7, 8, mask_zero=True)(source))
    y = TransformerDecoder(16, 2)(TokenAndPositionEmbedding(9, 7, 8)(given), seen)
    model = Model([source, given], Dense(9)(y))
    x = rng.integers(1, 9, (3, 5)), rng.integers(1, 9, (3, 4))
    padded = np.concatenate([x[0], np.zeros((3, 2), int)], axis=1)
    out = model([x[0], x[1]])
    assert out.shape == (3, 4, 9)
    np.testing.assert_allclose(model([padded, x[1]]), out, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras")([x[0], x[1]]), out)


def test_the_layers_are_among_the_layers():
    assert layers.TransformerEncoder is TransformerEncoder
