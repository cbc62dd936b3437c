"""Policies that leave off: a patient one goes on while there is anything to do, and saves the rest of the steps."""

import pytest

from apps.housekeep import evaluate
from apps.housekeep.agent.policies import PatientPolicy, play
from apps.housekeep.config import EvaluateConfig
from apps.housekeep.episodes.load import load_many
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.skills import Kind, Skill
from apps.housekeep.task import MAX_STEPS, Task
from lmgt_core.errors import UserError

EPISODE = load_many(("builtin:val",), "0")[0]
LOOK = Skill(Kind.LOOK)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(MujocoSimulator())


def explore_then_look(task: Task, skills: list[Skill]) -> Skill:
    """Explores while there is anything to explore, and then looks around for ever."""
    return next((skill for skill in skills if skill.kind is Kind.EXPLORE), LOOK)


class TestPatience:
    @pytest.mark.parametrize("patience", [0, 3])
    def test_so_many_idle_skills_are_acted_out_once_all_is_explored(self, patience: int, task: Task) -> None:
        chosen: list[Skill | None] = []
        patient = PatientPolicy(explore_then_look, patience)

        def noted(task: Task, skills: list[Skill]) -> Skill | None:
            chosen.append(patient(task, skills))
            return chosen[-1]

        for _ in range(2):  # the second episode begins with all of its patience
            chosen.clear()
            task.reset(EPISODE)
            steps = play(task, noted)["steps"]
            assert steps is not None and steps < MAX_STEPS
            assert chosen[-1] is None and chosen[-1 - patience : -1] == [LOOK] * patience
            assert all(skill is not None and skill.kind is Kind.EXPLORE for skill in chosen[: -1 - patience])

    def test_a_full_hand_is_never_left(self, task: Task) -> None:
        """It carries a thing about until the steps are used up."""

        def carry(task: Task, skills: list[Skill]) -> Skill:
            return next((s for s in skills if s.kind is Kind.PICK), explore_then_look(task, skills))

        task.reset(EPISODE)
        assert play(task, PatientPolicy(carry, 0))["steps"] == MAX_STEPS
        assert task.held is not None

    def test_less_than_none_is_one_line(self) -> None:
        with pytest.raises(UserError, match="--patience -1: give a number of at least 0"):
            evaluate.main(EvaluateConfig(("nothing",), patience=-1))
