import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmgt_core import files
from lmgt_core.errors import UserError
from lmgt_core.files import plain, read_json, to_json, write_atomic, write_json_atomic


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: float
    path: Path


def test_json_is_sorted_indented_and_ends_with_a_newline(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "a.json", {"b": 1, "a": [True, None, "é"]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == (
        '{\n  "a": [\n    true,\n    null,\n    "é"\n  ],\n  "b": 1\n}\n'
    )


def test_numpy_enums_paths_sets_and_dataclasses_become_plain_json() -> None:
    value = {
        "i": np.int64(3),
        "f": np.float32(0.5),
        "b": np.bool_(True),
        "a": np.array([[1, 2]]),
        "s": {2, 1},
        "t": (1, Colour.RED),
        Colour.RED: Point(1.0, Path("a/b")),
    }
    assert json.loads(to_json(value)) == {
        "i": 3,
        "f": 0.5,
        "b": True,
        "a": [[1, 2]],
        "s": [1, 2],
        "t": [1, "red"],
        "red": {"x": 1.0, "path": "a/b"},
    }


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan"), np.array([1.0, -np.inf])])
def test_a_number_that_is_not_finite_is_named_by_its_field(bad: object) -> None:
    with pytest.raises(ValueError, match=r"metrics\.success"):
        plain({"metrics": {"success": bad}})


def test_what_json_cannot_hold_is_named_by_its_field() -> None:
    with pytest.raises(TypeError, match=r"a\[1\] is a object"):
        plain({"a": [1, object()]})


def test_a_value_that_does_not_fit_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError):
        write_json_atomic(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_a_failure_while_replacing_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "a.txt", "old")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(UserError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_atomic(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (calls.append("fsync"), real_sync(handle))[1])
    monkeypatch.setattr(files.os, "replace", lambda a, b: (calls.append("replace"), real_replace(a, b))[1])
    write_atomic(tmp_path / "folder" / "a.bin", b"\x00\xff")
    assert calls[:2] == ["fsync", "replace"]
    assert (tmp_path / "folder" / "a.bin").read_bytes() == b"\x00\xff"


def test_a_folder_in_the_place_of_the_file_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match=r"report\.html: cannot be written"):
        write_atomic(tmp_path / "report.html", "x")
    assert os.listdir(tmp_path) == ["report.html"]


def test_files_are_readable_by_whom_the_umask_allows(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.txt", "x")
    (tmp_path / "plain.txt").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_a_damaged_json_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json: cannot be read as JSON") as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.json: no such file"):
        read_json(tmp_path / "a.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_json_values_read_back_as_they_were(value: object) -> None:
    assert json.loads(to_json(value)) == value
