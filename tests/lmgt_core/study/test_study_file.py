"""Study files: what they say, and that every mistake is named with its line."""

from pathlib import Path

import pytest

from apps.tabular.study_app import APP as TABULAR
from lmgt_core.errors import UserError
from lmgt_core.study.study_file import load_plan, parse_plan, preset_names
from tests.lmgt_core.study.small_app import APP, STUDY, small_plan


def test_a_plan_is_the_grid_and_what_stands_beside_it() -> None:
    plan = small_plan()
    groups = plan.groups()
    assert len(groups) == 2 * 3 + 1
    assert groups[0] == {"rule": "plain", "accuracy": 0.5, "world": "flat", "judge": "x", "size": 3, "loud": False}
    assert groups[-1]["rule"] == "none"
    assert plan.baseline(groups[0]) == groups[-1]
    cells = list(plan.cells())
    assert len(cells) == 28 and len({cell.key for cell in cells}) == 28
    assert [cell.seed for cell in cells[:7]] == [0] * 7  # seed by seed


def test_what_stands_beside_the_grid_is_there_for_every_facet() -> None:
    text = STUDY.replace("fixed:\n  world: flat", "fixed: {}").replace("vary:", "vary:\n  world: [flat, steep]")
    plan = small_plan(text.replace("  by: rule", "  by: rule\n  facet: world"))
    assert [g["world"] for g in plan.groups() if g["rule"] == "none"] == ["flat", "steep"]


def test_whole_numbers_pass_for_fractions() -> None:
    plan = small_plan(STUDY.replace("[0.5, 0.7, 0.9]", "[0, 1]"))
    assert plan.vary["accuracy"] == [0.0, 1.0] and isinstance(plan.vary["accuracy"][0], float)


@pytest.mark.parametrize(
    ("change", "by", "line", "message"),
    [
        ("rule: [plain, clever]", "rule: [plain, sly]", 3, "rule sly: choose one of plain, clever, none"),
        ("accuracy: [0.5, 0.7, 0.9]", "accuracy: [0.5, high]", 4, "accuracy is a float, not 'high'"),
        ("accuracy: [0.5, 0.7, 0.9]", "accuracy: 0.5", 4, "accuracy is a list"),
        ("accuracy: [0.5, 0.7, 0.9]", "accuracy: [0.5, 0.5]", 4, "accuracy names a value twice"),
        ("accuracy: [0.5, 0.7, 0.9]", "accuracy: [true]", 4, "accuracy is a float, not True"),
        ("  world: flat", "  wrold: flat", 6, "wrold: no such field; there are: rule, accuracy"),
        ("  world: flat", "  rule: plain", 6, "rule is both varied and fixed"),
        ("  world: flat", "  world: null", 6, "world is a str, not None"),
        ("seeds: 4", "seeds: 0", 9, "seeds is a whole number of at least 1, not 0"),
        ("seeds: 4", "sedes: 4", 9, "sedes: no such field"),
        ("  x: accuracy", "  x: size", 11, "show.x: 'size' does not vary"),
        ("[score]", "[points]", 11, "show.metrics: no metric 'points'; there are: score"),
        ("  break_even: true", "  kind: pie", 11, "show.kind is lines or heat"),
        ("question: How good is it?", "quest: x", 1, "quest: no such field"),
    ],
)
def test_a_mistake_is_named_with_its_line(change: str, by: str, line: int, message: str) -> None:
    assert change in STUDY
    with pytest.raises(UserError) as raised:
        small_plan(STUDY.replace(change, by))
    assert f"small.yaml:{line}: " in str(raised.value)
    assert message in str(raised.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(UserError) as raised:
        small_plan(STUDY.replace("[0.5, 0.7, 0.9]", "[low, high]").replace("seeds: 4", "seeds: many"))
    assert str(raised.value).count("small.yaml:") == 3


@pytest.mark.parametrize(("text", "line"), [("a: [1", 1), ("question: x\nvary: [", 2), ("- 1", 1), ("", 1)])
def test_what_is_no_study_at_all_is_refused(text: str, line: int) -> None:
    with pytest.raises(UserError, match=r"small\.yaml"):
        small_plan(text)


def test_a_file_that_would_build_objects_is_refused() -> None:
    with pytest.raises(UserError, match="small"):
        small_plan(STUDY.replace("world: flat", "world: !!python/object/apply:os.getcwd []"))


def test_a_study_too_large_to_be_meant_is_refused() -> None:
    with pytest.raises(UserError, match="more than 100,000 trainings"):
        small_plan(STUDY.replace("seeds: 4", "seeds: 100000"))


def test_an_unknown_study_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="choose one of complexity, granularity"):
        load_plan("luck", TABULAR)
    with pytest.raises(UserError, match="no such study file"):
        load_plan(str(tmp_path / "x.yaml"), TABULAR)


@pytest.mark.parametrize("name", preset_names(TABULAR))
def test_every_preset_is_sound(name: str) -> None:
    plan = load_plan(name, TABULAR)
    assert plan.name == name
    assert len(list(plan.cells())) > 50
    assert plan.also or name == "complexity"
    assert parse_plan((TABULAR.presets / f"{name}.yaml").read_text(), Path(f"{name}.yaml"), TABULAR) == plan


def test_the_small_app_serves_the_protocol() -> None:
    assert set(APP.fields) >= set(small_plan().groups()[0])
