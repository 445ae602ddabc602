import numpy as np
import pytest

from fastnn import GradientTape, Input, Model, ops


@pytest.fixture
def isa():
    """Control flow runs no kernel of its own."""


def test_a_branch_is_called_alone():
    assert ops.cond(np.array(True), lambda: 1, lambda: 1 / 0) == 1
    assert ops.cond(0.0, lambda: 1 / 0, lambda: 2) == 2
    branches = [lambda a: a + 1, lambda a: a * 10]
    assert [ops.switch(i, branches, 4) for i in (-3, 0, 1, 9)] == [5, 5, 40, 40]


def test_loops():
    assert ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0)) == (4, 6)
    assert ops.while_loop(lambda i: True, lambda i: i + 1, 0, maximum_iterations=3) == 3
    assert ops.while_loop(lambda i: False, lambda i: 1 / 0, [7]) == [7]
    assert ops.fori_loop(2, 5, lambda i, total: total + i, 0) == 9


def test_scan_carries_and_collects(rng):
    xs = rng.standard_normal((5, 2))
    carry, ys = ops.scan(lambda c, x: (c + x, c * 2), np.zeros(2), xs)
    np.testing.assert_allclose(carry, xs.sum(0))
    np.testing.assert_allclose(ys[1:], 2 * np.cumsum(xs, 0)[:-1])
    _, back = ops.scan(lambda c, x: (c + x, c + x), np.zeros(2), xs, reverse=True)
    np.testing.assert_allclose(back, np.cumsum(xs[::-1], 0)[::-1])
    carry, pairs = ops.scan(lambda c, x: (c + 1, {"n": c}), 0, length=3)
    assert carry == 3
    np.testing.assert_array_equal(pairs["n"], [0, 1, 2])
    with pytest.raises(ValueError, match=r"\[scan\] expected xs or a length"):
        ops.scan(lambda c, x: (c, x), 0)


def test_map_of_nestings_and_its_gradient(rng):
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    with GradientTape() as tape:
        x = tape.watch(a)
        y = ops.map(lambda pair: ops.sum(pair[0] * pair[1]), (x, b))
    np.testing.assert_allclose(ops.convert_to_numpy(y), (a * b).sum(1))
    np.testing.assert_allclose(tape.gradient(y, x), b)
    np.testing.assert_allclose(ops.vectorized_map(lambda row: row * 2, a), 2 * a)


def test_loops_over_symbolic_tensors_are_nodes_of_their_graph(rng):
    x, row = Input((3, 4)), Input((4,))
    last, sums = ops.scan(lambda c, step: (c + step, c * 2), ops.zeros_like(row), ops.transpose(x, (1, 0, 2)))
    doubled = ops.vectorized_map(lambda pair: pair["a"] * ops.sum(pair["b"]), {"a": x, "b": row})
    powers = ops.fori_loop(0, 3, lambda i, value: value * value, row)
    chosen = ops.switch(1, [lambda v: v, lambda v: ops.mean(v, axis=-1)], x)
    assert (last.shape, sums.shape, doubled.shape) == ((None, 4), (3, None, 4), (None, 3, 4))
    assert ops.map(lambda v: ops.sum(v, axis=0), x).shape == (None, 4)
    model = Model([x, row], [last, doubled, powers, chosen])
    a, b = rng.standard_normal((2, 3, 4)).astype("float32"), rng.standard_normal((2, 4)).astype("float32")
    found = model([a, b])
    expected = a.sum(1), a * b.sum(1)[:, None, None], b**8, a.mean(-1)
    for y, z in zip(found, expected, strict=True):
        np.testing.assert_allclose(y, z, rtol=2e-6, atol=1e-6)
