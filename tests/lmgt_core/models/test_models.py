"""`lmgt models`: what is known, what is installed, and a wrong byte is found and named."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lmgt_core.errors import UserError
from lmgt_core.models import catalogue, commands, store
from lmgt_core.models.commands import ModelsConfig, main, verify
from lmgt_core.models.download import remove

PIECES = (b"first piece", b"second piece")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LMGT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def model(home: Path) -> catalogue.KnownModel:
    """A model of two pieces, installed."""
    content = b"".join(PIECES)
    known = replace(
        catalogue.MODELS["qwen2.5-coder-1.5b"],
        name="small",
        file="small.gguf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    store.models_folder().mkdir()
    (store.models_folder() / known.file).write_bytes(content)
    pieces = [(f"part{i}", len(p), hashlib.sha256(p).hexdigest()) for i, p in enumerate(PIECES, start=1)]
    store.pieces_file(known).write_text(json.dumps(pieces))
    return known


def test_the_list_says_size_licence_and_what_is_installed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in main(ModelsConfig(json=home / "rows.json"))}
    assert {"qwen2.5-coder-1.5b", "gemma3-270m", "smollm2"} <= rows.keys()
    assert rows["qwen2.5-coder-1.5b"]["installed"] == "no" and rows["smollm2"]["installed"] == "yes"
    assert rows["qwen2.5-coder-1.5b"]["sha256"] == "cc324af070c2" and rows["qwen2.5-coder-1.5b"]["MB"] == 1117
    assert "Apache" in capsys.readouterr().out
    assert len(json.loads((home / "rows.json").read_text())["rows"]) == len(rows)


def test_a_whole_model_is_verified(model: catalogue.KnownModel, capsys: pytest.CaptureFixture[str]) -> None:
    verify([model])
    assert "small.gguf is what it should be" in capsys.readouterr().out


def test_a_wrong_byte_is_found_and_its_piece_named(model: catalogue.KnownModel) -> None:
    file = store.models_folder() / model.file
    file.write_bytes(file.read_bytes().replace(b"second", b"secund"))
    with pytest.raises(UserError, match=r"piece 2 of 2 \(part2, bytes 11 to 23\) is wrong"):
        verify([model])


def test_a_model_is_removed(model: catalogue.KnownModel) -> None:
    assert remove(model) >= model.size and store.model_path(model) is None


@pytest.mark.parametrize(("action", "name", "complaint"), [("install", "", "name a model"), ("verify", "gpt", "gpt")])
def test_a_mistake_is_one_line(home: Path, action: str, name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        commands.main(ModelsConfig(action=action, name=name))  # type: ignore[arg-type]
