"""What fit, evaluate and predict take: tables in memory and on disk, generators, data sets, and what is refused."""

import warnings

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, layers, losses
from fastnn.models import Sequential
from fastnn.utils import PyDataset, Sequence, pack_x_y_sample_weight, unpack_x_y_sample_weight


@pytest.fixture
def table(rng):
    x = rng.standard_normal((50, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 1)


def classifier(built=True):
    fastnn.utils.set_random_seed(2)
    model = Sequential([*([layers.Input((4,))] if built else []), layers.Dense(5, "tanh"), layers.Dense(3)])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))


def in_batches(*arrays, size=10):
    for start in range(0, len(arrays[0]), size):
        yield tuple(a[start : start + size] for a in arrays)


class Steps(callbacks.Callback):
    """The numbers of batches of the epochs."""

    def __init__(self):
        self.counts = []

    def on_epoch_begin(self, epoch, logs=None):
        self.counts.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.counts[-1] += 1


class Endless(PyDataset):
    def __getitem__(self, index):
        return np.full(2, index)


def test_a_loop_over_a_dataset_ends_with_its_batches(rng):
    x = rng.standard_normal((20, 4))
    np.testing.assert_array_equal(np.concatenate([batch for (batch,) in Rows(x)]), x)
    assert [int(batch[0]) for batch, _ in zip(Endless(), range(3), strict=False)] == [0, 1, 2]


class Rows(PyDataset):
    """Batches of a table. endless: gives no number of batches."""

    def __init__(self, *arrays, endless=False, **options):
        super().__init__(**options)
        self.arrays, self.endless, self.asked, self.events = arrays, endless, [], []

    @property
    def num_batches(self):
        return None if self.endless else len(self.arrays[0]) // 10

    def __getitem__(self, index):
        self.asked.append(index)
        start = 10 * index % len(self.arrays[0])
        return tuple(a[start : start + 10] for a in self.arrays)

    def on_epoch_begin(self):
        self.events.append("begin")

    def on_epoch_end(self):
        self.events.append("end")


# ---- the same data, given in other ways ---------------------------------------------------------------------------


class Loader:
    """Anything that can be iterated over again and again."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return in_batches(*self.arrays)


class SizedLoader(Loader):
    def __len__(self):
        return 5


class Framed:
    """What a table of another library looks like."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)

    def __len__(self):
        return len(self.array)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of newer Pythons, about forking beside threads
def test_processes_make_batches_in_advance(table):
    a, b = classifier(), classifier()
    a.fit(Rows(*table, workers=2, use_multiprocessing=True, max_queue_size=3), shuffle=False, verbose=0)
    b.fit(*table, batch_size=10, shuffle=False, verbose=0)
    assert same(a, b)


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_data_of_every_kind_train_alike(table, built, weighted):
    x, y = table
    given = (x, y, np.linspace(0, 2, 50)) if weighted else (x, y)
    expected = classifier()
    expected.fit(
        x, y, sample_weight=given[2] if weighted else None, batch_size=10, epochs=2, shuffle=False, verbose=0,
        validation_data=given,
    )  # fmt: skip
    kinds = {
        "loader": lambda: Loader(*given),
        "sized loader": lambda: SizedLoader(*given),
        "dataset": lambda: Rows(*given),
        "threads": lambda: Rows(*given, workers=3, max_queue_size=2),
        "generator": lambda: (batch for _ in range(2) for batch in in_batches(*given)),
    }
    for name, make in kinds.items():
        model = classifier(built)
        steps = 5 if name == "generator" else None
        held_out = Rows(*given) if name == "dataset" else given
        history = model.fit(
            make(), epochs=2, steps_per_epoch=steps, shuffle=False, verbose=0, validation_data=held_out,
            validation_batch_size=10,
        )  # fmt: skip
        assert same(model, expected), name
        np.testing.assert_allclose(history.history["val_loss"], expected.history.history["val_loss"], rtol=1e-6)
        if name != "generator":
            assert model.evaluate(make(), verbose=0) == expected.evaluate(
                x, y, sample_weight=given[2] if weighted else None, batch_size=10, verbose=0
            )
            np.testing.assert_array_equal(model.predict(make()), expected.predict(x, batch_size=10))


def test_tables_of_other_libraries_are_arrays(table):
    x, y = table
    a, b = classifier(), classifier()
    a.fit(Framed(x), Framed(y), sample_weight=Framed(np.ones(50)), shuffle=False, verbose=0)
    b.fit(x, y, shuffle=False, verbose=0)
    assert same(a, b)
    np.testing.assert_array_equal(a.predict(Framed(x)), b.predict(x))


def test_readonly_and_strided_tables_are_gathered(table):
    x, y = table
    wide = np.full((50, 8), np.nan, "float32")
    wide[:, ::2] = x
    for given in (wide[:, ::2], np.asfortranarray(x), np.broadcast_to(x[:1], x.shape), x[::-1]):
        given.flags.writeable = False
        fastnn.utils.set_random_seed(0)
        a = classifier()
        a.fit(given, y, batch_size=7, verbose=0)
        fastnn.utils.set_random_seed(0)
        b = classifier()
        b.fit(np.ascontiguousarray(given), y, batch_size=7, verbose=0)
        assert same(a, b)


# ---- epochs and steps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "steps", "epochs", "counts", "warned"),
    [
        ("table", 2, 4, [2, 2, 1, 2], True),  # as in Keras: an epoch goes on where the one before it ended
        ("table", 7, 2, [5, 5], True),
        ("table", 5, 3, [5, 5, 5], False),
        ("dataset", 2, 4, [2, 2, 1, 2], True),
        ("loader", 2, 4, [2, 2, 1, 2], True),
        ("loader", None, 2, [5, 5], False),
        ("generator", None, 1, [5], False),
        ("generator", 5, 1, [5], False),
        ("generator", 2, 2, [2, 2], False),
        ("generator", 2, 3, [2, 2, 1], True),
        ("generator", 4, 3, [4, 1, 0], True),  # an epoch without a batch ends training; in Keras it counts
        ("generator", None, 3, [5, 0], True),
        ("endless", 3, 4, [3, 3, 3, 3], False),
        ("endless dataset", 3, 2, [3, 3], False),
    ],
)
def test_numbers_of_steps(table, kind, steps, epochs, counts, warned):
    x, y = table

    def forever():
        while True:
            yield x[:10], y[:10]

    data = {
        "table": x, "dataset": Rows(x, y), "loader": Loader(x, y), "generator": in_batches(x, y),
        "endless": forever(), "endless dataset": Rows(x, y, endless=True),
    }[kind]  # fmt: skip
    heard = Steps()
    options = {"y": y, "batch_size": 10} if kind == "table" else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = classifier().fit(
            data, **options, steps_per_epoch=steps, epochs=epochs, verbose=0, callbacks=heard
        )  # fmt: skip
    assert heard.counts == counts and len(history.epoch) == sum(count > 0 for count in counts)
    assert any("the data have ended" in str(w.message) for w in caught) == warned
    assert heard.params["steps"] == (steps or (None if kind in ("loader", "generator") else 5))


def test_batches_go_on_from_epoch_to_epoch(table):
    x, y = table
    a, b = classifier(), classifier()
    a.fit(x, y, batch_size=10, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0)
    b.fit(x[:40], y[:40], batch_size=10, shuffle=False, verbose=0)
    assert same(a, b)


def test_validation_by_an_endless_generator_goes_on(table):
    x, y = table

    def forever():
        while True:
            yield from in_batches(x, y)

    model = classifier()
    figures = model.fit(
        x, y, epochs=2, verbose=0, validation_data=forever(), validation_steps=3, validation_freq=2
    ).history  # fmt: skip
    assert len(figures["val_loss"]) == 1
    assert figures["val_loss"] == [model.evaluate(x[:30], y[:30], batch_size=10, verbose=0)[0]]
    assert model.predict(((a,) for a in (x[:3], x[3:7])), verbose=0).shape == (7, 3)


def test_a_data_set_hears_of_epochs_and_is_asked_in_random_order(table):
    data = Rows(*table)
    assert issubclass(Sequence, PyDataset)
    classifier().fit(data, epochs=3, verbose=0)
    assert data.events == ["begin", "end"] * 3
    orders = [data.asked[start : start + 5] for start in (0, 5, 10)]
    assert all(sorted(order) == list(range(5)) for order in orders) and len(set(map(tuple, orders))) > 1


def test_batches_as_a_whole_are_shuffled(table):
    x, y = table
    seen = []

    class Watched(Sequential):
        def train_step(self, data):
            seen.append(data[0][:, 0])
            return super().train_step(data)

    model = Watched([layers.Dense(3)])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=10, epochs=2, shuffle="batch", verbose=0)
    blocks = {x[start : start + 10, 0].tobytes() for start in range(0, 50, 10)}
    assert {b.tobytes() for b in seen[:5]} == {b.tobytes() for b in seen[5:]} == blocks
    assert [b.tobytes() for b in seen[:5]] != [b.tobytes() for b in seen[5:]]


def test_class_weights_of_batches_equal_those_of_tables(table):
    x, y = table
    a, b = classifier(), classifier()
    weights = {0: 0.5, 2: 4.0}
    a.fit(Loader(x, y), class_weight=weights, verbose=0)
    b.fit(x, y, batch_size=10, class_weight=weights, shuffle=False, verbose=0)
    assert same(a, b)


def test_data_are_packed_and_unpacked():
    x, y, w = np.zeros(1), np.ones(1), np.full(1, 2)
    assert pack_x_y_sample_weight(x) is x and pack_x_y_sample_weight([x, y]) == ([x, y],)
    assert pack_x_y_sample_weight(x, y, w) == (x, y, w)
    for parts in ((x,), (x, y), (x, y, w)):
        found = unpack_x_y_sample_weight(parts)
        assert [a is b for a, b in zip(found, (*parts, None, None), strict=False)] == [True] * 3
    assert unpack_x_y_sample_weight(x)[1:] == (None, None)
    with pytest.raises(ValueError, match=r"\[data\] expected x, \(x,\), \(x, y\) or .*, got 4 parts"):
        unpack_x_y_sample_weight((x, y, w, w))


# ---- memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "order"), [("float64", "C"), ("uint8", "C"), ("float32", "F")])
def test_a_table_on_disk_is_read_a_batch_at_a_time(tmp_path, run_python, dtype, order):
    """A table of 192 MB trains in a process whose own memory grows by less than 24 MB."""
    code = f"""
        import numpy as np, fastnn
        from fastnn import layers

        def anonymous():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024

        dtype = np.dtype({dtype!r})
        rows = 192 * 2**20 // (64 * dtype.itemsize)
        shape = (rows, 64) if {order!r} == "C" else (64, rows)
        x = np.memmap({str(tmp_path / "table")!r}, dtype, "w+", shape=shape)
        x = x if {order!r} == "C" else x.T
        y = np.memmap({str(tmp_path / "labels")!r}, np.float32, "w+", shape=(rows, 1))
        model = fastnn.Sequential([layers.Input((64,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x[:4096], y[:4096], batch_size=512, verbose=0)
        before = anonymous()
        options = dict(batch_size=512, verbose=0)
        model.fit(x, y, steps_per_epoch=100, validation_split=0.5, validation_steps=20, **options)
        model.evaluate(x, y, steps=20, **options)
        model.predict(x, steps=20, **options)
        print(anonymous() - before)
    """
    done = run_python(code)
    assert float(done.stdout) < 24, done.stderr


@pytest.mark.resident
def test_memory_is_flat_over_steps_of_many_batch_sizes(run_python):
    code = """
        import numpy as np, fastnn
        from fastnn import layers

        def resident():
            with open("/proc/self/statm") as statm:
                return int(statm.read().split()[1]) * 4

        rng = np.random.default_rng(0)
        model = fastnn.Sequential([layers.Input((8,)), layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        x, y = rng.standard_normal((64, 8), dtype=np.float32), rng.standard_normal((64, 1), dtype=np.float32)
        sizes = rng.integers(1, 65, 10000).tolist()

        def batches():
            for size in sizes:
                yield x[:size], y[:size]

        seen = []
        watch = fastnn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(resident()))
        model.fit(batches(), steps_per_epoch=1000, epochs=10, verbose=0, callbacks=watch)
        print(model.optimizer.iterations, max(seen[2:]) - seen[2])
    """
    done = run_python(code)
    assert done.stdout, done.stderr
    steps, growth = done.stdout.split()
    assert steps == "10000" and int(growth) < 512  # KiB


# ---- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"y": np.zeros(5)}, ValueError, r"\[fit\] expected no y beside generator, which gives whole batches"),
        ({"batch_size": 5}, ValueError, "expected no batch_size beside generator"),
        ({"sample_weight": np.zeros(5)}, ValueError, "expected no sample_weight beside generator"),
        ({"validation_split": 0.5}, ValueError, "expected arrays for validation_split, got generator; give"),
        ({"shuffle": "rows"}, ValueError, "expected shuffle True, False or 'batch', got 'rows'"),
        ({"class_weight": [1, 2]}, TypeError, r"expected class_weight as \{class: weight\}, got list"),
        ({"steps_per_epoch": 1.5}, ValueError, "expected steps_per_epoch to be an integer >= 1, got 1.5"),
    ],
)
def test_arguments_that_batches_cannot_have_are_refused(table, options, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(in_batches(*table), verbose=0, **options)


def test_empty_and_endless_data_are_refused(table):
    x, y = table
    for built in (True, False):
        model = classifier(built)
        with pytest.raises(ValueError, match=r"\[fit\] expected batches of at least one sample, got one of none"):
            model.fit(iter([(x[:0], y[:0])]), verbose=0)
    with pytest.raises(ValueError, match=r"\[fit\] expected at least one batch, got none"):
        classifier(built=False).fit(iter([]), verbose=0)
    with pytest.raises(ValueError, match=r"\[predict\] expected at least one batch, got none"):
        classifier().predict(iter([]))
    with pytest.raises(ValueError, match="expected a number of steps for a PyDataset without end, got None"):
        classifier().fit(Rows(x, y, endless=True), verbose=0)
    with pytest.raises(ValueError, match="expected at least one batch, got a PyDataset of length 0"):
        classifier().fit(Rows(x[:0], y[:0]), verbose=0)
    with pytest.raises(ValueError, match=r"\[PyDataset\] expected workers >= 0 and max_queue_size >= 1, got -1 and 10"):
        Rows(workers=-1)
    with pytest.raises(ValueError, match=r"\[data\] expected x, .*got 4 parts"):
        classifier().fit(iter([(x, y, y, y)]), verbose=0)


def test_an_error_in_a_generator_comes_through(table):
    def broken():
        yield table
        raise OSError("disk")

    heard = []
    end = callbacks.LambdaCallback(on_train_end=lambda logs: heard.append(1))
    for data in (broken(), Rows(*table, object(), workers=2)):
        with pytest.raises((OSError, TypeError)):
            classifier().fit(data, verbose=0, callbacks=end)
    assert heard == [1, 1]
