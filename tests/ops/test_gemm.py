import itertools

import numpy as np
import pytest

from fastnn import backend
from fastnn.ops import dot, gemm, matmul
from fastnn.testing import check_op

# Around the lanes (1, 4, 8, 16) and the tiles (4, 6 and 8 rows; 2 and 3 vectors) of every instruction set.
EDGES = [1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 33, 47, 48, 49]
TRANSPOSES = list(itertools.product((False, True), (False, True)))


@pytest.fixture(autouse=True)
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def product(a, b, transpose_a=False, transpose_b=False):
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    b = np.swapaxes(b, -1, -2) if transpose_b else b
    return np.einsum("...ip,...pj->...ij", a.astype(np.float64), b.astype(np.float64))


def operands(rng, m, n, k, transpose_a, transpose_b, dtype=np.float32):
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    return a, b


def assert_product(c, a, b, transpose_a=False, transpose_b=False):
    """Holds c to what rounding allows: eps times the product of the absolute values, whose square root is the rule."""
    bound = product(np.abs(a), np.abs(b), transpose_a, transpose_b) + 1
    error = np.abs(c - product(a, b, transpose_a, transpose_b))
    assert c.dtype == a.dtype
    assert not np.isnan(c).any() and (error <= 4 * np.finfo(c.dtype).eps * bound).all(), error.max()


@pytest.mark.parametrize(("transpose_a", "transpose_b"), TRANSPOSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_edge_of_the_tiles(rng, dtype, transpose_a, transpose_b):
    sizes = [*itertools.product(EDGES, EDGES, (1, 9, 33)), *itertools.product((1, 2, 3, 5, 17), (1, 15, 48), EDGES)]
    for m, n, k in sizes:
        a, b = operands(rng, m, n, k, transpose_a, transpose_b, dtype)
        assert_product(gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b), a, b, transpose_a, transpose_b)


# One for each plan: stream, whole, in registers and shared out; dot; tiles as they lie, b packed, both packed, b alone
# for columns of a; beyond a block of the depth (512 packed, 1024 not), of columns (8 or 22 panels) and of rows (2048),
# chunks of rows (64). The last: turned, with few columns and with a deep sum; more of few rows than the second-level
# cache holds.
PLANS = [
    (1, 50, 70), (1, 128, 300), (3, 700, 300), (24, 200, 600), (40, 100, 1100), (64, 1600, 100), (70, 190, 900),
    (1100, 130, 390), (80, 640, 110), (512, 70, 300), (260, 1100, 130), (2100, 130, 300),
    (300, 10, 70), (500, 90, 300), (64, 300, 4200),
]  # fmt: skip


@pytest.mark.parametrize(("transpose_a", "transpose_b"), TRANSPOSES)
@pytest.mark.parametrize(("m", "n", "k"), PLANS)
def test_same_bits_at_any_thread_count(rng, m, n, k, transpose_a, transpose_b):
    a, b = operands(rng, m, n, k, transpose_a, transpose_b)
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        results.append(gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b))
    assert_product(results[0], a, b, transpose_a, transpose_b)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def results_wherever_b_begins(a, b, transpose_a, transpose_b):
    memory = np.empty(b.size + 16, b.dtype)
    first = -(memory.ctypes.data // memory.itemsize) % 16
    for behind in range(16):
        begin = (first + behind) % 16
        there = memory[begin : begin + b.size].reshape(b.shape)
        there[...] = b
        yield gemm(a, there, transpose_a=transpose_a, transpose_b=transpose_b)


# Products by dot begin at a boundary of vectors, in other lanes; rows that share sets of the cache are copied unless
# they begin with a line, with few rows by whom multiplies them.
@pytest.mark.parametrize(("transpose_a", "transpose_b", "m", "n", "k"), [
    (False, True, 7, 9, 256), (False, True, 7, 9, 259), (False, False, 70, 128, 65), (True, False, 70, 128, 600),
    (True, False, 270, 128, 65),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_wherever_arrays_begin(rng, dtype, transpose_a, transpose_b, m, n, k):
    a, b = operands(rng, m, n, k, transpose_a, transpose_b, dtype)
    results = results_wherever_b_begins(a, b, transpose_a, transpose_b)
    expected = next(results)
    assert_product(expected, a, b, transpose_a, transpose_b)
    for result in results:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("m", "n", "k"), [(3, 4, 5), (1, 5, 4), (5, 1, 4), (1, 1, 9), (17, 3, 2)])
@pytest.mark.parametrize(("transpose_a", "transpose_b"), TRANSPOSES)
def test_matches_reference(rng, m, n, k, transpose_a, transpose_b):
    a, b = operands(rng, m, n, k, transpose_a, transpose_b)
    check_op(gemm, product, a, b, linear=(0, 1), transpose_a=transpose_a, transpose_b=transpose_b)


SHAPES = [
    ((4,), (4,)), ((4,), (4, 3)), ((3, 4), (4,)), ((3, 4), (4, 5)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)),
    ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((1, 3, 4), (6, 4, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SHAPES)
def test_matmul_matches_numpy(rng, first, second):
    check_op(matmul, np.matmul, rng.standard_normal(first), rng.standard_normal(second), linear=(0, 1))


@pytest.mark.parametrize(("first", "second"), [((4,), (4,)), ((3, 4), (4, 5)), ((2, 3, 4), (4,))])
def test_dot_matches_numpy(rng, first, second):
    check_op(dot, np.dot, rng.standard_normal(first), rng.standard_normal(second), linear=(0, 1))


def test_dot_with_a_scalar_multiplies():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(dot(2.0, x), 2 * x)
    np.testing.assert_array_equal(dot(x, 2.0), 2 * x)


@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize(("batch", "m", "n", "k"), [(40, 30, 20, 50), (3, 130, 140, 150)])
def test_batches_run_side_by_side_or_in_turn(rng, batch, m, n, k, transpose_b):
    a = rng.standard_normal((batch, m, k)).astype(np.float32)
    b = rng.standard_normal((batch, n, k) if transpose_b else (batch, k, n)).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        results.append(gemm(a, b, transpose_b=transpose_b))
    assert_product(results[0], a, b, False, transpose_b)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize(("m", "n", "k"), [(5, 7, 9), (1, 17, 20), (17, 1, 20), (13, 50, 33), (70, 130, 400)])
def test_padding_is_never_read(rng, m, n, k):
    def embedded(rows, cols):
        around = np.full((rows + 4, cols + 20), np.nan, np.float32)
        around[2:-2, 10:-10] = rng.standard_normal((rows, cols))
        return around[2:-2, 10:-10]

    for transpose_a, transpose_b in TRANSPOSES:
        a = embedded(k, m) if transpose_a else embedded(m, k)
        b = embedded(n, k) if transpose_b else embedded(k, n)
        assert_product(gemm(a, b, transpose_a=transpose_a, transpose_b=transpose_b), a, b, transpose_a, transpose_b)
        assert_product(matmul(a.T if transpose_a else a, b.T if transpose_b else b), a, b, transpose_a, transpose_b)


def test_many_rows_spread_out_are_copied_by_block(rng):
    spread, b = operands(rng, 320, 130, 1100, False, True)
    assert_product(matmul(spread[:, ::2], b[:, :550].T), spread[:, ::2], b[:, :550], transpose_b=True)


def test_a_view_turned_around_or_spread_out_is_read_as_it_is(rng):
    a = rng.standard_normal((6, 10)).astype(np.float32)
    b = rng.standard_normal((10, 8)).astype(np.float32)
    for left, right in [(a[::-1], b), (a[:, ::-1], b[::-1]), (a[::2, ::3], b[:4, ::2]), (a[:, :4], b[3:7])]:
        assert_product(matmul(left, right), left, right)
    row = np.broadcast_to(rng.standard_normal(10).astype(np.float32), (5, 10))
    assert_product(matmul(row, b), row, b)


@pytest.mark.parametrize(
    ("a", "b"), [((0, 3), (3, 4)), ((2, 3), (3, 0)), ((2, 0), (0, 4)), ((0, 2, 3), (3, 4)), ((1, 0), (0, 1))]
)
def test_empty(a, b):
    c = matmul(np.ones(a, np.float32), np.ones(b, np.float32))
    np.testing.assert_array_equal(c, np.zeros((*a[:-1], b[-1])))


def test_nan_and_infinity_stay_in_their_row_and_column(rng):
    a, b = operands(rng, 20, 50, 30, False, False)
    a[3, 4], b[5, 6] = np.nan, np.inf
    c = matmul(a, b)
    assert np.isnan(c[3]).all() and not np.isfinite(c[:, 6]).any()
    assert np.isfinite(np.delete(np.delete(c, 3, 0), 6, 1)).all()


def test_out_is_filled_and_returned(rng):
    a, b = operands(rng, 5, 6, 7, False, False)
    for out in (np.empty((5, 6), np.float32), np.empty((6, 5), np.float32).T):
        assert matmul(a, b, out=out) is out
        np.testing.assert_array_equal(out, matmul(a, b))
    out = np.empty(5, np.float32)
    assert matmul(a, b[:, 0], out=out) is out
    np.testing.assert_array_equal(out, matmul(a, b[:, 0]))


def test_out_must_be_apart_from_the_inputs(rng):
    a = rng.standard_normal((4, 4)).astype(np.float32)
    with pytest.raises(ValueError, match=r"\[matmul\] expected out to share no memory with the inputs, got an overlap"):
        matmul(a, a, out=a)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((2, 3), (4, 5), r"\[matmul\] expected x2 with 3 rows for x1 \(2, 3\), got \(4, 5\)"),
        ((3,), (4, 5), r"\[matmul\] expected x2 with 3 rows for x1 \(3,\), got \(4, 5\)"),
        ((2, 3), (4,), r"\[matmul\] expected x2 with 3 rows for x1 \(2, 3\), got \(4,\)"),
        ((), (4,), r"\[matmul\] expected x1 and x2 with at least 1 axis, got \(\) and \(4,\)"),
        ((2, 4, 3), (3, 3, 5), r"\[matmul\] expected leading axes that broadcast together, got \(2, 4, 3\) and \(3, 3"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        matmul(np.zeros(first, np.float32), np.zeros(second, np.float32))


def test_gemm_refuses_vectors_and_names_the_transposed_operand():
    with pytest.raises(ValueError, match=r"\[gemm\] expected a with at least 2 axes, got \(3,\)"):
        gemm(np.zeros(3, np.float32), np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match=r"\[gemm\] expected b with 2 rows for a \(2, 3\) transposed, got \(3, 2\)"):
        gemm(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), transpose_a=True)
