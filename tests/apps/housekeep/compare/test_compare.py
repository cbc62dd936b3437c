"""`lmgt housekeep compare`, on few and small frames: what every arm's row says, and what is left behind."""

from pathlib import Path
from typing import Any

import pytest

from apps.housekeep.compare.command import main
from apps.housekeep.config import CompareConfig
from lmgt_core.errors import UserError
from lmgt_core.files import read_json

SMALL = CompareConfig(
    episodes=("builtin:val",), select="90:", train_select=":10", frames=20, train_frames=20, epochs=1, size=48
)  # fmt: skip


def config(**changes: Any) -> CompareConfig:
    from dataclasses import replace

    return replace(SMALL, **changes)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one comparison with every kind of arm."""
    folder = tmp_path_factory.mktemp("compare") / "out"
    names = "objects,objects?limit=2,trained,llava:/no/model"
    main(config(caption=names, direct="distilled,hf:/no/model,random", out=folder, json=folder.with_name("rows.json")))
    return folder


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["arm"]: row for row in read_json(folder / "rows.json")["rows"]}


def test_every_arm_has_a_row_and_a_missing_one_says_what_it_needs(out: Path) -> None:
    found = rows(out)
    assert list(found) == [
        "caption:objects", "caption:objects?limit=2", "caption:trained", "caption:llava:/no/model", "direct:distilled",
        "direct:hf:/no/model", "direct:random", "always bad",
    ]  # fmt: skip
    assert "no such folder" in found["caption:llava:/no/model"]["missing"]
    assert "no such folder" in found["direct:hf:/no/model"]["missing"]
    assert found == {row["arm"]: row for row in read_json(out.with_name("rows.json"))["rows"]}


def test_what_is_privileged_or_trained_is_said_in_its_row(out: Path) -> None:
    found = rows(out)
    assert found["caption:objects"]["privileged"] and "semantic sensor" in found["caption:objects"]["about"]
    assert "oracle (privileged)" in found["caption:objects"]["about"]
    assert "trained on labels" in found["caption:trained"]["about"]
    assert found["direct:distilled"]["about"] == "trained on labels"
    assert [name for name, row in found.items() if row.get("privileged")] == [
        "caption:objects", "caption:objects?limit=2",
    ]  # fmt: skip


def test_all_that_the_semantic_sensor_says_is_enough_for_an_oracle(out: Path) -> None:
    objects = rows(out)["caption:objects"]
    assert objects["caption_exact"] == objects["placed_right"] == objects["judgment_accuracy"] == 1.0


def test_what_a_shorter_caption_leaves_out_is_lost_in_the_caption(out: Path) -> None:
    short = rows(out)["caption:objects?limit=2"]
    assert short["object_precision"] == short["furniture_precision"] == 1.0 > short["object_recall"]
    assert short["judgment_accuracy"] == short["answered"] == pytest.approx(1 - short["lost_in_caption"])
    assert short["lost_in_judging"] == short["gained_by_luck"] == 0.0 < short["lost_in_caption"]


def test_the_row_of_no_model_is_the_share_of_the_most_frequent_verdict(out: Path) -> None:
    row = rows(out)["always bad"]
    assert 0.5 <= row["judgment_accuracy"] < 1.0 and row["auc"] == 0.5 and "no model" in row["about"]


def test_the_page_shows_every_frame_and_the_folder_holds_what_was_trained(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert page.count('class="picture"') == 20 and "reads the semantic sensor" in page and "<script" not in page
    assert {p.name for p in out.iterdir()} == {"rows.json", "report.html", "captioner.npz", "distilled.npz"}


def test_what_was_trained_answers_the_same_when_it_is_loaded(out: Path, tmp_path: Path) -> None:
    again = main(
        config(caption=f"trained:{out / 'captioner.npz'}", direct=f"distilled:{out / 'distilled.npz'}",
               out=tmp_path / "again")
    )  # fmt: skip
    first = rows(out)
    for row, name in zip(again, ("caption:trained", "direct:distilled"), strict=False):
        assert [row[c] for c in ("caption_exact", "judgment_accuracy", "auc")] == [
            first[name][c] for c in ("caption_exact", "judgment_accuracy", "auc")
        ]
    assert {p.name for p in (tmp_path / "again").iterdir()} == {"rows.json", "report.html"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"caption": "poet"}, "--caption poet: no such captioner"),
        ({"caption": "ocr"}, "--caption ocr"),
        ({"caption": "objects?limit=0"}, "nothing but a limit"),
        ({"caption": "", "direct": ""}, "at least one"),
        ({"frames": 3}, "at least 20"),
        ({"size": 8}, "--size 8"),
        ({"text_judge": "none"}, "gives no judge"),
        ({"text_judge": "sage"}, "no such judge"),
        ({"direct": "minilm"}, "--direct minilm: reads words only"),
        ({"select": ":20"}, "both take episode"),
        ({"select": "5000:"}, "takes nothing"),
        ({"habitat_python": Path("x")}, "--simulator habitat"),
        ({"simulator": "habitat", "habitat_python": Path("/no/python")}, "--habitat-python /no/python"),
        ({"root": Path("/no/root")}, "/no/root"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        main(config(**{"caption": "trained", "direct": "", "out": tmp_path / "out", **changes}))
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is there already"):
        main(config(out=tmp_path))


@pytest.mark.slow
def test_a_tiny_llava_captions_and_judges_frames(tmp_path: Path) -> None:
    """Random weights: what it says is noise, so hardly a question is answered from its captions, and each says why."""
    from tests.lmgt_core.tiny_models import save_tiny_llava

    model = save_tiny_llava(tmp_path / "llava")
    out = tmp_path / "out"
    caption, direct, _ = main(config(caption=f"llava:{model}?max_tokens=4", direct=f"hf:{model}", out=out))
    assert not caption["missing"] and not direct["missing"] and not caption["privileged"]
    assert caption["caption_exact"] == 0.0 and caption["answered"] == caption["judgment_accuracy"] == 0.0
    assert direct["about"] == "vision-language model" and direct["tokens_per_judgment"] > 0
    assert caption["memory_mb"] + direct["memory_mb"] > 0 and caption["seconds_per_judgment"] > 0
    assert "the caption" in (out / "report.html").read_text()
