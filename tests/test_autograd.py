"""The tape: what is a Tensor and when, what gradient() returns, and what a pullback is asked for."""

import gc
import weakref

import numpy as np
import pytest

from fastnn import ops
from fastnn.autograd import GradientTape, Tensor, Variable, Want, primitive, value_and_grad, vjp


@pytest.fixture
def x():
    return np.array([1.0, 2.0, 3.0])


def recorder():
    """A product that keeps the needs of every call of its pullback."""
    asked = []

    @primitive
    def recorded(a, b):
        def pullback(dy, needs):
            asked.append([need is not None for need in needs])
            return dy * b if needs[0] else None, dy * a if needs[1] else None

        return a * b, pullback

    return recorded, asked


# ---- what an op returns ------------------------------------------------------------------------------------------


def test_without_a_tape_ops_return_arrays(x):
    for argument in (x, Tensor(x), Variable(x)):
        y = ops.square(argument)
        assert type(y) is np.ndarray
        np.testing.assert_array_equal(y, x * x)


def test_inside_a_tape_tracked_arguments_give_tensors(x):
    with GradientTape() as tape:
        assert type(ops.square(x)) is np.ndarray
        assert type(ops.square(tape.watch(x))) is Tensor
        assert type(ops.add(x, Variable(x))) is Tensor
        assert type(ops.square(Variable(x, trainable=False))) is np.ndarray
        assert type(ops.less(tape.watch(x), 2.0)) is np.ndarray


def test_keywords_are_tracked_too(x):
    with GradientTape() as tape:
        v = Variable(x)
        y = ops.add(x1=x, x2=v)
    np.testing.assert_array_equal(tape.gradient(y, v), np.ones(3))


def test_watching_accessed_variables_can_be_turned_off(x):
    v, w = Variable(x), Variable(x, trainable=False)
    with GradientTape(watch_accessed_variables=False) as tape:
        assert type(ops.square(v)) is np.ndarray
        tape.watch(v)
        tape.watch(w)
        y = ops.multiply(v, w)
    assert [g.tolist() for g in tape.gradient(y, [v, w])] == [x.tolist(), x.tolist()]
    assert tape.watched_variables() == []


def test_watched_variables_are_those_used(x):
    v, w = Variable(x), Variable(x)
    with GradientTape() as tape:
        ops.square(ops.multiply(v, v))
        assert [id(u) for u in tape.watched_variables()] == [id(v)]
    assert w is not v


def test_nested_tapes_raise(x):
    with GradientTape() as tape:
        with pytest.raises(RuntimeError, match="nested tape: first derivatives only"), GradientTape():
            pass
        with pytest.raises(RuntimeError, match="nested tape"):
            vjp(ops.square, x)
        y = ops.square(tape.watch(x))  # the outer one still records
    assert type(y) is Tensor


def test_a_tape_left_by_an_error_records_no_more(x):
    with pytest.raises(KeyError), GradientTape():
        raise KeyError
    assert type(ops.square(Variable(x))) is np.ndarray


def test_stop_recording(x):
    v = Variable(x)
    with GradientTape() as tape:
        with tape.stop_recording():
            scale = ops.square(v)
        y = ops.multiply(scale, v)
    assert type(scale) is np.ndarray
    np.testing.assert_array_equal(tape.gradient(y, v), x * x)


# ---- NumPy functions on Tensors ------------------------------------------------------------------------------------


def test_an_array_times_a_tensor_keeps_the_gradient(rng):
    a, w = rng.standard_normal((2, 3)), Variable(rng.standard_normal((3, 4)))
    with GradientTape() as tape:
        y = a @ w
    assert type(y) is Tensor
    np.testing.assert_allclose(tape.gradient(y, w), a.T @ np.ones((2, 4)))


@pytest.mark.parametrize(
    "fn",
    [
        lambda a, t: a + t,
        lambda a, t: a - t,
        lambda a, t: a * t,
        lambda a, t: a / t,
        lambda a, t: a**t,
        lambda a, t: np.add(a, t),
        lambda a, t: np.multiply(t, a),
        lambda a, t: np.exp(t) * a,
        lambda a, t: np.maximum(t, a),
        lambda a, t: np.sum(t * a),
        lambda a, t: np.reshape(t, (3, 1)) * a,
        lambda a, t: np.where(a > 1, t, a),
        lambda a, t: 2.0 - t,
        lambda a, t: 2.0 / t + abs(t) - (-t) + t**2,
        lambda a, t: t.reshape(1, 3).T @ a[None],
        lambda a, t: t[1:] * t[:-1],
    ],
)
def test_numpy_functions_and_operators_lead_to_ops(x, fn):
    a = np.array([0.5, 1.5, 2.5])
    y, pullback = vjp(lambda t: fn(a, t), x)
    np.testing.assert_allclose(y, fn(a, x))
    dy = np.ones_like(y)
    (dx,) = pullback(dy)
    for k in range(3):
        step = 1e-6 * np.eye(3)[k]
        np.testing.assert_allclose(dx[k], np.sum(fn(a, x + step) - fn(a, x - step)) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("fn", [np.linalg.det, np.frexp, np.unwrap, np.add.reduce, lambda t: np.add.at(t, [0], 1.0)])
def test_numpy_functions_we_do_not_have_raise(x, fn):
    with GradientTape() as tape, pytest.raises(TypeError, match=r"expected arrays, got a Tensor; use fastnn\.ops or "):
        fn(tape.watch(x))


def test_taking_the_array_of_a_tracked_value_inside_a_tape_raises(x):
    v = Variable(x)
    with GradientTape() as tape:
        t = tape.watch(x)
        for value in (t, v):
            with pytest.raises(TypeError, match="inside a tape, whose gradient would be lost"):
                np.asarray(value)
        np.testing.assert_array_equal(t.numpy(), x)
        np.testing.assert_array_equal(np.asarray(Variable(x, trainable=False)), x)
    np.testing.assert_array_equal(np.asarray(v), x)
    np.testing.assert_array_equal(np.asarray(t), x)


def test_seen_from_outside_values_are_read_only(x):
    v = Variable(x)
    for view in (v.value, np.array(v, copy=False), Tensor(x).numpy()):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 7


def test_numbers_taken_out_of_a_variable_do_not_change_with_it(x):
    v = Variable(x)
    taken = v.numpy(), np.asarray(v), np.array(v)
    v.assign(x + 1)
    for array in taken:
        np.testing.assert_array_equal(array, x)
        array[0] = 7
    np.testing.assert_array_equal(v.value, x + 1)


# ---- Variables ---------------------------------------------------------------------------------------------------


def test_assigning_counts_versions_and_keeps_the_view(x):
    v = Variable(x)
    view = v.value
    v.assign(2 * x).assign_add(x).assign_sub(np.ones(3))
    assert v.version == 3
    np.testing.assert_array_equal(view, 3 * x - 1)
    np.testing.assert_array_equal(x, [1, 2, 3])


def test_assigning_another_shape_is_refused(x):
    with pytest.raises(ValueError, match=r"\[weights\] expected a value of shape \(3,\), got \(1,\)"):
        Variable(x, name="weights").assign([1.0])


def test_variables_take_floatx_from_python_numbers_and_keep_an_arrays_dtype(x):
    assert Variable(1.0).dtype == "float32"
    assert Variable([1, 2]).dtype == "float32"
    assert Variable(x).dtype == "float64"
    assert Variable(lambda shape, dtype: np.ones(shape, dtype), shape=(2, 3)).shape == (2, 3)


# ---- gradient() --------------------------------------------------------------------------------------------------


def test_a_value_used_twice_gets_both_gradients(x):
    with GradientTape() as tape:
        t = tape.watch(x)
        y = ops.add(ops.multiply(t, t), t)
    np.testing.assert_array_equal(tape.gradient(y, t), 2 * x + 1)


def test_a_second_call_raises_unless_the_tape_is_persistent(x):
    v = Variable(x)
    with GradientTape() as tape:
        y = ops.square(v)
    tape.gradient(y, v)
    with pytest.raises(RuntimeError, match=r"expected one call, got a second; use GradientTape\(persistent=True\)"):
        tape.gradient(y, v)
    with GradientTape(persistent=True) as tape:
        y = ops.square(v)
        z = ops.multiply(y, 3.0)
    for _ in range(2):
        np.testing.assert_array_equal(tape.gradient(z, v), 6 * x)
        np.testing.assert_array_equal(tape.gradient(y, v), 2 * x)


def test_what_is_not_connected_is_none_or_zero(x):
    v, w = Variable(x), Variable(np.ones((2, 2), np.float32))
    with GradientTape(persistent=True) as tape:
        y = ops.square(v)
    assert tape.gradient(y, [w]) == [None]
    zero = tape.gradient(y, w, unconnected_gradients="zero")
    assert zero.shape == (2, 2) and zero.dtype == np.float32 and not zero.any()
    assert tape.gradient(np.ones(3), v) is None
    with pytest.raises(ValueError, match="expected unconnected_gradients 'none' or 'zero', got 'maybe'"):
        tape.gradient(y, v, unconnected_gradients="maybe")


def test_several_targets_add_up(x):
    v = Variable(x)
    with GradientTape() as tape:
        targets = [ops.square(v), ops.multiply(v, 5.0)]
    np.testing.assert_array_equal(tape.gradient(targets, v), 2 * x + 5)


def test_a_target_may_be_on_the_way_to_another(x):
    v = Variable(x)
    with GradientTape() as tape:
        y = ops.square(v)
        z = ops.multiply(y, 3.0)
    np.testing.assert_array_equal(tape.gradient([y, z], v), 8 * x)


def test_a_source_may_be_on_the_way_to_another(x):
    v = Variable(x)
    with GradientTape() as tape:
        y = ops.square(v)
        z = ops.multiply(y, 3.0)
    dy, dv = tape.gradient(z, [y, v])
    np.testing.assert_array_equal(dy, np.full(3, 3.0))
    np.testing.assert_array_equal(dv, 6 * x)


def test_the_target_itself_as_source(x):
    with GradientTape() as tape:
        y = ops.square(tape.watch(x))
    np.testing.assert_array_equal(tape.gradient(y, y), np.ones(3))


def test_output_gradients_weigh_the_target(x):
    v, weights = Variable(x), np.array([1.0, 0.0, -2.0])
    with GradientTape(persistent=True) as tape:
        y = ops.square(v)
    np.testing.assert_array_equal(tape.gradient(y, v, weights), weights * 2 * x)
    with pytest.raises(ValueError, match=r"expected an output gradient of shape \(3,\), got \(2,\)"):
        tape.gradient(y, v, weights[:2])


def test_gradients_come_in_the_structure_of_the_sources(x):
    v, w = Variable(x), Variable(2 * x)
    with GradientTape(persistent=True) as tape:
        y = ops.multiply(v, w)
    grads = tape.gradient(y, {"v": v, "rest": (w, [v])})
    np.testing.assert_array_equal(grads["v"], 2 * x)
    np.testing.assert_array_equal(grads["rest"][0], x)
    np.testing.assert_array_equal(grads["rest"][1][0], 2 * x)


def test_an_array_is_no_source(x):
    with GradientTape() as tape:
        y = ops.square(tape.watch(x))
    with pytest.raises(TypeError, match=r"expected Tensors from tape.watch\(\) or Variables as sources, got ndarray"):
        tape.gradient(y, x)


def test_a_chain_of_ten_thousand_ops(x):
    with GradientTape() as tape:
        t = y = tape.watch(x)
        for _ in range(10_000):
            y = ops.add(y, 1.0)
        y = ops.square(y)
    np.testing.assert_array_equal(tape.gradient(y, t), 2 * (x + 10_000))


def test_out_is_refused_for_tracked_arguments(x):
    with GradientTape() as tape, pytest.raises(ValueError, match=r"\[square\] expected no out= for a tracked argument"):
        ops.square(tape.watch(x), out=np.empty(3))


def test_a_used_tape_lets_go_of_what_it_recorded(x):
    class Big(np.ndarray):
        pass

    kept = np.ones(3).view(Big)
    died = weakref.ref(kept)
    recorded, _ = recorder()
    with GradientTape() as tape:
        v = Variable(x)
        y = recorded(v, kept)
    tape.gradient(y, v)
    del kept, y
    gc.collect()
    assert died() is None


# ---- needs -------------------------------------------------------------------------------------------------------


def test_a_pullback_is_asked_for_what_is_wanted_alone(x):
    v, w = Variable(x), Variable(x)
    for sources, expected in (([v], [True, False]), ([w], [False, True]), ([v, w], [True, True])):
        op, asked = recorder()
        with GradientTape() as tape:
            y = op(v, w)
        tape.gradient(y, sources)
        assert asked == [expected]


def test_constants_are_not_asked_for(x):
    op, asked = recorder()
    with GradientTape() as tape:
        v = Variable(x)
        y = op(op(x, v), 2 * x)
    tape.gradient(y, v)
    assert asked == [[True, False], [False, True]]


def test_what_leads_nowhere_is_not_run(x):
    op, asked = recorder()
    with GradientTape() as tape:
        v, w = Variable(x), Variable(x)
        op(v, v)  # not on the way to the target
        y = op(op(w, w), v)  # the inner one leads to no source
    tape.gradient(y, v)
    assert asked == [[False, True]]


def test_a_gradient_is_written_to_the_buffer_it_is_wanted_in(x):
    seen = []

    @primitive
    def double(a):
        def pullback(dy, needs):
            seen.append(needs[0].out)
            return (np.multiply(dy, 2, out=needs[0].out),)

        return 2 * a, pullback

    v = Variable(x)
    v.want = Want(np.full(3, np.nan))
    with GradientTape() as tape:
        y = double(v)
    assert tape.gradient(y, v) is v.want.out
    assert seen[0] is v.want.out
    np.testing.assert_array_equal(v.want.out, np.full(3, 2.0))


@pytest.mark.parametrize("uses", [2, 3])
def test_gradients_of_a_variable_used_more_than_once_are_summed_before_they_are_delivered(x, uses):
    seen = []

    @primitive
    def double(a):
        def pullback(dy, needs):
            seen.append(needs[0].out)
            return (2 * dy,)

        return 2 * a, pullback

    v = Variable(x)
    v.want = Want(np.full(3, np.nan))
    with GradientTape() as tape:
        y = double(v)
        for _ in range(uses - 1):
            y = ops.add(y, double(v))
    assert tape.gradient(y, v) is v.want.out
    assert seen == [None] * uses
    np.testing.assert_array_equal(v.want.out, np.full(3, 2.0 * uses))


def test_both_arguments_the_same_variable(x):
    v = Variable(x)
    v.want = Want(np.full(3, np.nan))
    with GradientTape() as tape:
        y = ops.multiply(v, v)
    assert tape.gradient(y, v) is v.want.out
    np.testing.assert_array_equal(v.want.out, 2 * x)


# ---- vjp and value_and_grad ----------------------------------------------------------------------------------------


def test_vjp_gives_one_gradient_per_array_always_a_tuple(x):
    y, pullback = vjp(ops.square, x)
    assert type(y) is np.ndarray
    for _ in range(2):
        (dx,) = pullback(np.ones(3))
        np.testing.assert_array_equal(dx, 2 * x)
    y, pullback = vjp(ops.multiply, x, 3 * x)
    da, db = pullback(np.ones(3))
    np.testing.assert_array_equal(da, 3 * x)
    np.testing.assert_array_equal(db, x)


def test_vjp_with_variables(x):
    v, unused = Variable(5 * x), Variable(np.ones(2))
    _, pullback = vjp(lambda a: ops.multiply(a, v), x)
    grads, (dv, none) = pullback(np.ones(3), variables=[v, unused])
    np.testing.assert_array_equal(grads[0], 5 * x)
    np.testing.assert_array_equal(dv, x)
    np.testing.assert_array_equal(none, np.zeros(2))


def test_vjp_of_several_outputs(x):
    y, pullback = vjp(lambda a: (ops.square(a), ops.multiply(a, 3.0)), x)
    assert isinstance(y, tuple) and all(type(part) is np.ndarray for part in y)
    np.testing.assert_array_equal(pullback([np.ones(3), 2 * np.ones(3)])[0], 2 * x + 6)


def test_vjp_of_what_does_not_depend_on_its_input_is_zero(x):
    _, pullback = vjp(lambda a: ops.square(np.ones(2)), x)
    np.testing.assert_array_equal(pullback(np.ones(2))[0], np.zeros(3))


def test_value_and_grad(x):
    def loss(a, b):
        return ops.sum(ops.multiply(ops.square(a), b))

    value, da = value_and_grad(loss)(x, 2 * x)
    assert type(value) is np.ndarray and value == 2 * np.sum(x**3)
    np.testing.assert_array_equal(da, 4 * x * x)
    _, (da, db) = value_and_grad(loss, argnums=(0, 1))(x, 2 * x)
    np.testing.assert_array_equal(db, x * x)
    with pytest.raises(ValueError, match=r"\[value_and_grad\] expected a scalar from square, got shape \(3,\)"):
        value_and_grad(ops.square)(x)


@pytest.mark.parametrize("value", [None, "abc", 1j, [None, 1.0]])
def test_a_variable_of_no_real_numbers_is_refused(value):
    """None once became NaN."""
    with pytest.raises(TypeError, match=r"\[Variable\] expected real numbers, got"):
        Variable(value)


def test_an_op_may_have_several_outputs():
    @primitive
    def both(x):
        def pullback(dy, needs):
            first, second = dy
            return ((0 if first is None else 2 * first) + (0 if second is None else 3 * second),)

        return (2 * x, 3 * x), pullback

    x = np.arange(3.0)
    double, triple = both(x)
    np.testing.assert_array_equal([double, triple], [2 * x, 3 * x])
    for used, slope in (((0,), 2), ((1,), 3), ((0, 1), 5)):
        with GradientTape() as tape:
            xt = tape.watch(x)
            outputs = both(xt)
            loss = sum(ops.sum(outputs[k]) for k in used)
        np.testing.assert_array_equal(tape.gradient(loss, xt), np.full(3, slope))


def test_gradients_have_the_dtype_of_what_they_belong_to_also_where_an_op_promotes(rng):
    """A dense layer of float32 refused the float64 gradient that came back from a difference to float64 targets."""
    x, w = rng.standard_normal((4, 3)).astype("float32"), Variable(rng.standard_normal((3, 2)).astype("float32"))
    targets = rng.standard_normal((4, 2))
    with GradientTape() as tape:
        difference = ops.subtract(ops.dense(x, w), targets)
        loss = ops.sum(ops.square(difference))
    found = tape.gradient(loss, w)
    assert difference.dtype == np.float64 and found.dtype == np.float32
    expected = 2 * x.T.astype(float) @ (x.astype(float) @ w.numpy() - targets)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for op in (ops.subtract, ops.multiply, ops.maximum, ops.matmul):
        y, pullback = vjp(lambda a, op=op: op(a, np.ones((3, 3))), x[:3])
        assert y.dtype == np.float64 and pullback(np.ones_like(y))[0].dtype == np.float32
