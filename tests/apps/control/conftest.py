"""What the tests of the control tasks share."""

from pathlib import Path
from types import ModuleType

import pytest

from apps.control.learners import load_learners
from apps.control.worlds import World
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.rules.make import make_rule
from lmgt_core.rules.shift import ShiftRule

TEMPLATE = PromptTemplate("Good, neutral or bad?", "{state} {action}")


@pytest.fixture(scope="session")
def agents() -> ModuleType:
    """apps.control.agents, with Stable-Baselines3 imported the quick way."""
    return load_learners()


def shifter_for(task: World, judge: str, rule: str | ShiftRule = "raw", scale: float = 1.0, steps: int = 100):
    """A shifter for `task` around the judge of that name."""
    made = make_judge(judge, JudgeContext(domain="test", oracle=task.judge, oracle_id="test"))
    assert made is not None
    chosen = make_rule(rule, scale, steps) if isinstance(rule, str) else rule
    return RewardShifter(task.describer, TEMPLATE, made, chosen)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A folder with one template."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "zero-shot.txt").write_text("Good, neutral or bad?\n---\n{state} {action}\n")
    return folder
