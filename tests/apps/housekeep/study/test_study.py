"""The Housekeep studies' cells: the preset is sound, mistakes are one line, and one short cell runs."""

from typing import Any

import pytest

from apps.cli import STUDIES
from apps.housekeep.study.app import APP
from apps.housekeep.study.training import cell_config
from lmgt_core.errors import UserError
from lmgt_core.rules.make import RULES
from lmgt_core.study.app import MEASURED, horizon_of
from lmgt_core.study.runner import load_app
from lmgt_core.study.study_file import load_plan, preset_names

DEFAULTS: dict[str, Any] = {name: field.default for name, field in APP.fields.items()}
SERVED = (*RULES, "lookahead", "pies", "adops")


def test_the_command_line_knows_it() -> None:
    assert load_app(STUDIES["housekeep"]) is APP


@pytest.mark.parametrize("name", preset_names(APP))
def test_every_preset_is_sound(name: str) -> None:
    plan = load_plan(name, APP)
    assert plan.name == name and plan.app == "housekeep"
    assert 15 < len(list(plan.cells())) < 100


def test_every_rule_that_the_skills_serve_can_be_studied() -> None:
    for rule in SERVED:
        APP.check({**DEFAULTS, "rule": rule})


def test_a_cell_is_a_training_without_a_gate_in_one_home() -> None:
    config = cell_config({**DEFAULTS, "accuracy": 0.0, "steps": 200})
    assert config.judge == "noisy-oracle:0" and config.episodes == ("builtin:train_home_1",) and not config.gate
    assert config.evaluate_every == 50 and horizon_of({**DEFAULTS, "steps": 200}) == 100
    assert cell_config({**DEFAULTS, "judge": "none"}).judge == "none"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"home": "castle"}, "home castle: no such generated home"),
        ({"rule": "sideways"}, "--rule sideways"),
        ({"rule": "potential"}, "--rule potential: works through the potential seam"),
        ({"judge": "wisest"}, "--judge wisest"),
        ({"accuracy": 1.5}, "accuracy 1.5"),
        ({"judge_share": -0.5}, "judge_share -0.5"),
        ({"scale": -1.0}, "--scale -1"),
        ({"reward": "golden"}, "reward golden"),
        ({"steps": 1}, "steps 1"),
    ],
)
def test_what_cannot_be_run_is_named(own: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        APP.check({**DEFAULTS, **own})
    assert "\n" not in str(error.value)


def test_a_short_cell_runs_and_repeats_itself_but_for_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    for constant in ("EPISODES", "POINTS"):
        monkeypatch.setattr(f"apps.housekeep.study.training.{constant}", 1)
    settings = {**DEFAULTS, "steps": 70, "rule": "pies", "accuracy": 0.0}
    first, second = APP.run(settings, seed=1), APP.run(settings, seed=1)
    assert set(first) == set(APP.metrics) and None not in first.values()
    assert first["judgments"] and -1 <= (first["net_success"] or 0.0) <= 1
    assert all(first[name] == second[name] for name in first if not name.endswith(MEASURED))
