"""scikit-learn's multilayer perceptron, the way its users call it: `partial_fit` on one batch is one Adam step."""

import warnings
from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from bench.models import Model
from bench.peers import Array, Arrays, Outputs, Run, Settings, Unsupported


def version() -> str:
    return sklearn.__version__


def configure(threads: int) -> None:
    threadpool_limits(threads)
    warnings.simplefilter("ignore")


def to_numpy(value: Any) -> Array:
    return np.asarray(value)


def _classifier(model: Model, params: Arrays, x: Array, target: Array) -> MLPClassifier:
    """An MLPClassifier with the given weights, ready for further steps."""
    dense = [layer for layer in model.layers if layer.kind == "dense"]
    if model.loss == "mse" or any(layer.kind not in ("dense", "relu") for layer in model.layers):
        raise Unsupported("classifying multilayer perceptrons only")
    classifier = MLPClassifier(
        [layer.n_out for layer in dense[:-1]], batch_size=len(x), alpha=0.0, learning_rate_init=1e-3, shuffle=False
    )
    classifier.partial_fit(x, target, classes=np.arange(max(2, dense[-1].n_out)))
    paths = sorted({int(name.split(".")[0]) for name in params})
    classifier.coefs_ = [np.ascontiguousarray(params[f"{i}.w"].T) for i in paths]
    classifier.intercepts_ = [params[f"{i}.b"].copy() for i in paths]
    del classifier._optimizer  # it refers to the arrays just replaced
    return classifier


def train(p: Settings, x: Array, target: Array, params: Arrays) -> Run:
    target = target.ravel()
    classifier = _classifier(p.model, params, x, target)

    def run() -> Outputs:
        classifier.partial_fit(x, target)
        return (classifier.loss_,)

    return run


def infer(p: Settings, x: Array, params: Arrays) -> Run:
    classifier = _classifier(p.model, params, x, np.zeros(len(x), int))
    classifier.out_activation_ = "identity"  # the other peers stop before the softmax, too
    columns = slice(1, 2) if p.model.loss == "bce" else slice(None)  # predict_proba returns 1 - p and p

    def run() -> Outputs:
        return (classifier.predict_proba(x)[:, columns],)

    return run
