"""The demo: what it writes, what it reaches, and the program it prints; the README's programs."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from fastnn import demo
from fastnn.demo import recipe, tables
from fastnn.demo.run import build, choose
from fastnn.models import load_model


def quiet(name, folder, **options):
    """(figures, lines) of a demo."""
    lines = []
    figures = demo.run(name, folder, verbose=0, echo=lines.append, **options)
    return figures, "\n".join(lines)


def picture(path):
    from matplotlib.image import imread

    return imread(path)


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("iris", ["confusion.png", "history.png"]),
        ("diabetes", ["history.png", "predictions.png"]),
        ("digits", ["confusion.png", "history.png", "mistakes.png"]),
    ],
)
def test_it_writes_a_model_and_pictures_with_something_in_them(name, pictures, tmp_path):
    figures, text = quiet(name, tmp_path / "deep" / "out", epochs=3)
    out = tmp_path / "deep" / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted([*pictures, "model.safetensors"])
    for file in pictures:
        assert (out / file).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        image = picture(out / file)
        assert min(image.shape[:2]) >= 200 and len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 20
    assert load_model(out / "model.safetensors").predict(tables.load(name, 0).x_test).shape[0] > 0
    assert "Total params" in text and "its predictions are identical" in text and figures["loss"] > 0


def figures_of(name, seed, kind="dense"):
    """The demo's figures for a table, without the pictures."""
    table, settings = tables.load(name, seed), choose(name, kind)
    model = build(table, settings, seed)
    model.fit(
        table.x_train, table.y_train, settings.batch_size, settings.epochs, validation_split=0.15, verbose=0
    )  # fmt: skip
    return model.evaluate(table.x_test, table.y_test, verbose=0, return_dict=True)


def test_figures_without_pictures_are_the_demos(tmp_path):
    figures, _ = quiet("iris", tmp_path, seed=2)
    assert figures_of("iris", 2) == {key: value for key, value in figures.items() if key != "seconds"}


def test_digits_are_read_with_97_percent_in_the_median_of_five_seeds():
    accuracies = [figures_of("digits", seed)["accuracy"] for seed in range(5)]
    assert np.median(accuracies) >= 0.97, accuracies


def test_digits_as_images_are_read(tmp_path):
    """A fifth of the epochs; the next test has all of them."""
    figures, text = quiet("digits", tmp_path, model="cnn", epochs=6)
    assert figures["accuracy"] >= 0.95
    assert "Conv2D" in text.partition("The same in a few lines:")[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confusion.png", "history.png", "mistakes.png", "model.safetensors"
    ]  # fmt: skip


@pytest.mark.slow
def test_digits_as_images_are_read_with_98_5_percent_in_the_median_of_five_seeds():
    accuracies = [figures_of("digits", seed, "cnn")["accuracy"] for seed in range(5)]
    assert np.median(accuracies) >= 0.985, accuracies


def test_a_network_over_images_is_for_the_digits_alone(tmp_path):
    with pytest.raises(ValueError, match=r"\[demo\] expected the digits for a network over images, got iris"):
        demo.run("iris", tmp_path, model="cnn")
    with pytest.raises(ValueError, match=r"\[demo\] expected model 'dense' or 'cnn', got 'rnn'"):
        demo.run("digits", tmp_path, model="rnn")


@pytest.mark.parametrize(("name", "figure", "limit"), [("iris", "accuracy", 0.9), ("wine", "accuracy", 0.93),
                                                       ("breast_cancer", "accuracy", 0.93)])  # fmt: skip
def test_other_tables_are_learned(name, figure, limit):
    assert np.median([figures_of(name, seed)[figure] for seed in range(3)]) >= limit


def test_diabetes_is_predicted_better_than_by_the_mean():
    """Targets have variance 1, so the mean has a squared error of about 1."""
    assert np.median([figures_of("diabetes", seed)["loss"] for seed in range(3)]) < 0.7


def executed(program):
    """What a program prints, without progress bars."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "program", "exec"), {"__name__": "__main__"})
    return out.getvalue()


@pytest.mark.parametrize(("name", "kind"), [*((name, "dense") for name in tables.NAMES), ("digits", "cnn")])
def test_the_printed_program_gives_the_demos_figures(name, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures, text = quiet(name, tmp_path, epochs=4, seed=1, model=kind)
    program = text.partition("The same in a few lines:\n\n")[2]
    assert program.strip() == recipe.code(name, choose(name, kind), 1, 4).strip()
    assert len(program.strip().splitlines()) <= 28
    printed = dict(re.findall(r"'(\w+)': (?:np\.float64\()?([\d.e-]+)", executed(program).splitlines()[-1]))
    assert {key: float(value) for key, value in printed.items()} == pytest.approx(
        {key: value for key, value in figures.items() if key != "seconds"}, rel=1e-6
    )
    assert (tmp_path / "model.safetensors").is_file()


def readme_programs():
    text = (Path(__file__).parent.parent / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readme_has_two_programs():
    assert len(readme_programs()) == 2


@pytest.mark.parametrize("program", readme_programs(), ids=["digits", "arrays"])
def test_the_readmes_programs_run(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = executed(program).splitlines()
    if "load_digits" in program:
        accuracy = float(re.search(r"'accuracy': (?:np\.float64\()?([\d.]+)", printed[-2])[1])
        assert accuracy > 0.95 and printed[-1] in list("0123456789")
    else:
        assert float(printed[-1]) < 0.1
