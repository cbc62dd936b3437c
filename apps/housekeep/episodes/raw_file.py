"""The JSON of an episode file: unpacked, read and found to be a list of episodes, whatever these hold."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError

MAX_BYTES = 2**28  # of JSON; the benchmark's largest file here has 28 MB, but a small gzip can hold far more
MAX_EPISODES = 100_000


def raw_episodes(path: Path) -> list[Any]:
    """The entries of the file's list of episodes; UserError for a file that holds none."""
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8, a number of thousands of digits
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]
        raise UserError(f"{path}: is not readable JSON ({reason}); download the file again") from None
    if not isinstance(content, dict) or "episodes" not in content:
        raise UserError(f"{path}: field episodes is missing; the file must read {{'episodes': [...]}}")
    episodes = content["episodes"]
    if not isinstance(episodes, list) or not 1 <= len(episodes) <= MAX_EPISODES:
        raise UserError(f"{path}: field episodes must be a list of 1 to {MAX_EPISODES} episodes")
    return episodes


def _read(path: Path) -> bytes:
    """The JSON text; a name that ends in .gz is unpacked."""
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give an episode file, a folder of them, or builtin") from None
    except gzip.BadGzipFile as error:
        hint = "is it a page or a Git LFS pointer that was saved in place of the file?"
        raise UserError(f"{path}: is not a sound gzip file ({error}); {hint}") from None
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path}: the gzip file is cut off or damaged ({error}); download it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: holds more than {MAX_BYTES // 2**20} MB of JSON; split it into several files")
    return content
