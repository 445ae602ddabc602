"""The demo's network, and the lines of code that do the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How a table is learned.

    hidden: widths of the hidden layers. filters: channels of pairs of convolutions in front of them, for images 8 x 8.
    """

    hidden: tuple[int, ...]
    dropout: float
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    filters: tuple[int, ...] = ()


RECIPES = {
    "digits": Recipe((128, 64), 0.2, 40),
    "iris": Recipe((16,), 0.0, 60, batch_size=16, learning_rate=1e-2),
    "wine": Recipe((32,), 0.2, 40, batch_size=16),
    "breast_cancer": Recipe((32,), 0.2, 30),
    "diabetes": Recipe((32,), 0.3, 60),
}

#: The digits as images.
CNN = Recipe((), 0.25, 30, filters=(16, 32))


def code(name: str, recipe: Recipe, seed: int, epochs: int) -> str:
    """A program of about twenty lines that prints the demo's result for a table."""
    regression = name == "diabetes"
    lines = [
        "import fastnn",
        "from fastnn import layers",
        f"from sklearn.datasets import load_{name}",
        "from sklearn.model_selection import train_test_split",
        "",
        f"x, y = load_{name}(return_X_y=True)",
        "x_train, x_test, y_train, y_test = train_test_split(",
        f'    x.astype("float32"), y, test_size=0.25, random_state={seed}{"" if regression else ", stratify=y"})',
    ]
    if name == "digits":
        lines += ["x_train, x_test = x_train / 16, x_test / 16"]
    else:
        lines += [
            "mean, std = x_train.mean(axis=0), x_train.std(axis=0)",
            "x_train, x_test = (x_train - mean) / std, (x_test - mean) / std",
        ]
    if regression:
        lines += ["mean, std = y_train.mean(), y_train.std()"]
        lines += ["y_train, y_test = ((part - mean) / std for part in (y_train, y_test))"]
    hidden = _convolutions(recipe)
    for width in recipe.hidden:
        hidden.append(f'    layers.Dense({width}, activation="relu"),')
        if recipe.dropout:
            hidden.append(f"    layers.Dropout({recipe.dropout}),")
    outputs = "1" if regression else "len(set(y))"
    loss = '"mse"' if regression else "fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)"
    metric = '"mae"' if regression else '"accuracy"'
    lines += [
        "",
        f"fastnn.utils.set_random_seed({seed})",
        "model = fastnn.Sequential([layers.Input((x.shape[1],)),",
        *hidden,
        f"    layers.Dense({outputs})])",
        f"model.compile(fastnn.optimizers.Adam({recipe.learning_rate:g}), {loss}, metrics=[{metric}])",
        f"model.fit(x_train, y_train, batch_size={recipe.batch_size}, epochs={epochs}, validation_split=0.15)",
        "print(model.evaluate(x_test, y_test, return_dict=True, verbose=0))",
        'model.save("model.safetensors")',
    ]
    return "\n".join(lines)


def _convolutions(recipe: Recipe) -> list[str]:
    """The lines of the layers over images."""
    if not recipe.filters:
        return []
    lines = ["    layers.Reshape((8, 8, 1)),"]
    for filters in recipe.filters:
        one = f'    layers.Conv2D({filters}, 3, padding="same"), '
        one += 'layers.BatchNormalization(momentum=0.9), layers.Activation("relu"),'
        lines += [one, one, f"    layers.MaxPooling2D(2), layers.Dropout({recipe.dropout}),"]
    return [*lines, "    layers.Flatten(),"]
