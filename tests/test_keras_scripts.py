"""Scripts written for Keras run as they are, but for the name in their import lines."""

import re
import runpy
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "keras_scripts").glob("*.py"))


def for_fastnn(text):
    text = re.sub(r"^import keras$", "import fastnn as keras", text, flags=re.MULTILINE)
    return re.sub(r"^from keras(\.\w+)* import", r"from fastnn\1 import", text, flags=re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_for_keras_runs(script, tmp_path, monkeypatch):
    text = script.read_text(encoding="utf-8")
    changed = for_fastnn(text)
    pairs = zip(text.splitlines(), changed.splitlines(), strict=True)
    assert sum(a != b for a, b in pairs) == len(re.findall(r"^(?:from|import) keras", text, re.MULTILINE)) > 0
    (tmp_path / script.name).write_text(changed, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(tmp_path / script.name), run_name="__main__")


def test_there_are_scripts():
    assert len(SCRIPTS) >= 6
