"""A nest of arrays and JSON values as bytes, and back, without pickle: what a checkpoint keeps beside the tensors."""

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARRAY = "__array__"  # {"__array__": name} stands for an array in the JSON part


def to_bytes(state: Any) -> bytes:
    """`state` (dicts with text keys, lists, tuples, arrays, JSON values) as an .npz archive; tuples become lists."""
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_replace_arrays(state, arrays))
    content = io.BytesIO()
    np.savez(content, __json__=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    return content.getvalue()


def from_bytes(content: bytes) -> Any:
    """What `to_bytes` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return _put_back(json.loads(archive["__json__"].tobytes()), archive)


def _replace_arrays(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {ARRAY: name}
    if isinstance(value, dict):
        return {key: _replace_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_arrays(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _put_back(value: Any, archive: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return archive[value[ARRAY]]
        return {key: _put_back(item, archive) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_back(item, archive) for item in value]
    return value
