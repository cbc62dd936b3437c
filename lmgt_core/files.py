"""Files that are either whole or not there."""

import json
import math
import os
import secrets
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.errors import UserError

TEMPORARY = ".tmp"  # ending of a file that is being written; a kill may leave one behind, never a half-written target


def write_atomic(path: Path | str, content: bytes | str) -> None:
    """Writes `content` (str as UTF-8) to `path`; a reader, or a kill at any moment, finds the old file or the new.

    UserError when the place cannot be written to (missing rights, a full disk, a folder of that name).
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


def _replace(path: Path, data: bytes) -> None:
    # The temporary file lies in the same folder, because os.replace is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` survive a power cut; without it only the files' contents do."""
    if os.name != "posix":
        return  # other systems cannot open a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def to_json(value: Any) -> str:
    """`value` as JSON text: sorted keys, indented, newline at the end; ValueError for NaN or infinity."""
    return json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json_atomic(path: Path | str, value: Any) -> None:
    """Writes `value` to `path` as `to_json` does, atomically; nothing is written when it does not fit into JSON."""
    write_atomic(path, to_json(value))


def read_json(path: Path | str) -> Any:
    """What the JSON file `path` holds; UserError when it is missing, unreadable or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"{path}: cannot be read as JSON ({reason})") from None


def plain(value: Any, field: str = "") -> Any:
    """`value` in JSON's own types: numpy, enums, paths, sets and dataclasses converted, tuples as lists.

    ValueError for a float that is not finite, TypeError for anything else JSON lacks; both name the field.
    """
    if value is None or (isinstance(value, bool | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value, field)
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist(), field)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{field or 'value'} is {value}: only finite numbers are written")
        return float(value)
    if isinstance(value, Path):
        return value.as_posix()
    return _plain_container(value, field)


def _plain_container(value: Any, field: str) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item, f"{field}.{key}" if field else str(key)) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(plain(item, field) for item in value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item, f"{field}[{position}]") for position, item in enumerate(value)]
    raise TypeError(f"{field or 'value'} is a {type(value).__name__}, which JSON cannot hold")
