"""Studies of recommendation: the presets can be run, and a cell is a training of `lmgt slateq train`."""

from typing import Any

import pytest

from apps.slateq.study import APP, config_of
from lmgt_core.errors import UserError
from lmgt_core.study.study_file import load_plan, preset_names

DEFAULTS: dict[str, Any] = {name: field.default for name, field in APP.fields.items()}


@pytest.mark.parametrize("name", preset_names(APP))
def test_every_cell_of_a_preset_can_be_trained(name: str) -> None:
    for settings in load_plan(name, APP).groups():
        APP.check(settings)


def test_a_cell_is_a_training_with_a_judge_of_that_accuracy() -> None:
    found = APP.run({**DEFAULTS, "accuracy": 0.0, "steps": 512, "users": 64, "evaluate_users": 10}, seed=0)
    assert found["return"] is not None and found["return"] > 0
    assert (found["judgments"] or 0) > 100
    assert config_of({"judge": "noisy-oracle", "accuracy": 0.65, "steps": 10})["judge"] == "noisy-oracle:0.65"
    assert config_of({"judge": "none", "accuracy": 0.65, "steps": 10})["judge"] == "none"


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UserError, match="--algorithm"):
        APP.check({**DEFAULTS, "algorithm": "QL-XX"})
    with pytest.raises(UserError, match="noisy-oracle:2"):
        APP.check({**DEFAULTS, "accuracy": 2.0})
