"""Planning with a judge: the home is tidied by what it says of places, and by nothing else."""

from collections.abc import Sequence

import pytest

from apps.housekeep.agent.planner import PlannerPolicy, judge_scores
from apps.housekeep.agent.policies import play
from apps.housekeep.config import EvaluateConfig
from apps.housekeep.describe import Decision
from apps.housekeep.episodes.load import load_many
from apps.housekeep.evaluate import seeds_of
from apps.housekeep.simulator.mujoco_world import MujocoSimulator
from apps.housekeep.task import Task
from lmgt_core.errors import UserError

EPISODES = load_many(("builtin:val",), "0:2", False)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(MujocoSimulator())


def played(task: Task, policy: PlannerPolicy, episode: int = 0) -> dict[str, float | None]:
    task.reset(EPISODES[episode])
    return play(task, policy)


def test_with_the_truth_for_a_judge_everything_is_put_right(task: Task) -> None:
    policy = PlannerPolicy(judge_scores("oracle", "zero-shot", EPISODES))
    for episode in range(len(EPISODES)):
        found = played(task, policy, episode)
        assert (found["object_success"], found["net_success"], found["episode_success"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("said", [1.0, 0.0, -1.0])
def test_a_judge_that_says_one_thing_of_every_place_moves_nothing(task: Task, said: float) -> None:
    found = played(task, PlannerPolicy(lambda decisions: [said] * len(decisions)))
    assert found["object_success"] == found["net_success"] == 0.0


def test_each_question_is_asked_once_over_all_episodes(task: Task) -> None:
    asked: list[Decision] = []
    truth = judge_scores("oracle", "zero-shot", EPISODES)

    def scores(decisions: Sequence[Decision]) -> list[float]:
        asked.extend(decisions)
        return truth(decisions)

    policy = PlannerPolicy(scores)
    for episode in (0, 1, 0):
        played(task, policy, episode)
    assert len(asked) == len(set(asked)) > 20 and {decision.kind for decision in asked} == {"place"}


def test_a_judge_that_draws_lots_draws_others_in_another_seed() -> None:
    asked = [Decision("place", item.category, "shelf", "kitchen") for item in EPISODES[0].items]
    said = [judge_scores("random", "zero-shot", EPISODES, seed=seed)(asked) for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize(("policy", "seeds"), [("plan:random", 5), ("plan:noisy-oracle:0.8", 5), ("plan:oracle", 1)])
def test_a_planner_has_five_seeds_where_its_judge_draws_lots(policy: str, seeds: int) -> None:
    assert seeds_of(policy, EvaluateConfig((policy,), seed=3)) == list(range(3, 3 + seeds))


def test_a_judge_that_answers_nothing_is_one_line() -> None:
    scores = judge_scores("recorded:qwen2.5-coder-1.5b", "belongs", EPISODES)
    with pytest.raises(UserError, match=r"belongs: none of 1 questions was answered.*not among the questions"):
        scores([Decision("place", "spaceship", "shelf", "kitchen")])


def test_without_a_judge_there_is_no_plan() -> None:
    with pytest.raises(UserError, match="nobody to plan with"):
        judge_scores("none", "zero-shot", EPISODES)
