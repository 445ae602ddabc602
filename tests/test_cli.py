"""The command `fastnn`."""

import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn import cli


def test_info_lists_the_facts(capsys):
    assert cli.main(["info"]) == 0
    facts = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    assert facts["fastnn"] == fastnn.__version__ and facts["numpy"] == np.__version__
    assert fastnn.backend.build_info()["active_isa"] in facts["instruction sets"].split("in use: ")[1]
    assert facts["threads"].startswith(f"{fastnn.get_num_threads()} in use; ")
    assert all(facts[name] for name in ("python", "compiler", "cpu", "threads", "memory pool", "optional"))


def test_python_dash_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "fastnn", "info"], capture_output=True, text=True, check=True)
    assert fastnn.__version__ in done.stdout and done.stderr == ""


def test_demo_help_names_options_and_tables(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["demo", "--help"])
    text = capsys.readouterr().out
    assert left.value.code == 0
    assert all(word in text for word in ("--data", "--out", "--seed", "--epochs", "digits", "breast_cancer"))


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--data", "mnist"], ["demo", "--epochs", "many"]])
def test_other_words_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2 and "usage: fastnn" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "package"), [("sklearn", "scikit-learn"), ("matplotlib.figure", "matplotlib")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(module, package, capsys, monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(["demo", "--data", "iris", "--epochs", "1", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert f"[demo] expected the package {package}, which is not installed" in error
    assert 'python -m pip install "fastnn-kernels[demo]"' in error
    assert "Traceback" not in error


def test_demo_runs(capsys, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    assert cli.main(["demo", "--data", "iris", "--epochs", "2", "--seed", "3", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "wrote " in out and (tmp_path / "model.safetensors").is_file()


def test_demo_offers_every_table():
    from fastnn.demo import tables

    parser = cli._parser()
    for name in tables.NAMES:
        assert parser.parse_args(["demo", "--data", name]).data == name
