"""Which instruction set runs, and how another one is asked for."""

import platform

import numpy as np
import pytest

from fastnn import _core, ops


@pytest.fixture(autouse=True)
def restored():
    before = _core.active_isa()
    yield
    _core.set_active_isa(before)


def test_scalar_is_always_there():
    assert _core.supported_isas()[0] == "scalar"


def test_the_best_is_taken_by_itself(run_python):
    run = run_python("from fastnn import _core; print(_core.active_isa())", FASTNN_ISA="")
    assert run.stdout.split()[-1] == _core.supported_isas()[-1]


@pytest.mark.parametrize("isa", _core.supported_isas())
def test_the_environment_names_another(run_python, isa):
    run = run_python("from fastnn import _core; print(_core.active_isa())", FASTNN_ISA=isa)
    assert run.stdout.split()[-1] == isa


@pytest.mark.parametrize("name", ["sse9", "AVX2", "avx2 "])
def test_an_unknown_name_in_the_environment_is_told_at_import(run_python, name):
    run = run_python("import fastnn", FASTNN_ISA=name)
    assert run.returncode != 0
    assert f"[FASTNN_ISA] expected one of {', '.join(_core.supported_isas())}, got '{name}'" in run.stderr


def test_what_the_machine_cannot_run_is_refused(run_python):
    foreign = "neon" if platform.machine() in ("x86_64", "AMD64") else "avx2"
    assert "[FASTNN_ISA] expected one of scalar" in run_python("import fastnn", FASTNN_ISA=foreign).stderr
    with pytest.raises(ValueError, match=rf"\[set_active_isa\] expected one of scalar.*, got '{foreign}'"):
        _core.set_active_isa(foreign)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"\[set_active_isa\] expected scalar, avx2, avx512 or neon, got 'mmx'"):
        _core.set_active_isa("mmx")


def test_the_active_one_is_the_one_that_runs(rng):
    """Sums of a row are added in another order per vector width: identical bits everywhere would mean no dispatch."""
    x = rng.standard_normal((64, 1000)).astype(np.float32)
    results = set()
    for isa in _core.supported_isas():
        _core.set_active_isa(isa)
        results.add(ops.softmax(x).tobytes())
    assert len(results) == len(_core.supported_isas())
