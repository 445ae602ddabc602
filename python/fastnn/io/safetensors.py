"""Arrays and a JSON description in one safetensors file, written so that a reader sees all of it or none."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from fastnn.arrays import Array

#: What the file's metadata says it is, and the version of its layout.
FORMAT = "fastnn-model"
VERSION = 1


def write(path: str | os.PathLike[str], arrays: dict[str, Array], description: dict[str, Any]) -> None:
    """Writes a file beside path and puts it in path's place when it is whole and on disk."""
    from safetensors.numpy import save

    metadata = {"format": FORMAT, "version": str(VERSION), "description": json.dumps(description)}
    data = save(arrays, metadata)
    target = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=target.name + ".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """(arrays, description) of a file of write(). Raises ValueError if it is none, FileNotFoundError if absent."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"[load] expected a model file, got no file at {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"[load] expected a model saved by fastnn, got another safetensors file: {path}")
            if int(metadata.get("version", "0")) > VERSION:
                raise ValueError(
                    f"[load] expected file layout {VERSION} or older, got {metadata['version']}; update fastnn"
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
            return arrays, json.loads(metadata["description"])
    except (SafetensorError, json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"[load] expected a whole safetensors file, got a broken one: {path} ({error})") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
