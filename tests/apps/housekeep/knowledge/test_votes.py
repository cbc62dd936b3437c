"""People's votes, read without running what a file says."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.housekeep.episodes.load import load_many
from apps.housekeep.knowledge.votes import Votes, load_splits, load_votes
from lmgt_core.errors import UserError
from tests.shared_data import HOUSEKEEP, needs_shared

OBJECTS = ["toaster", "pillow"]
PLACES = ["kitchen|counter", "bedroom|bed", "bathroom|sink"]


def ranks() -> np.ndarray:
    """Ten annotators: 6 put the toaster on the counter, 5 the pillow on the bed, and so on."""
    out = np.zeros((3, 2, 10), np.int64)
    out[0, 0, :6], out[0, 0, 6:] = 1, -1
    out[1, 1, :5], out[1, 1, 5:] = 2, -3
    out[2, 1, :] = 1
    return out


def content(**changes: Any) -> dict[str, Any]:
    return {"ranks": ranks(), "objects": [np.str_(o) for o in OBJECTS], "room_receptacles": PLACES} | changes


def npy(path: Path, value: Any) -> Path:
    np.save(path, np.array(value, dtype=object), allow_pickle=True)
    return path


def header() -> bytes:
    """The first bytes of an .npy file with one object in it."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    return file.getvalue()


def refused(path: Path) -> str:
    """The message that `load_votes` gives; it must be one line that names the file."""
    with pytest.raises(UserError) as caught:
        load_votes(path)
    message = str(caught.value)
    assert path.name in message and "\n" not in message
    return message


def test_votes_are_read_as_numpy_wrote_them(tmp_path: Path) -> None:
    votes = load_votes(npy(tmp_path / "data.npy", content()))
    assert votes.objects == ("toaster", "pillow")
    assert votes.places == tuple(PLACES)
    assert votes.ranks.dtype == np.int64
    np.testing.assert_array_equal(votes.ranks, ranks())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [">i8", "<i4", "int8"])
def test_any_layout_of_whole_numbers_is_read(tmp_path: Path, order: Any, dtype: str) -> None:
    votes = load_votes(npy(tmp_path / "data.npy", content(ranks=np.asarray(ranks(), dtype, order=order))))
    np.testing.assert_array_equal(votes.ranks, ranks())


def test_six_of_ten_annotators_make_a_place_correct_and_five_do_not() -> None:
    votes = Votes(ranks(), tuple(OBJECTS), tuple(PLACES))
    np.testing.assert_array_equal(votes.correct, [[True, False], [False, False], [False, True]])


def test_belongs_is_unknown_without_votes() -> None:
    votes = Votes(ranks(), tuple(OBJECTS), tuple(PLACES))
    assert votes.belongs("toaster", "kitchen|counter") is True
    assert votes.belongs("pillow", "kitchen|counter") is False
    assert votes.belongs("pillow", "kitchen|window") is None
    assert votes.belongs("spoon", "kitchen|counter") is None


class Hostile:
    """Unpickled carelessly, this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "trap"
    hostile = content(objects=Hostile(trap))
    (tmp_path / "data.npy").write_bytes(header() + pickle.dumps(hostile, protocol=protocol))
    assert "refused" in refused(tmp_path / "data.npy")
    assert not trap.exists()
    pickle.loads(pickle.dumps(hostile, protocol=protocol))  # the trap is a real one
    assert trap.exists()


ARRAY, DTYPE = b"cnumpy.core.multiarray\n_reconstruct\n(tR", b"cnumpy\ndtype\n(V%s\ntR"  # as numpy pickles them
HOSTILE = {
    "eval": b"cbuiltins\neval\n(V1+1\ntR.",
    "attribute of an allowed name": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile\x93.",
    "ndarray with a shape": b"cnumpy\nndarray\n((I4\ntV<i8\ntR.",
    "dtype with a state that makes pointers": b"cnumpy\ndtype\n(VV8\nI0\nI1\ntR.",
    "attributes of the class": b"cnumpy\ndtype\n(N}Vcode\nI1\nst\x62.",
    "memo index": b"r\xff\xff\xff\x7f.",
    "persistent id": b"Psomething\n.",
    "extension": b"\x82\x01.",
    "nothing": b"",
    "cut off": pickle.dumps({"ranks": ranks(), "objects": OBJECTS}, protocol=3)[:200],
    "list shorter than its array": ARRAY + b"(I1\n(I5\nt" + DTYPE % b"O8" + b"I00\n(ltb.",
    "bytes shorter than their array": ARRAY + b"(I1\n(I5\nt" + DTYPE % b"i8" + b"I00\n(ltb.",
    "endless array": ARRAY + b"(I1\n(I99999999999\nt" + DTYPE % b"i8" + b"I00\nNtb.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_pickle_tries_ends_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data.npy"
    path.write_bytes(header() + HOSTILE[name])
    refused(path)


def test_damaged_bytes_end_in_one_line_or_load(tmp_path: Path) -> None:
    whole = npy(tmp_path / "data.npy", content()).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.npy"
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(whole) + 1)])
        try:
            load_votes(path)
        except UserError as error:
            assert path.name in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("votes", "no dictionary"),
        ([1, 2], "array of object"),
        ({"objects": OBJECTS, "room_receptacles": PLACES}, "ranks"),
        (content(objects=["toaster", "toaster"]), "objects has a name twice"),
        (content(objects=["toaster"]), "3 x 2 x 10"),
        (content(objects=["toaster", 5]), "objects"),
        (content(room_receptacles=["kitchen|counter", "bedroom|bed", "sink"]), "'sink'"),
        (content(ranks=ranks().astype(float)), "element type"),
        (content(ranks=ranks()[:, :, 0]), "3 x 2"),
        (content(ranks=[1]), "ranks"),
    ],
)
def test_a_broken_field_of_the_votes_is_named(tmp_path: Path, value: Any, says: str) -> None:
    assert says in refused(npy(tmp_path / "data.npy", value))


def test_an_array_of_numbers_is_no_votes_file(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", ranks())
    assert "int64" in refused(tmp_path / "data.npy")


def test_missing_votes_and_text_in_their_place_are_named(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.npy")
    (tmp_path / "page.npy").write_text("<html>not found</html>")
    assert "not an .npy file" in refused(tmp_path / "page.npy")


def test_splits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "splits.yaml"
    path.write_text("objects:\n  train: [a, b]\n  val: [c]\n  test: [d]\nscenes: {}\n")
    assert load_splits(path) == {"train": ("a", "b"), "val": ("c",), "test": ("d",)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("objects: {train: [a], val: [b]}", "objects.test"),
        ("objects: {train: [a], val: [b], test: [a]}", "'a' twice"),
        ("objects: {train: [a], val: [b], test: [3]}", "objects.test"),
        ("scenes: {}", "objects"),
        ("objects: [", "YAML"),
        ("!!python/object/apply:os.mkdir [trap]", "YAML"),
        ("", "objects"),
    ],
)
def test_a_broken_splits_file_is_named_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "splits.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_splits(path)
    assert "splits.yaml" in str(caught.value) and says in str(caught.value) and "\n" not in str(caught.value)


@needs_shared
@pytest.mark.parametrize("name", ["train/Pomaria_2_int", "train/Benevolence_2_int", "test/Ihlen_0_int"])
def test_the_rule_on_the_real_votes_reproduces_the_end_matrices(name: str) -> None:
    votes = load_votes(HOUSEKEEP / "human_votes.npy")
    assert votes.ranks.shape == (128, 269, 10)
    for episode in load_many([HOUSEKEEP / f"episodes/{name}.json.gz"], "0:50"):
        for k, receptacle in enumerate(episode.receptacles):
            belongs = [votes.belongs(item.category, receptacle.place) or False for item in episode.items]
            assert episode.end[k].tolist() == belongs, (episode.episode_id, receptacle.key)


@needs_shared
def test_where_the_rule_fails_cabinets_without_a_top_have_the_votes_of_cabinets() -> None:
    votes = load_votes(HOUSEKEEP / "human_votes.npy")
    for episode in load_many([HOUSEKEEP / "episodes/val/Ihlen_1_int.json.gz"], "0:50"):
        for k, receptacle in enumerate(episode.receptacles):
            place = receptacle.place.replace("bottom_cabinet_no_top", "bottom_cabinet")
            belongs = [votes.belongs(item.category, place) or False for item in episode.items]
            assert episode.end[k].tolist() == belongs, (episode.episode_id, receptacle.key)


@needs_shared
def test_the_real_splits_cover_every_object_of_the_votes() -> None:
    splits = load_splits(HOUSEKEEP / "object_splits.yaml")
    assert {name: len(objects) for name, objects in splits.items()} == {"train": 110, "val": 27, "test": 132}
    assert {o for objects in splits.values() for o in objects} == set(load_votes(HOUSEKEEP / "human_votes.npy").objects)
