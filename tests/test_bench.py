"""The benchmark harness: its cases, records and tables, and that fastnn computes what NumPy does. One test is timed."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench import attention_memory, cases, memory, readme_table, record, run, worker
from bench.machine import Machine, Watch

ALL_CASES = {case.name: case for case in cases.all_cases()}
SMALL_CASES = [
    "gemm/nn/32x64x64",
    "gemm/nt/32x64x64",
    "gemm/tn/32x64x64",
    "gemm/nn/1x128x784",
    "gemm/tn/64x64x30",
    "dense/fwd/32x64x64",
    "dense/bwd/32x64x64",
    *(f"act/{way}/{fn}/1e3" for way in ("fwd", "bwd") for fn in cases.ACTIVATIONS),
    "loss/softmax_xent/32x10",
    "loss/huber/1e3",
    "dropout/1e4",
    *(f"optim/{fn}/1e4" for fn in ("sgd", "momentum", "adam", "adamw")),
    "train/mlp_tabular_30_64_64_1/b32",
    "train/mlp_784_128_10/b32",
    "train/autoencoder_784_128_32/b128",
    "infer/mlp_tabular_30_64_64_1/b1",
    "infer/mlp_784_128_10/b64",
]


def test_case_names_are_unique() -> None:
    assert len(ALL_CASES) == len(cases.all_cases())


@pytest.mark.parametrize("group", sorted({case.group for case in ALL_CASES.values()}))
def test_inputs_of_every_case_can_be_built(group: str) -> None:
    for case in ALL_CASES.values():
        if case.group == group:
            inputs = case.make_inputs()
            arrays = [value for value in inputs.values() if isinstance(value, np.ndarray)]
            assert arrays and all(array.dtype in (np.float32, np.int64) for array in arrays), case.name


def test_floor_of_every_case_is_positive() -> None:
    machine = Machine(1e11, [(1e4, 1e11), (1e8, 1e10)])
    assert all(machine.floor(case) > 0 for case in ALL_CASES.values())


def test_the_floor_of_operations_rises_as_the_peak_falls() -> None:
    machine = Machine(1e11, [(1e4, 1e11), (1e8, 1e10)])
    product, sum_ = ALL_CASES["gemm/nn/512x512x512"], ALL_CASES["optim/sgd/1e7"]
    assert machine.floor(product, 0.5) == 2 * machine.floor(product)
    assert machine.floor(sum_, 0.5) == machine.floor(sum_)


def test_bandwidth_lies_between_the_measured_ones() -> None:
    machine = Machine(1e11, [(1e4, 1e11), (1e8, 1e10)])
    assert machine.bandwidth_at(1) == 1e11
    assert machine.bandwidth_at(1e6) == pytest.approx(5.5e10)
    assert machine.bandwidth_at(1e9) == 1e10


class Scripted:
    """A worker that answers with samples, and a watch that sees shares of the peak, in their order."""

    threads = 1

    def __init__(self, samples: list[tuple[float, float]], shares: list[float]) -> None:
        self.samples, self.shares = iter(samples), iter(shares)

    def ask(self, message: str) -> tuple[float, float]:
        assert message == "sample"
        return next(self.samples)

    def share(self) -> float:
        return next(self.shares)

    wait = share


@pytest.mark.parametrize(
    ("samples", "shares", "expected"),
    [
        ([(1.0, 0.0)], [1.0, 0.95], (1.0, 0.975)),
        ([(3.0, 0.0), (2.0, 0.0)], [1.0, 0.5, 0.97, 0.97], (2.0, 0.97)),  # the peak was lost during the first sample
        ([(3.0, 9.0), (2.0, 0.0)], [1.0, 1.0, 1.0, 1.0], (2.0, 1.0)),  # another program ran during the first sample
        ([(5.0, 0.0), (2.0, 0.0), (4.0, 0.0)], [0.5, 0.5, 0.8, 0.7, 0.6, 0.9], (2.0, 0.75)),  # none is good
        ([(5.0, 9.0), (2.0, 9.0), (4.0, 0.0)], [1.0, 1.0, 1.0, 1.0, 0.4, 0.3], (4.0, 0.35)),
    ],
)
def test_the_least_disturbed_sample_counts_and_the_peak_around_it(
    samples: list[tuple[float, float]], shares: list[float], expected: tuple[float, float]
) -> None:
    machine: Any = Scripted(samples, shares)
    assert run.quiet_sample(machine, machine, attempts=3) == pytest.approx(expected)


def test_a_watch_measures_again_and_again_and_loses_patience() -> None:
    watch = Watch(1, peak=1e9, patience=0.02)
    try:
        assert watch.share() > 0 and watch.wait(0.01) > 0  # 1 GFLOP/s is less than any machine's peak
        watch.peak = 1e18
        assert watch.wait(0.01) < 1e-3 and watch.patience <= 0
    finally:
        watch.close()


def test_difference_sees_wrong_values_shapes_and_nan() -> None:
    one = [((2,), np.array([1.0, -4.0]))]
    assert run.difference(one, one) == 0
    assert run.difference([((2,), np.array([1.0, -3.0]))], one) == 0.25
    assert run.difference([((1, 2), np.array([1.0, -4.0]))], one) == float("inf")
    assert run.difference([], one) == float("inf")
    assert np.isnan(run.difference([((2,), np.array([np.nan, -4.0]))], one))


def test_a_record_names_no_folders() -> None:
    text = "python -m bench.run --cases 'gemm/nn/*' --json /home/me/out.json"
    assert record.without_folders(text) == "python -m bench.run --cases 'gemm/nn/*' --json out.json"


def test_a_peer_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("raise ModuleNotFoundError('no jax', name='jax')")
    folders = os.pathsep.join([str(tmp_path), str(record.ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "bench.run", "--peers", "jax"],
        capture_output=True,
        text=True,
        cwd=record.ROOT,
        env={**os.environ, "PYTHONPATH": folders},
    )
    assert done.stdout == "peer jax: not installed, left out (no module jax)\n"
    assert done.stderr == "no peer is installed\n"


# ------------------------------------------------------------------------------------------------------- tables


def result(**seconds: float) -> record.Result:
    peers = {
        spec: {"median": value, "samples": [value], "difference": 0.0, "agrees": True}
        for spec, value in seconds.items()
    }
    return {"flops": 1e6, "bytes": 1e3, "unit": "GFLOP/s", "floor": 1e-5, "run": 0, "peers": peers}


@pytest.fixture
def results() -> record.Record:
    wrong = result(fastnn=1e-5, torch=2e-5, numpy=1e-6)
    wrong["peers"]["numpy"]["agrees"] = False
    lacking = result(torch=1e-4)
    lacking["peers"]["fastnn"] = {"error": "unsupported: no lstm yet"}
    run_ = {
        "commit": "0123456789abcdef",
        "dirty": False,
        "date": "2030-01-02 03:04 UTC",
        "isa": "avx2",
        "command": "python -m bench.run --json out.json",
        "peers": {spec: {"version": "1.0", "threads": 1} for spec in ("fastnn", "torch", "numpy")},
    }
    return {
        "threads": 1,
        "machine": {"cpu": "Example", "cores": 2, "flops": 1e11, "bandwidth": [[1e4, 1e11]]},
        "runs": [run_],
        "cases": {
            "gemm/nn/1x1x1": result(fastnn=1e-5, torch=8e-5, numpy=4e-5),
            "gemm/nn/2x2x2": result(fastnn=2e-5, torch=4e-5, numpy=1e-5),
            "gemm/tn/1x1x1": wrong,
            "train/a/b1": result(fastnn=1e-3, numpy=3e-3),
            "rnn/lstm_fwd/a": lacking,
        },
    }


EXPECTED_TABLE = """\
**1 thread**, Example, 2 cores, peak 100 GFLOP/s

| cases | rows | best peer / fastnn | torch / fastnn | rows lost | worst row |
|---|--:|--:|--:|--:|---|
| gemm/nn | 2 | 1.41 | 4.00 | 1 | gemm/nn/2x2x2 0.50 |
| gemm/tn | 1 | 2.00 | 2.00 | 0 | gemm/tn/1x1x1 2.00 |
| train | 1 | 3.00 | - | 0 | train/a/b1 3.00 |

1 of 5 cases are in no line: fastnn or all other peers lack them. Not in the ratios, since outputs differ from the \
first peer's: gemm/tn/1x1x1.

Geometric means, from [a.json](bench/results/a.json):

* commit 0123456789, 2030-01-02 03:04 UTC, kernels avx2, fastnn 1.0, torch 1.0, numpy 1.0: \
`python -m bench.run --json out.json`"""


def test_table_has_means_losses_and_worst_rows(results: record.Record) -> None:
    assert readme_table.table(results, "a.json") == EXPECTED_TABLE


def test_section_is_replaced_between_its_markers() -> None:
    text = f"before\n{readme_table.BEGIN}\nold\n{readme_table.END}\nafter\n"
    new = readme_table.replaced("page", text, "new")
    assert new == f"before\n{readme_table.BEGIN}\nnew\n{readme_table.END}\nafter\n"
    assert readme_table.replaced("page", new, "new") == new
    with pytest.raises(SystemExit, match="lacks the markers"):
        readme_table.replaced("page", "no markers", "new")


def test_a_record_survives_the_file(results: record.Record, tmp_path: Path) -> None:
    record.save(tmp_path / "a.json", results)
    assert record.load(tmp_path / "a.json") == results


# -------------------------------------------------------------------------------------------------------- peers


@pytest.fixture(scope="module")
def numpy_peer() -> ModuleType:
    for needed in ("scipy", "threadpoolctl"):
        pytest.importorskip(needed, reason=f"the numpy peer needs {needed}")
    return importlib.import_module("bench.peers.numpy")


@pytest.mark.parametrize("name", SMALL_CASES)
def test_fastnn_computes_what_numpy_does(name: str, numpy_peer: ModuleType) -> None:
    fastnn_peer, case = importlib.import_module("bench.peers.fastnn"), ALL_CASES[name]
    found = worker.digest(fastnn_peer, worker.build(fastnn_peer, case)())
    expected = worker.digest(numpy_peer, worker.build(numpy_peer, case)())
    verdict = run.compare(case, found, expected, tolerance=1e-3)  # the tolerance of bench.run
    assert verdict["agrees"], verdict


@pytest.mark.resident
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_peak_memory_of_a_step_holds_weights_gradients_and_moments():
    """784 x 512, 512 x 512 and 512 x 10 floats, four times each, and not much more."""
    megabytes = memory.peak("fastnn", "train/mlp_784_512_512_10/b128", threads=1, steps=2, rounds=1)
    weights = 4 * 4 * (784 * 512 + 512 * 512 + 512 * 10) / 2**20
    assert weights < megabytes < 4 * weights


def test_attention_takes_memory_by_its_length_and_not_by_its_square():
    few, many = (attention_memory.figures(keys) for keys in (256, 1024))
    assert many["scores"] == 16 * few["scores"]
    assert few["forward"] < few["with_gradients"]
    assert all(few[name] < many[name] < 4 * few[name] for name in ("forward", "with_gradients"))


@pytest.mark.slow
def test_a_step_of_a_recurrent_layer_costs_at_most_thirty_calls_of_numpy():
    """The least of many calls of each, in turns: what else runs on the machine takes part in neither."""
    from bench import call_overhead

    found = call_overhead.figures(rounds=30)
    for layer in ("LSTM", "GRU", "SimpleRNN"):
        assert found[f"{layer}(128).step(wide)"]["multiple"] <= 30
