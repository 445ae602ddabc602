"""Models looked at: tables and drawings."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, Sequential, layers, ops
from fastnn.models.layout import laid_out
from fastnn.utils import plot_model


def two_inputs():
    first, second = Input((11,), name="first"), Input((5,), name="second")
    h = layers.Dense(16, "relu", name="h1")(first)
    out1 = layers.Dense(4, "softmax", name="out1")(layers.Dense(4, "relu", name="h2")(h))
    out2 = layers.Dense(1, name="out2")(layers.Dense(4, "relu", name="h3")(second))
    return Model([first, second], [out1, out2], name="course")


def residual(blocks=2):
    x = y = Input((6,), name="x")
    for block in range(blocks):
        inner = layers.Dense(6, name=f"inner{block}")(layers.Dense(6, "tanh", name=f"wide{block}")(y))
        y = layers.Add(name=f"join{block}")([y, inner])
    return Model(x, layers.Dense(3, name="head")(y), name="residual")


def nested():
    x = Input((6,), name="x")
    inner = Sequential([Input((6,), name="front"), layers.Dense(4, name="deep")], name="inner")
    return Model(x, layers.Dense(2, name="head")(inner(x)), name="outer")


def lines_of(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return lines


def cells_of(lines):
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


def test_a_graph_says_what_is_connected_with_what():
    header, *rows = cells_of(lines_of(two_inputs()))
    assert header == ["Layer (type)", "Output Shape", "Param #", "Connected to"]
    assert rows[:4] == [
        ["first (InputLayer)", "(None, 11)", "0", "-"],
        ["h1 (Dense)", "(None, 16)", "192", "first[0][0]"],
        ["second (InputLayer)", "(None, 5)", "0", "-"],
        ["h2 (Dense)", "(None, 4)", "68", "h1[0][0]"],
    ]
    assert ["join0 (Add)", "(None, 6)", "0", "x[0][0], inner0[0][0]"] in cells_of(lines_of(residual()))


def test_a_chain_needs_no_connections_and_a_shared_layer_does():
    x = Input((4,), name="x")
    chain = Model(x, layers.Dense(2)(layers.Dense(3)(x)))
    assert cells_of(lines_of(chain))[0] == ["Layer (type)", "Output Shape", "Param #"]
    shared = layers.Dense(4, name="shared")
    rows = cells_of(lines_of(Model(x, shared(shared(x)))))
    assert rows[-1] == ["shared (Dense)", "(None, 4)", "20", "x[0][0], shared[0][0]"]
    assert cells_of(lines_of(Model(x, ops.relu(shared(x)) * 2)))[-1][0].endswith("(multiply)")


def test_totals_count_the_optimizer_too(rng):
    model = two_inputs()
    model.compile("adam", ["categorical_crossentropy", "mse"])
    assert lines_of(model)[-3:] == [
        " Total params: 309 (1.21 KB)",
        " Trainable params: 309 (1.21 KB)",
        " Non-trainable params: 0 (0.00 B)",
    ]
    x = [rng.standard_normal((8, 11)), rng.standard_normal((8, 5))]
    model.train_on_batch(x, [np.eye(4)[rng.integers(0, 4, 8)], rng.standard_normal((8, 1))])
    found = dict(re.findall(r" (\S+) params: ([\d,]+)", "\n".join(lines_of(model))))
    slots = sum(a.size for a in model.optimizer.state().values())
    assert slots >= 618 and found == {
        "Total": f"{309 + slots}", "Trainable": "309", "Non-trainable": "0", "Optimizer": f"{slots}"
    }  # fmt: skip


def test_trainable_marks():
    model = two_inputs()
    model.get_layer("h1").trainable = False
    marks = {row[0].split()[0]: row[-1] for row in cells_of(lines_of(model, show_trainable=True))}
    assert marks == {"Layer": "Trainable", "first": "-", "second": "-", "h1": "N", "h2": "Y", "h3": "Y",
                     "out1": "Y", "out2": "Y"}  # fmt: skip


def test_nested_models_are_shown_inside():
    names = [row[0] for row in cells_of(lines_of(nested(), expand_nested=True))[1:]]
    assert names == ["x (InputLayer)", "inner (Sequential)", "└ deep (Dense)", "head (Dense)"]
    assert len(cells_of(lines_of(nested()))) == 4


def test_a_range_of_layers():
    names = [row[0].split()[0] for row in cells_of(lines_of(residual(), layer_range=("wide1", "join.")))[1:]]
    assert names == ["wide1", "inner1", "join1"]
    with pytest.raises(ValueError, match=r"\[summary\] expected layer_range of \['x', 'wide0'.*got 'none'"):
        residual().summary(layer_range=("none", "head"))
    with pytest.raises(ValueError, match=r"\[summary\] expected layer_range as two names"):
        residual().summary(layer_range=("x",))


def test_the_width_is_as_asked_for_and_long_cells_go_on_below():
    lines = lines_of(residual(), line_length=60)
    assert {len(line) for line in lines if line[0] in "│┌├└"} == {61}
    at = cells_of(lines).index(["join0 (Add)", "(None, 6)", "0", "x[0][0],"])
    assert cells_of(lines)[at + 1] == ["", "", "", "inner0[0][0]"]
    assert len(lines_of(residual(), positions=[30, 50, 60, 90])[1]) == 91
    with pytest.raises(ValueError, match=r"\[summary\] expected positions for 4 columns"):
        residual().summary(positions=[0.5, 1.0])


def test_a_model_of_ones_own_lists_its_layers():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(3, name="first"), layers.Dense(2, name="second")

        def call(self, x):
            return self.second(self.first(x))

    model = Net()
    model(np.zeros((2, 4), "float32"))
    rows = cells_of(lines_of(model))[1:]
    assert rows == [["first (Dense)", "(None, 3)", "15"], ["second (Dense)", "(None, 2)", "8"]]


# ---- drawings -----------------------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def drawn(model, tmp_path, **options):
    drawing = plot_model(model, tmp_path / "m.svg", **options)
    assert (tmp_path / "m.svg").read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    root = ElementTree.fromstring(drawing.svg)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    arrows = [element for element in root.iter(f"{SVG}path") if element.get("marker-end")]
    return root, texts, arrows


def test_boxes_arrows_and_what_they_tell(tmp_path):
    _, texts, arrows = drawn(two_inputs(), tmp_path)
    assert texts == ["Input", "Dense"] * 2 + ["Dense"] * 3 and len(arrows) == 5
    _, texts, _ = drawn(
        two_inputs(), tmp_path, show_shapes=True, show_dtype=True, show_layer_names=True, show_layer_activations=True,
        show_trainable=True,
    )  # fmt: skip
    assert {"h1", "(None, 11)", "(None, 16)", "float32", "relu", "softmax", "yes"} <= set(texts)
    assert "linear" not in texts
    _, texts, arrows = drawn(residual(), tmp_path, show_shapes=True)
    assert len(arrows) == 2 * 4 + 1
    assert "(None, 6)  (None, 6)" in texts


def test_nested_models_are_boxes_that_hold_theirs(tmp_path):
    _, texts, arrows = drawn(nested(), tmp_path, show_layer_names=True)
    assert "deep" not in texts and len(arrows) == 2
    _, texts, arrows = drawn(nested(), tmp_path, show_layer_names=True, expand_nested=True)
    assert {"inner", "front", "deep"} <= set(texts) and len(arrows) == 3


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("make", [two_inputs, residual, nested])
def test_boxes_lie_in_the_picture_and_do_not_overlap(tmp_path, make, rankdir):
    root, _, _ = drawn(make(), tmp_path, show_shapes=True, show_layer_names=True, rankdir=rankdir)
    _, _, width, height = map(float, root.get("viewBox").split())
    boxes = [
        [float(rect.get(key)) for key in ("x", "y", "width", "height")] for rect in list(root.iter(f"{SVG}rect"))[1:]
    ]
    for x, y, w, h in boxes:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    flat = rankdir in ("LR", "RL")
    assert (width > height) == flat
    first, last = boxes[0], boxes[-1]
    assert (first[not flat] < last[not flat]) == (rankdir in ("TB", "LR"))


def test_a_layer_used_twice_on_a_way_is_drawn_with_an_arrow_back(tmp_path):
    shared = layers.Dense(4, name="shared")
    x = Input((4,))
    _, texts, arrows = drawn(Model(x, shared(ops.relu(shared(x)))), tmp_path)
    assert texts == ["Input", "Dense", "relu"] and len(arrows) == 3


def test_long_arrows_get_room_beside_the_boxes():
    layout = laid_out([(100, 20)] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    long = layout.arrows[-1]
    assert len(long) == 4
    for place in layout.places[1:3]:
        assert all(abs(x - place.x) > place.width / 2 for x, _ in long[1:3])
    assert layout.places[1].x == layout.places[2].x


def test_what_cannot_be_drawn_is_refused_and_other_suffixes_are_told(tmp_path):
    with pytest.raises(ValueError, match=r"\[plot_model\] expected rankdir 'TB', 'BT', 'LR' or 'RL', got 'UP'"):
        plot_model(residual(), None, rankdir="UP")
    with pytest.raises(ValueError, match=r"\[plot_model\] expected a built model"):
        plot_model(Sequential([layers.Dense(2)]), None)
    with pytest.warns(UserWarning, match=r"drawings are SVG files; written to .*m\.svg"):
        plot_model(residual(), tmp_path / "m.png")
    assert (tmp_path / "m.svg").exists() and not (tmp_path / "m.png").exists()
    size = re.search(r'width="(\d+)"', plot_model(residual(), None).svg)[1]
    half = re.search(r'width="(\d+)"', plot_model(residual(), None, dpi=100).svg)[1]
    assert int(half) == pytest.approx(int(size) / 2, abs=1)


def test_a_model_of_ones_own_is_drawn_as_its_layers(tmp_path):
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(3), layers.Dense(2)

        def call(self, x):
            return self.second(self.first(x))

    model = Net()
    fastnn.ops.sum(model(np.zeros((2, 4), "float32")))
    _, texts, arrows = drawn(model, tmp_path)
    assert texts == ["Dense", "Dense"] and len(arrows) == 1
