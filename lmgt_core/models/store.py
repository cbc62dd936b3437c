"""Where models lie: a folder of the user's, LMGT_HOME or the platform's cache folder."""

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.files import read_json, write_json_atomic
from lmgt_core.models.catalogue import MODELS, KnownModel

BLOCK = 2**20
HASHES = "hashes.json"  # of files that were hashed before, with their size and time of change


def home() -> Path:
    """The folder of the user's that models and pieces of them are kept in."""
    if named := os.environ.get("LMGT_HOME"):
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lmgt"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lmgt"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lmgt"


def models_folder() -> Path:
    """The folder of installed models."""
    return home() / "models"


def model_path(model: KnownModel) -> Path | None:
    """The installed file of `model`, in the store or inside a package; None where it is not there."""
    path = models_folder() / model.file
    if path.is_file():
        return path
    package, _, file = model.installed.partition("/")
    spec = importlib.util.find_spec(package) if package else None  # found, never imported
    if spec is not None and spec.origin is not None and (path := Path(spec.origin).parent / file).is_file():
        return path
    return None


def find_model(name: str) -> Path:
    """The file called `name`: a known model's name, or a path; UserError with the way out where it is not there."""
    if name in MODELS:
        path = model_path(MODELS[name])
        if path is None:
            raise UserError(f"the model {name} is not installed; lmgt models install {name}")
        return path
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"{name}: no such file, and no model of this name; there are: {', '.join(MODELS)}")
    return path


def content_hash(path: Path) -> str:
    """The SHA-256 of a file, hashed once as long as its size and time of change stay as they are."""
    state = path.stat()
    key, mark = str(path.resolve()), [state.st_size, state.st_mtime_ns]
    kept = models_folder() / HASHES
    known: dict[str, list[object]] = {}
    with suppress(UserError):
        known = read_json(kept)
    if isinstance(known, dict) and known.get(key, [])[:2] == mark:
        return str(known[key][2])
    digest = sha256_of(path)
    with suppress(UserError, OSError):  # a store that cannot be written to only costs time
        write_json_atomic(kept, {**known, key: [*mark, digest]})
    return digest


def sha256_of(path: Path, advance: Callable[[int], None] = lambda _: None) -> str:
    """The SHA-256 of a file; `advance` is told of every block."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def wrong_part(model: KnownModel) -> str:
    """Which piece of the installed file is wrong, in words: by the pieces' hashes from when it was installed."""
    path = models_folder() / model.file
    try:
        pieces = json.loads(pieces_file(model).read_text(encoding="utf-8"))
        with path.open("rb") as content:
            begin = 0
            for number, (package, size, sha256) in enumerate(pieces, start=1):
                if hashlib.sha256(content.read(size)).hexdigest() != sha256:
                    return f"piece {number} of {len(pieces)} ({package}, bytes {begin:,} to {begin + size:,})"
                begin += size
    except (OSError, ValueError, TypeError):
        return "the file"
    return "something after its pieces"


def pieces_file(model: KnownModel) -> Path:
    """Where the sizes and hashes of an installed model's pieces are kept."""
    return models_folder() / f"{model.file}.pieces.json"
