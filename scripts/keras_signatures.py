#!/usr/bin/env python
"""Compares signatures of fastnn's public classes, methods and functions with those of an installed keras.

KERAS_BACKEND=jax python scripts/keras_signatures.py            writes docs/keras.md
KERAS_BACKEND=jax python scripts/keras_signatures.py --check    fails if the page is not up to date

Every difference needs a reason in REASONS; one without ends the script with status 1.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs/keras.md"

MODULES = (
    "", "layers", "models", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers",
    "regularizers", "constraints", "activations", "saving", "utils", "random", "ops",
)  # fmt: skip

#: Where a signature differs and why: patterns of module.name.method, of arguments ("name" or "name=" for a default),
#: and the reason. The first that fits counts.
REASONS: tuple[tuple[str, str, str], ...] = (
    ("*add_weight", "autocast aggregation overwrite_with_gradient", "one machine, one dtype per layer"),
    ("*Layer", "autocast", "one dtype per layer, to which inputs are cast"),
    ("*add_variable", "aggregation autocast", "one machine, one dtype per layer"),
    ("KerasTensor", "dtype= sparse ragged record_history", "made by Input() and by calls, not by hand"),
    ("Variable", "autocast aggregation synchronization layout", "one machine, one dtype per variable"),
    ("*.train_step", "state", "the step of Keras's JAX backend; ours is that of the others"),
    ("*.test_step", "state", "the step of Keras's JAX backend; ours is that of the others"),
    ("*.predict_step", "state", "the step of Keras's JAX backend; ours is that of the others"),
    ("*.save_weights", "max_shard_size", "one file, which safetensors reads in pieces"),
    ("*compile_from_config", "custom_objects", "classes of one's own are named, never looked up"),
    ("*.get", "custom_objects", "classes of one's own are named, never looked up"),
    ("*.from_config", "custom_objects", "an optimizer holds no object of one's own but a schedule"),
    ("*.compute_mask", "previous_mask=", "may be left out"),
    ("*.finalize_variable_values", "var_list=", "may be left out"),
    ("metrics.get", "y_true y_pred", "what a name such as accuracy means follows from targets and predictions"),
    ("*.deserialize", "name config", "named after what it is"),
    ("*serialize*", "*", "one function for every kind"),
    ("layers.Dense", "lora_rank lora_alpha quantization_config", "no low-rank adapters, no 8-bit weights"),
    ("layers.*", "strides= dilation_rate= pool_size= padding= size= cropping=", "a number stands for every axis"),
    ("*", "drop_mask", "whether a mask may end in the layer"),
    ("layers.LayerNormalization", "rms_scaling", "as in Keras up to 3.9"),
    ("layers.PReLU", "alpha_initializer=", "either spelling names it"),
    ("*Metric.add_*", "initializer=", "state begins at zero as a rule"),
    ("losses.Mean*Error", "factor over_outputs", "half factors and sums, as textbooks have them"),
    ("optimizers.*", "epsilon_placement bias_correction dampening", "PyTorch's and textbooks' variants"),
    ("utils.plot_model", "to_file=", "drawings are SVG"),
    ("utils.plot_model", "splines", "an option of Graphviz, which is not needed"),
    ("ops.relu", "negative_slope max_value threshold", "as activations.relu"),
    ("ops.dot_product_attention", "dropout_rate seed", "dropout of the weights inside the kernel"),
    ("ops.am??", "initial", "as max and min, which they are"),
    ("ops.convert_to_tensor", "sparse ragged", "arrays are dense"),
    ("ops.*", "xs x arrays", "named after what it takes"),
    ("ops.*", "rms_scaling", "as in Keras up to 3.9"),
    ("*", "out", "where the result is written to, as NumPy's"),
    ("ops.take", "wrap", "whether negative indices count from the end"),
)

#: What the signatures do not show: what it is about, what fastnn does, what Keras does, and why.
BEHAVIOUR: tuple[tuple[str, str, str, str], ...] = (
    ("float64 arrays", "losses, metrics, ops compute in the arrays' type", "losses cast to floatx()",
     "NumPy arrays keep what they are"),
    ("integers", "NumPy's: `arange` and `argmax` give int64, `sqrt` of integers float64", "int32 and floatx()",
     "as NumPy has it"),
    ("float16, bfloat16", "refused", "taken", "kernels are for float32 and float64"),
    ("`channels_first`", "refused", "taken", "one layout, which the kernels work in"),
    ("targets and outputs of different shapes", "refused", "broadcast where they can be",
     "a wrong shape is rarely meant"),
    ("labels out of range, probabilities outside [0, 1]", "`ValueError`", "clipped or wrapped",
     "a loss of nonsense trains"),
    ("the blank, 0, among the labels of `CTC`", "`ValueError`; zeros at the end are padding",
     "counted as padding wherever it stands", "the labels behind it would be lost"),
    ("negative integers in `Embedding`", "`ValueError`", "counted from the end of the table",
     "padding with -1 would train the last word"),
    ("predictions of `IoU` that are no whole numbers", "`ValueError`", "rounded down",
     "a probability would always be class 0"),
    ("`metric.variables` of built-in metrics", "empty; their state are attributes in float64", "Variables in floatx()",
     "sums of long epochs keep their digits"),
    ("`optimizer.iterations`, `learning_rate`", "an `int` and a `float` with `assign()` and `numpy()`", "Variables",
     "they are read in every step; as Variables they are in `optimizer.variables`"),
    ("a layer that does not support masks", "refuses one, unless `drop_mask=True`; `EinsumDense` warns",
     "warns and loses it", "padding that counts is a wrong result"),
    ("`on_train_end`", "heard also where an exception ends `fit`", "not then", "files are closed, bars end"),
    ("`STFT(window=...)`", "four names, or an array", "SciPy's names", "SciPy is not needed"),
    ("a loss in `compile`", "judges one output", "may judge a nested group of outputs", "losses are fused by output"),
    ("classes of one's own", "in `custom_objects=`, in a scope, or registered", "also imported by the module's name",
     "loading runs nothing that was not handed over"),
)  # fmt: skip

#: Public methods of these classes are compared too; elsewhere the constructor is.
METHODS = ("Model", "Sequential", "Functional", "Layer", "Loss", "Metric", "Optimizer", "Callback", "CallbackList")

#: Arguments of every layer, loss or metric, which either side may take by **options.
COMMON = {"name", "dtype", "trainable", "activity_regularizer", "kwargs", "options", "args"}

_MISSING = inspect.Parameter.empty


@dataclass
class Compared:
    """One class, method or function. agree: arguments that are the same; differences: what is not, by argument."""

    path: str
    agree: list[str] = field(default_factory=list)
    differences: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def parameters(thing: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    try:
        found = inspect.signature(thing.__init__ if inspect.isclass(thing) else thing)
    except (TypeError, ValueError):
        return None
    return {name: p for name, p in found.parameters.items() if name != "self" and p.kind not in _VARIADIC}


def inherited(thing: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What a constructor hands on to its base classes, by keyword."""
    found: dict[str, inspect.Parameter] = {}
    if inspect.isclass(thing) and takes_options(thing):
        for base in thing.__mro__[1:-1]:
            for name, p in inspect.signature(base.__init__).parameters.items():
                found.setdefault(name, p)
    return found


def takes_options(thing: Callable[..., Any]) -> bool:
    kinds = {p.kind for p in inspect.signature(thing).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def same_default(ours: Any, theirs: Any) -> bool:
    if ours is theirs or repr(ours) == repr(theirs):
        return True
    try:
        return bool(ours == theirs)
    except (TypeError, ValueError):
        return False


def compare(path: str, ours: Callable[..., Any], theirs: Callable[..., Any]) -> Compared | None:
    own, their = parameters(ours), parameters(theirs)
    if own is None or their is None:
        return None
    result = Compared(path)
    handed_on = inherited(ours)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    order = [name for name in own if name in their and own[name].kind in positional]
    their_order = [name for name in their if name in own and own[name].kind in positional]
    for name, parameter in their.items():
        if name not in own and name in handed_on and same_default(handed_on[name].default, parameter.default):
            result.agree.append(name)
        elif name not in own:
            if not (name in COMMON and takes_options(ours)):
                result.differences[name] = "not there"
        elif own[name].kind not in positional and parameter.kind in positional and name not in COMMON:
            result.differences[name] = "by keyword alone"
        elif not same_default(own[name].default, parameter.default):
            shown = ["none" if d is _MISSING else repr(d) for d in (own[name].default, parameter.default)]
            result.differences[f"{name}="] = f"default {shown[0]}, Keras {shown[1]}"
        else:
            result.agree.append(name)
    for name, parameter in own.items():
        anything = takes_options(theirs) and not inspect.isclass(theirs)  # *args, **kwargs of a base class
        if name not in their and not anything and not (name in COMMON and takes_options(theirs)):
            at_end = parameter.kind not in positional or list(own).index(name) >= len(their_order)
            result.differences[name] = "added" if at_end else "added in between"
    if order != their_order:
        result.differences["*"] = f"order {', '.join(order)}, Keras {', '.join(their_order)}"
    return result


def public(module: Any) -> Iterator[tuple[str, Any]]:
    for name in sorted(dir(module)):
        thing = getattr(module, name, None)
        foreign = str(getattr(thing, "__module__", "")).startswith(("typing", "collections"))  # imported, not offered
        if not name.startswith("_") and callable(thing) and not inspect.ismodule(thing) and not foreign:
            yield name, thing


def compared_module(name: str) -> tuple[list[Compared], list[str]]:
    """(what both have, what fastnn alone has) of one module."""
    ours = importlib.import_module(f"fastnn.{name}" if name else "fastnn")
    theirs = importlib.import_module(f"keras.{name}" if name else "keras")
    found: list[Compared] = []
    alone: list[str] = []
    for item, thing in public(ours):
        path = f"{name}.{item}" if name else item
        other = getattr(theirs, item, None)
        if other is None or not callable(other):
            alone.append(path)
            continue
        if inspect.isclass(thing) != inspect.isclass(other):
            continue
        result = compare(path, thing, other)
        found += [result] if result else []
        if inspect.isclass(thing) and item in METHODS:
            found += compared_methods(path, thing, other)
    return found, alone


_seen: set[tuple[Any, Any]] = set()


def compared_methods(path: str, ours: type, theirs: type) -> list[Compared]:
    """The methods, those that several classes share once."""
    found = []
    for item, thing in public(ours):
        other = getattr(theirs, item, None)
        pair = (getattr(thing, "__func__", thing), getattr(other, "__func__", other))
        if inspect.isroutine(thing) and inspect.isroutine(other) and pair not in _seen:
            _seen.add(pair)
            result = compare(f"{path}.{item}", thing, other)
            found += [result] if result else []
    return found


def explain(results: list[Compared]) -> list[str]:
    """Finds the reasons. Returns the differences that have none."""
    lacking = []
    for result in results:
        for argument, difference in result.differences.items():
            for pattern, arguments, reason in REASONS:
                if fnmatch(result.path, pattern) and any(fnmatch(argument, one) for one in arguments.split()):
                    result.reasons[argument] = reason
                    break
            else:
                lacking.append(f"{result.path}: {argument} {difference}")
    return lacking


def page(modules: dict[str, tuple[list[Compared], list[str]]]) -> str:
    total = sum(len(results) for results, _ in modules.values())
    same = sum(not result.differences for results, _ in modules.values() for result in results)
    lines = [
        "# Keras's signatures and ours",
        "",
        "Made by `scripts/keras_signatures.py` from the signatures of an installed Keras 3; every difference has a",
        f"reason there. {same} of {total} classes, methods and functions take the same arguments in the same order",
        "with the same defaults. Files have one format whatever their suffix: safetensors. Classes of one's own are",
        "loaded through `custom_objects=`, in a scope, or once registered. Beyond Keras, `padding` of convolution",
        "layers may be numbers: zeros on every side, or (before, after) for each axis.",
    ]
    lines += ["", "## What behaves differently", "", "| | fastnn | Keras | why |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in BEHAVIOUR]
    for name, (results, alone) in modules.items():
        lines += section(name, results, alone) if results else []
    return "\n".join(lines).rstrip() + "\n"


def section(name: str, results: list[Compared], alone: list[str]) -> list[str]:
    lines = ["", f"## {f'fastnn.{name}' if name else 'fastnn'}", ""]
    agreeing = [result.path.removeprefix(f"{name}.") for result in results if not result.differences]
    if agreeing:
        lines += ["The same: " + ", ".join(f"`{item}`" for item in agreeing) + ".", ""]
    rows = []
    for result in results:
        if result.differences:
            same = ", ".join(f"`{argument}`" for argument in result.agree) or "-"
            differs = "; ".join(f"`{argument.rstrip('=')}`: {d}" for argument, d in result.differences.items())
            why = "; ".join(dict.fromkeys(result.reasons.values()))
            rows.append(f"| `{result.path.removeprefix(f'{name}.')}` | {same} | {differs} | {why} |")
    if rows:
        lines += ["| | the same | differs | why |", "|---|---|---|---|", *rows, ""]
    if alone:
        names = ", ".join(f"`{path.rpartition('.')[2]}`" for path in alone)
        lines += [f"Not in Keras under this name: {names}."]
    return lines


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="compare with the page, write nothing")
    check = options.parse_args().check
    modules = {name: compared_module(name) for name in MODULES}
    lacking = explain([result for results, _ in modules.values() for result in results])
    for line in lacking:
        print(f"no reason: {line}", file=sys.stderr)
    text = page(modules)
    if check:
        return int(bool(lacking) or not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return int(bool(lacking))


if __name__ == "__main__":
    sys.exit(main())
