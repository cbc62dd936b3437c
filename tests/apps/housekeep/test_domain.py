"""What Housekeep lends to guidance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.describe import Decision, describe
from apps.housekeep.domain import PROBES, HousekeepDomain, fading_horizon, make_domain
from apps.housekeep.knowledge.labels import labels_from_table
from apps.housekeep.simulator.protocol import Action
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import SEED, Guidance
from lmgt_core.judging.judgment import Verdict
from tests.apps.housekeep.small_home import BOOK, CHEST, home

HOMES = [home(), home({BOOK: CHEST}, episode_id=1)]


def domain(**settings: Any) -> HousekeepDomain:
    return HousekeepDomain(labels_from_table(), HOMES, Vocabulary.of(HOMES), **settings)


def test_every_pick_and_place_of_the_episodes_is_listed_once() -> None:
    listed = [dict(d.facts) for d in domain().questions()]
    assert len(listed) == 2 * 3 * 3  # kinds, objects, receptacles
    assert len({tuple(facts.items()) for facts in listed}) == len(listed)
    assert {"kind": "pick", "object": "mug", "receptacle": "shelf", "room": "living_room"} in listed


def test_probes_are_the_same_whatever_renders_them_and_are_drawn_from_the_audits_generator() -> None:
    template = domain().template("zero-shot")
    states = []
    for render in (template.render, lambda d: template.render(describe(Decision(**d.facts)))):
        rng = np.random.default_rng(SEED)
        probes = domain().probes(render, rng)
        states.append(([p.prompt.facts for p in probes], rng.random()))
    assert states[0] == states[1]
    assert 200 < len(states[0][0]) <= PROBES


def test_the_learner_of_an_action_space_gets_its_describer() -> None:
    decision = Decision("pick", "mug", "table", "living_room")
    (described,) = domain().describer()([decision], ["pick"], [None])
    assert described == describe(decision)
    ahead = {"ahead": np.array([1, 1 + domain().vocabulary.object_index["mug"], 1])}
    describer = domain(action_space="primitive").describer()
    pick, move = describer([ahead, ahead], [Action.GRAB_RELEASE, Action.MOVE_FORWARD], [None, None])
    assert pick is not None and pick.facts["object"] == "mug" and move is None


@pytest.mark.parametrize(
    ("state", "action", "decision"),
    [
        ("toaster, counter, kitchen", "place", Decision("place", "toaster", "counter", "kitchen")),
        (
            "set-top box, coffee table, living room",
            "Pick",
            Decision("pick", "set-top_box", "coffee_table", "living_room"),
        ),
        ("book,shelf,child's room", "place", Decision("place", "book", "shelf", "childs_room")),
        ("tea pot, window", "place", Decision("place", "tea_pot", "window", "")),
    ],
)
def test_what_a_user_types_is_a_pick_or_a_place(state: str, action: str, decision: Decision) -> None:
    assert domain().read(state, action) == describe(decision)


@pytest.mark.parametrize(
    ("state", "action", "flag"),
    [("toaster", "pick", "--state"), ("a, b, c, d", "pick", "--state"), (", counter", "pick", "--state"),
     ("toaster, counter, kitchen", "throw", "--action")],
)  # fmt: skip
def test_what_is_not_understood_names_its_flag(state: str, action: str, flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        domain().read(state, action)


def test_templates_of_ones_own_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "blunt.txt").write_text("Judge.\n---\n{state} {action}: good or bad?")
    assert domain(prompts=tmp_path).template("blunt").system == "Judge."
    with pytest.raises(UserError, match="no such strategy; choose one of zero-shot, belongs"):
        domain().template("telepathy")


def test_a_judge_is_asked_one_question_from_the_command_lines_words() -> None:
    there = make_domain("builtin:train_home_1")
    assert there.name == "housekeep/builtin:train_home_1"
    guidance = Guidance.of(there, JudgeConfig("oracle"), None)
    verdicts = [
        guidance.answer(guidance.template.render(there.read("yogurt cup, fridge, kitchen", action)))[0].verdict
        for action in ("place", "pick")
    ]
    assert verdicts == [Verdict.GOOD, Verdict.BAD]


def test_fading_rules_have_their_horizons() -> None:
    assert fading_horizon("annealed", 100) == 100
    assert fading_horizon("pies", 100) == fading_horizon("adops", 100) == 50
    assert fading_horizon("adops", 1) == 1 and fading_horizon("annealed", 100, 7) == 7
