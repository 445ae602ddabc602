import hashlib
import itertools
import tracemalloc

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op, covering_sample, missing_pairs


def plain(q, k, v, bias=None, mask=None, *, scale=None, causal=False, keep=None):
    """Query after query, the formula as it is written."""
    n, tq, heads, d = q.shape
    tk, kv_heads = k.shape[1:3]
    shape = (n, heads, tq, tk)
    bias = np.broadcast_to(0.0 if bias is None else bias, shape)
    mask = np.broadcast_to(True if mask is None else mask, shape)
    keep = np.ones(shape) if keep is None else keep
    y = np.zeros((n, tq, heads, v.shape[3]))
    for h in range(heads):
        group = h // (heads // kv_heads)
        for i in range(tq):
            seen = mask[:, h, i] & (np.arange(tk) <= i if causal else True)
            s = np.sum(k[:, :, group] * q[:, i, h, None], -1) * (1 / np.sqrt(d) if scale is None else scale)
            s = np.where(seen, s + bias[:, h, i], -np.inf)
            highest = np.max(s, -1, keepdims=True, initial=-1e300)  # of a query that sees nothing
            p = np.exp(s - highest)
            p = p / np.maximum(p.sum(-1, keepdims=True), 1e-300) * keep[:, h, i]
            y[:, i, h] = np.sum(p[..., None] * v[:, :, group], 1)
    return y


def by_matrices(q, k, v, bias=None, mask=None, *, causal=False, keep=1.0):
    """All queries at once, for lengths at which one after the other takes long. They see something each."""
    q, k, v = (np.repeat(x, q.shape[2] // x.shape[2], 2).swapaxes(1, 2) for x in (q, k, v))
    s = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3]) + (0.0 if bias is None else bias)
    seen = np.tri(*s.shape[2:], dtype=bool) if causal else np.True_
    s = np.where(seen if mask is None else seen & mask, s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    return (p / p.sum(-1, keepdims=True) * keep @ v).swapaxes(1, 2)


def arrays(rng, n, tq, tk, heads, kv_heads, d, dv):
    shapes = (n, tq, heads, d), (n, tk, kv_heads, d), (n, tk, kv_heads, dv)
    return [rng.standard_normal(shape) for shape in shapes]


FACTORS = {
    "n": [1, 3, 32],
    "tq": [0, 1, 2, 17],
    "tk": [0, 1, 2, 17],
    "heads": [(1, 1), (2, 2), (4, 2)],
    "d": [1, 7, 16, 33],
    "dv": [1, 7, 16, 33],
    "masked": [None, "k", "n11k", "nhqk"],
    "biased": [None, "qk", "n11k"],
    "causal": [False, True],
    "scale": [None, 0.7],
    "rate": [0, 0.3],
}


ROWS = covering_sample(FACTORS, count=48)
SAMPLE = [
    ((g["n"], g["tq"], g["tk"], *g["heads"], g["d"], g["dv"]), *(g[name] for name in list(FACTORS)[6:])) for g in ROWS
]


def test_every_pair_of_settings_is_in_the_sample():
    assert not missing_pairs(FACTORS, ROWS)


#: (n, tq, tk, heads, kv_heads, d, dv), shape of the mask, shape of the bias, causal, scale, dropout rate. A letter in a
#: shape stands for the whole length of that axis. Lengths lie around the vectors, the tiles and the blocks of keys (128
#: and 256) and queries (64); every pair of the flags occurs.
CASES = [
    ((1, 1, 1, 1, 1, 1, 1), None, None, False, None, 0),
    ((2, 2, 2, 2, 2, 7, 7), "nhqk", None, True, None, 0),
    ((1, 17, 17, 3, 1, 16, 16), None, "nhqk", True, 0.7, 0.3),
    ((3, 2, 17, 4, 2, 33, 5), "n11k", "hqk", False, None, 0),
    ((2, 17, 2, 1, 1, 5, 33), "q1", "n11k", False, 0.2, 0.5),
    ((1, 70, 33, 2, 2, 8, 9), None, "1", True, None, 0.1),
    ((2, 5, 140, 2, 1, 4, 3), "k", "q1", True, None, 0),
    ((1, 66, 270, 1, 1, 3, 17), "n1qk", None, False, None, 0.25),
    ((1, 150, 150, 1, 1, 7, 8), "n11k", "qk", True, None, 0),
    ((1, 3, 300, 4, 4, 15, 1), "n11k", None, False, 1.5, 0),
]


def broadcast(rng, letters, sizes, kind):
    if letters is None:
        return None
    n, tq, tk, heads = sizes[:4]
    shape = tuple({"n": n, "h": heads, "q": tq, "k": tk, "1": 1}[letter] for letter in letters)
    if kind == "bias":
        return rng.standard_normal(shape)
    mask = rng.random(shape) < 0.7
    if letters == "n11k":
        mask[:, ..., : shape[-1] * 6 // 7] &= rng.random((n, 1, 1, 1)) < 0.5  # whole blocks that nobody sees
    return mask


@pytest.mark.parametrize(("sizes", "masked", "biased", "causal", "scale", "rate"), [*CASES, *SAMPLE])
def test_attention_is_the_formula_and_its_gradients(rng, sizes, masked, biased, causal, scale, rate):
    q, k, v = arrays(rng, *sizes)
    mask, bias = broadcast(rng, masked, sizes, "mask"), broadcast(rng, biased, sizes, "bias")
    weights = (sizes[0], sizes[3], sizes[1], sizes[2])
    keep = ops.dropout(np.ones(weights), rate, seed=5)  # the elements that dropout of the softmax would keep

    def op(q, k, v, *bias):
        options = {"mask": mask, "scale": scale, "is_causal": causal, "dropout_rate": rate, "seed": 5}
        return ops.dot_product_attention(q, k, v, *bias, **options)

    def reference(q, k, v, *bias):
        return plain(q, k, v, *bias, mask=mask, scale=scale, causal=causal, keep=keep)

    check_op(op, reference, q, k, v, *([] if bias is None else [bias]), linear=[2])


#: As CASES, of several blocks of keys, and more queries than sums of key gradients are kept in place for (256).
LONG = [
    ((1, 260, 530, 2, 1, 3, 2), None, None, True, 0.2),
    ((1, 330, 300, 2, 1, 2, 3), "k", "qk", True, 0),
    ((1, 260, 280, 2, 1, 3, 4), "n11k", None, False, 0.1),
]


@pytest.mark.parametrize(("sizes", "masked", "biased", "causal", "rate"), LONG)
def test_long_attention_is_the_formula_and_its_gradients(rng, sizes, masked, biased, causal, rate):
    q, k, v = arrays(rng, *sizes)
    mask, bias = broadcast(rng, masked, sizes, "mask"), broadcast(rng, biased, sizes, "bias")
    if mask is not None:
        mask[..., 0] = True
    keep = ops.dropout(np.ones((sizes[0], sizes[3], sizes[1], sizes[2])), rate, seed=5)
    options = {"mask": mask, "is_causal": causal, "dropout_rate": rate, "seed": 5}

    check_op(
        lambda *given: ops.dot_product_attention(*given, **options),
        lambda *given: by_matrices(*given, mask=mask, causal=causal, keep=keep),
        *(q, k, v, *([] if bias is None else [bias])),
        linear=[2],
    )


def test_the_two_references_agree(rng):
    q, k, v = arrays(rng, 2, 5, 7, 4, 2, 3, 2)
    bias, mask, keep = rng.standard_normal((4, 5, 7)), rng.random((2, 1, 1, 7)) < 0.7, rng.random((2, 4, 5, 7))
    mask[..., 0] = True
    for causal in (False, True):
        given = {"bias": bias, "mask": mask, "causal": causal, "keep": keep}
        np.testing.assert_allclose(by_matrices(q, k, v, **given), plain(q, k, v, **given), rtol=1e-12)


@pytest.mark.parametrize(
    "sizes", [(0, 3, 4, 2, 2, 5, 5), (2, 0, 4, 2, 1, 5, 3), (2, 3, 0, 2, 2, 5, 3), (2, 3, 4, 2, 2, 0, 3)]
)
def test_sizes_may_be_zero(rng, sizes):
    q, k, v = arrays(rng, *sizes)
    y, pullback = vjp(ops.dot_product_attention, q, k, v)
    np.testing.assert_allclose(y, plain(q, k, v, scale=1.0), rtol=1e-12)
    for x, dx in zip((q, k, v), pullback(np.ones_like(y)), strict=True):
        assert dx.shape == x.shape and np.isfinite(dx).all()
        if 0 in (sizes[1], sizes[2]):
            assert not dx.any()


def test_a_query_that_sees_nothing_gets_zeros_and_gives_no_gradient(rng):
    q, k, v = arrays(rng, 1, 3, 4, 1, 1, 2, 2)
    mask = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]], bool)
    y, pullback = vjp(lambda *x: ops.dot_product_attention(*x, mask=mask), q, k, v)
    assert not y[0, 1].any() and y[0, 0].all()
    dq, dk, dv = pullback(np.ones_like(y))
    assert not dq[0, 1].any() and np.isfinite(dk).all() and np.isfinite(dv).all()


def test_large_scores_do_not_overflow():
    q = np.full((1, 2, 1, 4), 200.0, np.float32)
    k = np.array([[200.0] * 4, [-200.0] * 4], np.float32).reshape(1, 2, 1, 4)
    v = np.arange(4, dtype=np.float32).reshape(1, 2, 1, 2)
    y, pullback = vjp(ops.dot_product_attention, q, k, v)
    np.testing.assert_array_equal(y, [[[[0, 1]], [[0, 1]]]])
    assert all(np.isfinite(dx).all() for dx in pullback(np.ones_like(y)))


@pytest.mark.parametrize("levels", list(itertools.permutations((-200.0, 0.0, 200.0))))
@pytest.mark.parametrize("by", ["keys", "bias"])
def test_blocks_of_keys_may_be_worlds_apart(rng, by, levels):
    """Whichever of three blocks holds the largest scores, exp of the difference of two being 0 or past all numbers."""
    q, k, v = arrays(rng, 1, 3, 600, 1, 1, 4, 2)
    level = np.repeat(levels, 256)[:600]
    if by == "keys":
        q[..., 0], k[..., 0] = 1, 2 * level[:, None]
    bias = [level[None, None, None]] if by == "bias" else []
    # scores of 200 are known to 1.5e-5 in float32
    check_op(ops.dot_product_attention, plain, q, k, v, *bias, wrt=[0, 1, 2], linear=[2], tol=1e-4)


def test_dropout_follows_its_stream():
    from fastnn.random import SeedGenerator

    q = k = v = np.random.default_rng(0).standard_normal((1, 4, 1, 4))
    seed = SeedGenerator(1)
    first, second = (ops.dot_product_attention(q, k, v, dropout_rate=0.5, seed=seed) for _ in range(2))
    assert seed.state[2] == 2 and (first != second).any()
    np.testing.assert_array_equal(first, ops.dot_product_attention(q, k, v, dropout_rate=0.5, seed=1))


@pytest.mark.parametrize("sizes", [(1, 300, 520, 1, 1, 16, 16), (2, 70, 140, 4, 2, 8, 8)])
def test_bits_do_not_depend_on_threads(rng, sizes):
    q, k, v = (x.astype(np.float32) for x in arrays(rng, *sizes))
    before, found = backend.get_num_threads(), set()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        y, pullback = vjp(lambda *x: ops.dot_product_attention(*x, dropout_rate=0.1, seed=2), q, k, v)
        found.add(hashlib.sha256(b"".join(x.tobytes() for x in (y, *pullback(y)))).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1


def held_bytes(t):
    """Of the pool and of Python, for attention and its gradients over t steps."""
    q = np.ones((1, t, 1, 4), np.float32)
    backend.empty_cache()
    before = backend.memory_stats()["in_use_bytes"]
    tracemalloc.start()
    y, pullback = vjp(lambda *x: ops.dot_product_attention(*x, is_causal=True, dropout_rate=0.1, seed=1), q, q, q)
    pullback(y)
    other = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    after = backend.memory_stats()
    return after["in_use_bytes"] + after["cached_bytes"] - before, other


def test_memory_grows_with_the_length_and_not_with_its_square(isa):
    for t in (64, 256, 1024) if isa == "scalar" else (64, 256, 1024, 4096):
        pool, other = held_bytes(t)
        assert pool < 1_000_000 + 800 * t  # 4.3 MB for 4096, where one array of scores would take 67
        assert other < 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": np.zeros((2, 4, 2, 3))}, r"\[attention\] expected key \(2, t, heads, 5\) for query \(2, 3, 2, 5\)"),
        ({"value": np.zeros((2, 3, 2, 5))}, r"\[attention\] expected value \(2, 4, 2, d\) for key \(2, 4, 2, 5\)"),
        ({"query": np.zeros((3, 2, 5))}, r"\[attention\] expected query, key and value with 4 axes"),
        ({"mask": np.ones((4, 3), bool)}, r"\[attention\] expected a mask that broadcasts to \(2, 2, 3, 4\), got \(4,"),
        ({"bias": np.ones((1, 1, 1, 3, 4))}, r"\[attention\] expected a bias that broadcasts to \(2, 2, 3, 4\)"),
        ({"dropout_rate": 1.0}, r"\[attention\] expected dropout_rate in \[0, 1\), got 1.0"),
        ({"scale": 0.0}, r"\[attention\] expected scale > 0, got 0"),
        ({"attn_logits_soft_cap": 2.0}, r"\[attention\] expected attn_logits_soft_cap None, got 2.0"),
        (
            {"key": np.zeros((2, 4, 3, 5)), "value": np.zeros((2, 4, 3, 5))},
            r"\[attention\] expected a number of heads that is a multiple of the 3 of keys and values, got 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {"query": np.zeros((2, 3, 2, 5)), "key": np.zeros((2, 4, 2, 5)), "value": np.zeros((2, 4, 2, 5))}
    with pytest.raises(ValueError, match=message):
        ops.dot_product_attention(**{**given, **change})
