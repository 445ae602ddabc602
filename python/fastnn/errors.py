"""Exceptions of our own. Everything else is ValueError (shapes and values) or TypeError (types)."""

from __future__ import annotations


class MissingDependency(ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"[{purpose}] expected the package {package}, which is not installed; "
            f'get it with: python -m pip install "fastnn-kernels[{extra}]"'
        )
