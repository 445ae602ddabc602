"""The attention layers, against the formulas they stand for and against each other."""

import gc

import numpy as np
import pytest

from fastnn import Input, Sequential, layers, masks, ops, utils
from fastnn.autograd import GradientTape, raw
from fastnn.layers import AdditiveAttention, Attention, Embedding, GroupQueryAttention, MultiHeadAttention
from fastnn.masks import mask_of, masked
from fastnn.testing import covering, missing_pairs


def softmax(s, mask=True):
    e = np.where(mask, np.exp(s - s.max(-1, keepdims=True)), 0)
    return e / np.maximum(e.sum(-1, keepdims=True), 1e-300)


@pytest.fixture
def inputs(rng):
    shapes = (2, 3, 4), (2, 5, 6), (2, 5, 4)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


QUERY_MASK = np.array([[1, 1, 0], [1, 0, 0]], bool)
VALUE_MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]], bool)
CAUSAL = np.tril(np.ones((3, 5), bool))


def scores_of(layer, q, k):
    scale = np.ones(4) if layer.scale is None else raw(layer.scale)
    if isinstance(layer, AdditiveAttention):
        return np.sum(scale * np.tanh(q[:, :, None] + k[:, None]), -1)
    if layer.score_mode == "concat":
        return raw(layer.concat_score_weight) * np.sum(np.tanh(scale * (q[:, :, None] + k[:, None])), -1)
    return (q * scale) @ k.swapaxes(1, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Attention(),
        lambda: Attention(use_scale=True),
        lambda: Attention(score_mode="concat"),
        lambda: Attention(score_mode="concat", use_scale=True),
        lambda: AdditiveAttention(),
        lambda: AdditiveAttention(use_scale=False),
    ],
)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_attention_of_one_head_is_the_formula(inputs, make, causal, hidden):
    q, v, k = inputs
    layer = make()
    layer.build([x.shape for x in inputs])
    for weight in layer.weights:
        weight.assign(np.linspace(0.5, 1.5, weight.size).reshape(weight.shape))
    mask = [QUERY_MASK, VALUE_MASK] if hidden else None
    seen = (CAUSAL if causal else True) & (VALUE_MASK[:, None] if hidden else np.ones((1, 1, 5), bool))
    weights = softmax(scores_of(layer, q, k), seen)
    expected = weights @ v
    if hidden:
        expected *= QUERY_MASK[..., None]
    y = layer([q, v, k], mask=mask, use_causal_mask=causal)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=1e-6)
    again, found = layer([q, v, k], mask=mask, use_causal_mask=causal, return_attention_scores=True)
    np.testing.assert_allclose(again, y, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(found, weights, rtol=2e-5, atol=1e-6)
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()


ONE_HEAD = {
    "layer": ["dot", "scaled dot", "concat", "scaled concat", "additive", "scaled additive"],
    "n": [3, 1, 32],
    "tq": [17, 2, 1, 0],
    "tk": [17, 1, 2, 0],
    "d": [7, 16, 33, 1],
    "dv": [16, 7, 1, 33],
    "query_mask": [True, False],
    "value_mask": [True, False],
    "causal": [False, True],
    "training": [False, True],
}
ONE_HEAD_CASES = covering(**ONE_HEAD)


@pytest.mark.parametrize("case", ONE_HEAD_CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_one_head_of_any_size_with_and_without_its_scores(rng, case):
    n, tq, tk, d, dv = (case[name] for name in ("n", "tq", "tk", "d", "dv"))
    query_mask = rng.random((n, tq)) < 0.7 if case["query_mask"] else None
    value_mask = rng.random((n, tk)) < 0.7 if case["value_mask"] else None
    seen = np.ones((n, tq, tk), bool) if value_mask is None else np.repeat(value_mask[:, None], tq, 1)
    if case["causal"]:
        seen = seen & (np.arange(tk) <= np.arange(tq)[:, None])
    given = [rng.standard_normal(shape) for shape in ((n, tq, d), (n, tk, dv), (n, tk, d))]
    found = []
    for keep in (False, True):
        options = {"use_scale": "scaled" in case["layer"], "dropout": 0.3, "seed": 7, "dtype": "float64"}
        mode = {"score_mode": "concat"} if "concat" in case["layer"] else {}
        layer = (AdditiveAttention if "additive" in case["layer"] else Attention)(**options, **mode)
        layer.build([x.shape for x in given])
        layer.set_weights([np.linspace(0.5, 1.5, w.size).reshape(w.shape) for w in layer.weights])
        with GradientTape() as tape:
            inputs = [tape.watch(x) for x in given]
            y = layer(inputs, mask=[query_mask, value_mask], training=case["training"],
                      return_attention_scores=keep, use_causal_mask=case["causal"])  # fmt: skip
            loss = ops.sum(ops.square(y[0] if keep else y))
        found.append([raw(y[0] if keep else y), *tape.gradient(loss, [*inputs, *layer.trainable_variables])])
    for without, kept in zip(*found, strict=True):
        np.testing.assert_allclose(without, kept, rtol=1e-9, atol=1e-10)
    if not case["training"]:
        q, v, k = given
        scale = raw(layer.scale) if layer.scale is not None else 1.0
        scores = (q * scale) @ k.swapaxes(1, 2)
        if case["layer"] in ("additive", "scaled additive"):
            scores = np.sum(scale * np.tanh(q[:, :, None] + k[:, None]), -1)
        elif mode:
            scores = raw(layer.concat_score_weight) * np.sum(np.tanh(scale * (q[:, :, None] + k[:, None])), -1)
        expected = (softmax(scores, seen) if tk else scores) @ v
        if query_mask is not None:
            expected = np.where(query_mask[..., None], expected, 0)
        np.testing.assert_allclose(found[0][0], expected, rtol=1e-9, atol=1e-12)


def test_attention_takes_and_gives_the_masks_of_its_inputs(inputs):
    q, v, k = inputs
    q, v = masked(q, QUERY_MASK), masked(v, VALUE_MASK)
    y = Attention()([q, v, k])
    np.testing.assert_array_equal(mask_of(y), QUERY_MASK)
    np.testing.assert_allclose(y, Attention()([raw(q), raw(v), k], mask=[QUERY_MASK, VALUE_MASK]))
    for layer in (Attention(), AdditiveAttention()):
        with pytest.raises(ValueError, match=r"\[query, value, key\], got one of shape \(None, 3, 4\)"):
            layer(q)


@pytest.mark.parametrize("make", [Attention, lambda: Attention(score_mode="concat"), AdditiveAttention])
def test_further_axes_have_an_attention_each(rng, make):
    q, v, k = (rng.standard_normal((2, 3, *shape)).astype(np.float32) for shape in ((4, 5), (6, 7), (6, 5)))
    mask = [rng.random((2, 3, 4)) < 0.6, rng.random((2, 3, 6)) < 0.6]
    layer = make()
    y, weights = layer([q, v, k], mask=mask, return_attention_scores=True, use_causal_mask=True)
    for i in range(3):
        own = [m[:, i] for m in mask]
        expected = layer([x[:, i] for x in (q, v, k)], mask=own, return_attention_scores=True, use_causal_mask=True)
        np.testing.assert_allclose(y[:, i], expected[0], rtol=1e-6)
        np.testing.assert_allclose(weights[:, i], expected[1], rtol=1e-6)
    np.testing.assert_allclose(layer([q, v, k], mask=mask, use_causal_mask=True), y, rtol=1e-4, atol=1e-6)
    assert layer([Input(x.shape[1:]) for x in (q, v, k)]).shape == (None, 3, 4, 7)


def heads_by_hand(layer, q, v, k, seen, heads, kv_heads):
    """(y, weights) of the layer, head after head."""
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = (
        [raw(w).astype(np.float64) for w in dense.weights]
        for dense in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    y, weights = bo + np.zeros((*q.shape[:2], *bo.shape)), []
    for h in range(heads):
        g = h * kv_heads // heads
        a, b, c = q @ wq[:, h] + bq[h], k @ wk[:, g] + bk[g], v @ wv[:, g] + bv[g]
        weights.append(softmax(a @ b.swapaxes(1, 2) / np.sqrt(a.shape[-1]), seen))
        y = y + np.tensordot(weights[-1] @ c, wo[h], axes=1)
    return y, np.stack(weights, 1)


@pytest.mark.parametrize(
    ("layer", "heads", "kv_heads"),
    [
        (MultiHeadAttention(2, 3), 2, 2),
        (MultiHeadAttention(2, 3, value_dim=5, output_shape=(2, 4)), 2, 2),
        (GroupQueryAttention(3, 4, 2), 4, 2),
        (GroupQueryAttention(3, 3, 1), 3, 1),
    ],
)
@pytest.mark.parametrize("kind", ["all", "causal", "attention_mask", "value_mask", "query_mask", "both"])
def test_attention_of_many_heads_is_the_formula_head_after_head(rng, inputs, layer, heads, kv_heads, kind):
    q, v, k = inputs
    attention_mask = rng.random((2, 3, 5)) < 0.6
    seen, options = np.ones((2, 3, 5), bool), {}
    if kind in ("causal", "both"):
        seen, options["use_causal_mask"] = seen & CAUSAL, True
    if kind in ("attention_mask", "both"):
        seen, options["attention_mask"] = seen & attention_mask, attention_mask
    if kind in ("value_mask", "both"):
        seen, options["value_mask"] = seen & VALUE_MASK[:, None], VALUE_MASK
    if kind in ("query_mask", "both"):
        seen, options["query_mask"] = seen & QUERY_MASK[..., None], QUERY_MASK
    y = layer(q, v, k, **options)
    for weight in layer.weights:
        weight.assign(rng.standard_normal(weight.shape) / 2)
    y = layer(q, v, k, **options)
    expected, weights = heads_by_hand(layer, q, v, k, seen, heads, kv_heads)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    if isinstance(layer, MultiHeadAttention):
        assert y.shape == layer.compute_output_shape(q.shape, v.shape, k.shape)
    else:
        assert y.shape == layer.compute_output_shape(q.shape, k.shape)
    again, found = layer(q, v, k, return_attention_scores=True, **options)
    np.testing.assert_allclose(again, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, weights, rtol=1e-4, atol=1e-5)
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_shapes_of_inputs_that_do_not_go_together_are_refused():
    by_heads, by_groups = MultiHeadAttention(4, 2), GroupQueryAttention(2, 4, 4)
    for layer in (by_heads, by_groups):
        with pytest.raises(ValueError, match="expected key and value of one length"):
            layer.compute_output_shape((2, 4, 8), (2, 2, 8), (2, 1, 7))
    with pytest.raises(ValueError, match="expected key and value of one length"):
        by_heads(np.ones((2, 4, 8)), np.ones((2, 2, 8)), np.ones((2, 1, 7)))
    with pytest.raises(ValueError, match="expected query and value of as many features"):
        by_groups.compute_output_shape((2, 4, 8), (2, 2, 7))
    with pytest.raises(ValueError, match=r"expected output_shape as integers, got 8\.0"):
        MultiHeadAttention(2, 4, output_shape=8.0)


def test_attention_by_groups_is_known_by_both_of_its_names():
    layer = GroupQueryAttention(2, 4, 2)
    config = {"class_name": "GroupedQueryAttention", "config": layer.get_config()}
    assert layers.deserialize(config).get_config() == layer.get_config()
    assert layers.GroupedQueryAttention is GroupQueryAttention


FACTORS = {
    "n": [3, 1, 32],
    "tq": [17, 2, 1, 0],
    "tk": [17, 1, 2, 0],
    "heads": [(4, 2), (2, 2), (1, 1), (3, 1)],
    "size": [7, 16, 33, 1],
    "attention_mask": [None, "heads", "steps", "of 0 and 1"],
    "value_mask": [True, False],
    "key_mask": [False, True],
    "query_mask": [True, False],
    "causal": [False, True],
    "use_bias": [True, False],
    "training": [False, True],
    "gate": [False, True],
}
CASES = covering(**FACTORS)


def test_the_samples_hold_every_pair_of_values():
    assert not missing_pairs(FACTORS, CASES) and not missing_pairs(ONE_HEAD, ONE_HEAD_CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_heads_of_any_size_with_and_without_their_scores(rng, case):
    """Both ways, tiled and with the scores kept, give the values and the gradients of all inputs and weights."""
    (heads, kv_heads), size = case["heads"], case["size"]
    n, tq, tk = case["n"], case["tq"], case["tk"]
    options = {"dropout": 0.3, "seed": 7, "use_bias": case["use_bias"], "use_gate": case["gate"], "dtype": "float64"}
    given = [rng.standard_normal(shape) for shape in ((n, tq, 5), (n, tk, 6), (n, tk, 4))]
    seen, masks = np.ones((n, heads, tq, tk), bool), {"use_causal_mask": case["causal"]}
    if case["attention_mask"] is not None:
        attention_mask = rng.random((n, heads if case["attention_mask"] == "heads" else 1, tq, tk)) < 0.6
        seen = seen & attention_mask
        attention_mask = attention_mask if case["attention_mask"] == "heads" else attention_mask[:, 0]
        dtype = np.float32 if case["attention_mask"] == "of 0 and 1" else bool
        masks["attention_mask"] = attention_mask.astype(dtype)
    for name, steps, axes in (("query_mask", tq, (1, 3)), ("value_mask", tk, (1, 2)), ("key_mask", tk, (1, 2))):
        if case[name]:
            masks[name] = rng.random((n, steps)) < 0.7
            seen = seen & np.expand_dims(masks[name], axes)
    if case["causal"]:
        seen = seen & (np.arange(tk) <= np.arange(tq)[:, None])

    found = []
    weights = None
    for keep in (False, True):
        layer = GroupQueryAttention(size, heads, kv_heads, **options)  # anew: dropout begins with the same step
        layer.build(*(x.shape for x in given))
        if weights is None:
            weights = [rng.standard_normal(w.shape) / np.sqrt(w.shape[0]) for w in layer.weights]
        layer.set_weights(weights)
        with GradientTape() as tape:
            inputs = [tape.watch(x) for x in given]
            y = layer(*inputs, return_attention_scores=keep, training=case["training"], **masks)
            loss = ops.sum(ops.square(y[0] if keep else y))
        found.append([raw(y[0] if keep else y), *tape.gradient(loss, [*inputs, *layer.trainable_variables])])
        scores = raw(y[1]) if keep else None
    for without, kept in zip(*found, strict=True):
        np.testing.assert_allclose(without, kept, rtol=1e-9, atol=1e-10)
    if not case["training"]:
        still = GroupQueryAttention(size, heads, kv_heads, **{**options, "dropout": 0.0})
        still.build(*(x.shape for x in given))
        still.set_weights(weights)
        np.testing.assert_array_equal(found[0][0], still(*given, **masks))

    q, _, k = given
    projected = [
        np.einsum("nti,ihd->nthd", x, raw(dense.kernel)) + (raw(dense.bias) if case["use_bias"] else 0)
        for x, dense in ((q, layer.query_dense), (k, layer.key_dense))
    ]
    projected[1] = np.repeat(projected[1], heads // kv_heads, axis=2)
    expected = np.einsum("nqhd,nkhd->nhqk", *projected) / np.sqrt(size)
    expected = softmax(expected, seen) if tk else expected
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)


def test_a_window_hides_what_is_further_away(inputs):
    q = inputs[0]
    layer = MultiHeadAttention(2, 3, sliding_window=2)
    _, weights = layer(q, q, return_attention_scores=True)
    away = np.abs(np.arange(3)[:, None] - np.arange(3)) >= 2
    assert not weights[:, :, away].any() and weights[:, :, ~away].all()


def test_a_gate_multiplies_the_heads(rng, inputs):
    q = inputs[0]
    layer = MultiHeadAttention(2, 3, use_gate=True)
    layer(q, q)
    for weight in layer.gate_dense.weights:
        weight.assign(np.zeros(weight.shape))
    half = layer(q, q)
    plain = MultiHeadAttention(2, 3)
    plain(q, q)
    gate = layer.gate_dense.weights
    plain.set_weights([raw(w) for w in layer.weights if not any(w is g for g in gate)])
    np.testing.assert_allclose(half, plain(q, q) / 2, rtol=1e-5)  # biases are zeros


@pytest.mark.parametrize("axes", [None, (1,), (2,), -2, (1, 2)])
def test_attention_goes_over_the_axes_named(rng, axes):
    x = rng.standard_normal((2, 3, 4, 6)).astype(np.float32)
    layer = MultiHeadAttention(2, 3, attention_axes=axes)
    y, weights = layer(x, x, return_attention_scores=True)
    flat = MultiHeadAttention(2, 3)
    flat.build((None, None, 6), (None, None, 6))
    flat.set_weights(layer.get_weights())
    over = axes if isinstance(axes, tuple) else (1, 2) if axes is None else (2,)
    if over == (1, 2):
        expected, shape = flat(x.reshape(2, 12, 6), x.reshape(2, 12, 6)).reshape(x.shape), (2, 2, 3, 4, 3, 4)
    elif over == (2,):
        rows = x.reshape(6, 4, 6)
        expected, shape = flat(rows, rows).reshape(x.shape), (2, 3, 2, 4, 4)
    else:
        rows = x.swapaxes(1, 2).reshape(8, 3, 6)
        expected, shape = flat(rows, rows).reshape(2, 4, 3, 6).swapaxes(1, 2), (2, 4, 2, 3, 3)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(x, x), expected, rtol=1e-5, atol=1e-6)
    assert weights.shape == shape


@pytest.mark.parametrize("axes", [(1,), (2,), (3,), (1, 3), (2, 3)])
def test_attention_over_some_of_three_axes_leaves_each_in_its_place(rng, axes):
    x = rng.standard_normal((2, 3, 4, 5, 6)).astype(np.float32)
    layer = MultiHeadAttention(2, 3, attention_axes=axes)
    y = layer(x, x)
    flat = MultiHeadAttention(2, 3)
    flat.build((None, None, 6), (None, None, 6))
    flat.set_weights(layer.get_weights())
    others = [axis for axis in (1, 2, 3) if axis not in axes]
    for n, *at in np.ndindex(2, *(x.shape[axis] for axis in others)):
        place = [n, slice(None), slice(None), slice(None)]
        for axis, i in zip(others, at, strict=True):
            place[axis] = i
        rows = x[tuple(place)].reshape(1, -1, 6)
        expected = flat(rows, rows).reshape(x[tuple(place)].shape)
        np.testing.assert_allclose(y[tuple(place)], expected, rtol=1e-5, atol=1e-6)


def test_dropout_is_the_same_with_and_without_the_scores(inputs):
    q, v, _ = inputs

    def run(return_scores):
        layer = MultiHeadAttention(2, 3, dropout=0.4, seed=3, kernel_initializer="ones")
        y = layer(q, v, training=True, return_attention_scores=return_scores)
        return y[0] if return_scores else y

    assert (run(False) != MultiHeadAttention(2, 3, kernel_initializer="ones")(q, v)).any()
    np.testing.assert_allclose(run(True), run(False), rtol=1e-5, atol=1e-6)


def test_gradients_do_not_depend_on_whether_the_scores_are_kept(inputs):
    q, v, _ = inputs
    layer = MultiHeadAttention(2, 3)
    layer(q, v)
    found = []
    for keep in (False, True):
        with GradientTape() as tape:
            y = layer(q, v, value_mask=VALUE_MASK, return_attention_scores=keep)
            loss = ops.sum(ops.square(y[0] if keep else y))
        found.append(tape.gradient(loss, layer.trainable_variables))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_masks_reach_the_heads_and_leave_with_the_output():
    words = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    embedding, layer = Embedding(4, 6, mask_zero=True), MultiHeadAttention(2, 3)
    x = embedding(words)
    y, weights = layer(x, x, return_attention_scores=True)
    np.testing.assert_array_equal(mask_of(y), words != 0)
    assert mask_of(weights) is None
    assert not weights[0, :, :, 2:].any() and not weights[1, :, :, 1:].any()
    np.testing.assert_allclose(layer(x, x), y, rtol=1e-5, atol=1e-6)
    del x, y
    gc.collect()
    assert not masks.table


class SelfAttention(layers.Layer):
    """A layer of one input."""

    recordable = True

    def __init__(self, **options):
        super().__init__(**options)
        self.heads = MultiHeadAttention(2, 4, dropout=0.1)
        self.one = AdditiveAttention()

    def call(self, x, training=False):
        x = x + self.heads(x, x, use_causal_mask=True, training=training)
        return self.one([x, x], training=training)


def test_recorded_steps_with_attention_are_those_of_python(rng):
    x, y = rng.integers(1, 9, (16, 7)), rng.integers(0, 5, (16, 7))

    def trained(eagerly):
        utils.set_random_seed(5)
        model = Sequential([Embedding(9, 8), SelfAttention(), layers.Dense(5, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eagerly)
        losses = [model.train_on_batch(x, y) for _ in range(5)]
        return model, [losses, *[w.tobytes() for w in model.get_weights()]]

    plain, (model, recorded) = trained(True)[1], trained(False)
    assert recorded == plain
    assert model._steps_now()._training._steps


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(0, 3), r"\[MultiHeadAttention\] expected heads to be a positive"),
        (lambda: MultiHeadAttention(2, 3, sliding_window=0), r"expected sliding_window to be a positive integer, got"),
        (lambda: GroupQueryAttention(3, 4, 3), r"expected a number of heads that is a multiple of 3, got 4"),
        (lambda: Attention(score_mode="sum"), r"\[Attention\] expected score_mode 'dot' or 'concat', got 'sum'"),
        (
            lambda: Attention(name="a")([CAUSAL[None]] * 2, mask=[None]),
            r"\[a\] expected mask as \[of the .*, got 1 masks",
        ),
        (lambda: Attention()([CAUSAL[None]] * 2, mask=CAUSAL), r"expected mask as \[of the .*, got ndarray"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


EACH = [Attention, AdditiveAttention, MultiHeadAttention, GroupQueryAttention, "encoder", "decoder"]


def called(kind, query, value, **options):
    """What a layer of this kind makes of two sequences; the same weights each time."""
    utils.set_random_seed(3)
    if kind in (Attention, AdditiveAttention):
        return kind()([query, value], **options)
    if kind == "encoder":
        return layers.TransformerEncoder(8, 2)(query)
    if kind == "decoder":
        return layers.TransformerDecoder(8, 2)(query, value)
    return (MultiHeadAttention(2, 3) if kind is MultiHeadAttention else GroupQueryAttention(3, 4, 2))(query, value)


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float64", "float16", ">f4"])
def test_numbers_of_any_kind_come_out_in_the_dtype_of_the_layer(rng, kind, dtype):
    query, value = (rng.integers(0, 2, shape) for shape in ((2, 3, 4), (2, 5, 4)))
    y = called(kind, query.astype(dtype), value.astype(dtype))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, called(kind, query.astype(np.float32), value.astype(np.float32)))


@pytest.mark.parametrize("kind", EACH)
def test_strided_and_read_only_inputs_are_left_alone(rng, kind):
    given = [rng.standard_normal(shape).astype(np.float32) for shape in ((2, 3, 4), (2, 5, 4))]
    expected, changed = called(kind, *given), []
    for x in given:
        gaps = np.full(tuple(2 * length for length in x.shape[::-1]), np.nan, np.float32).T[::2, ::2, ::2]
        gaps[...] = x
        gaps.flags.writeable = False
        changed.append(gaps)
    np.testing.assert_array_equal(called(kind, *changed), expected)
    for x, gaps in zip(given, changed, strict=True):
        np.testing.assert_array_equal(gaps, x)


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize(("n", "tq", "tk"), [(0, 3, 4), (2, 0, 4), (2, 3, 0), (0, 0, 0)])
def test_no_sequences_and_sequences_without_steps(kind, n, tq, tk):
    with GradientTape() as tape:
        query, value = (tape.watch(np.ones((n, t, 4), np.float32)) for t in (tq, tk))
        loss = ops.sum(called(kind, query, value))
    gradients = tape.gradient(loss, [query] if kind == "encoder" else [query, value])
    for x, dx in zip((query, value), gradients, strict=False):
        assert dx.shape == x.shape and np.isfinite(dx).all()


@pytest.mark.parametrize("kind", EACH[:4])
@pytest.mark.parametrize("shape", [(), (4,)])
def test_what_is_no_sequence_is_refused(kind, shape):
    expected = r"expected (inputs \(n, t, d\)|query, value and key \(n, t, ..., features\)), got"
    with pytest.raises(ValueError, match=expected):
        called(kind, np.zeros(shape, np.float32), np.zeros(shape, np.float32))


def test_other_features_than_the_layer_was_built_for_are_refused():
    layer = MultiHeadAttention(2, 3)
    layer(np.zeros((2, 3, 4)), np.zeros((2, 5, 6)))
    with pytest.raises(ValueError, match=r"\[query\] expected x \(..., 4\), got \(2, 3, 5\)"):
        layer(np.zeros((2, 3, 5)), np.zeros((2, 5, 6)))
    with pytest.raises(ValueError, match=r"\[key\] expected x \(..., 6\), got \(2, 5, 7\)"):
        layer(np.zeros((2, 3, 4)), np.zeros((2, 5, 7)))


def test_masks_may_be_lists(inputs):
    q, v, k = inputs
    layer = MultiHeadAttention(2, 3)
    attention_mask = np.broadcast_to(CAUSAL, (2, 3, 5))
    expected = layer(q, v, k, query_mask=QUERY_MASK, value_mask=VALUE_MASK, attention_mask=attention_mask)
    lists = {"query_mask": QUERY_MASK.tolist(), "value_mask": VALUE_MASK.tolist()}
    np.testing.assert_array_equal(layer(q, v, k, **lists, attention_mask=attention_mask.tolist()), expected)
