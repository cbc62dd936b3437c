"""The rendered tables and the games: environments, what stands in frames, RAM maps, words and experts."""

from collections import Counter
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from apps.atari_vision import worlds
from apps.atari_vision.describe import ACTION, FrameDescriber
from apps.atari_vision.knowledge import blackjack
from apps.atari_vision.oracle import expert_action, make_expert
from apps.atari_vision.simulator.atari import AtariFrames
from apps.atari_vision.simulator.blackjack import draw_cards
from apps.atari_vision.simulator.seen import FRAME, MEMORY, AgentView
from apps.atari_vision.worlds import WORLDS, world
from apps.control import blackjack_values
from captioners.captioner import CaptionFailure
from captioners.memory import FrameMemory, MemoryCaptioner
from captioners.ocr import OcrCaptioner, Region
from lmgt_core.errors import UserError
from lmgt_core.judges.oracle import OracleJudge
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.uncaptioned import UNCAPTIONED, CaptionedOnly
from lmgt_core.testing.environment import EnvironmentContract

GAMES = [name for name, w in WORLDS.items() if w.game]


class TestBox(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/Blackjack-box-v0", disable_env_checker=True)


class TestCards(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/Blackjack-cards-v0", disable_env_checker=True)


class TestCartPole(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/CartPole-v0", disable_env_checker=True)


class TestFreeway(EnvironmentContract):
    def make(self) -> gym.Env[Any, Any]:
        return gym.make("lmgt/Freeway-v0", limit=60, disable_env_checker=True)


@pytest.mark.parametrize("name", WORLDS)
def test_every_state_has_a_caption_that_reads_back(name: str) -> None:
    made = world(name)
    for observation in play(made, 40):
        facts = made.knowledge.facts(observation[MEMORY])
        assert made.phrasing.read(made.phrasing.words(facts)) == facts
        verdicts = {made.knowledge.expert(facts, a) for a in range(len(made.knowledge.actions))}
        assert Verdict.UNREADABLE not in verdicts
    assert made.shape == observation[FRAME].shape[:2]


def play(made: worlds.World, decisions: int, seed: int = 0) -> list[Any]:
    """Observations of play that is half the expert's and half random."""
    env, rng = made.make(), np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    seen = []
    for _ in range(decisions):
        seen.append(observation)
        wild = rng.random() < 0.5
        action = int(rng.integers(len(made.knowledge.actions))) if wild else expert_action(
            made, observation[MEMORY], rng
        )  # fmt: skip
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            observation, _ = env.reset(seed=seed + len(seen))
    env.close()
    return seen


def test_the_learner_sees_neither_frame_nor_memory() -> None:
    for name in ("Blackjack-box", "CartPole"):
        made = world(name)
        observation, _ = AgentView(made.make()).reset(seed=3)
        plain, _ = made.plain().reset(seed=3)
        np.testing.assert_array_equal(observation, plain)


@pytest.mark.parametrize("name", GAMES)
def test_a_game_has_words_for_each_of_its_actions(name: str) -> None:
    env = AtariFrames(name)
    assert len(world(name).knowledge.actions) == env.action_space.n
    observation, _ = env.reset(seed=0)
    assert observation["agent"].shape == (4, 84, 84) and observation[MEMORY].shape == (128,)


COLOURS = {
    "Pong": {"ball": (236, 236, 236), "player": (92, 186, 92), "enemy": (213, 130, 74)},
    "Breakout": {"ball": (200, 72, 72), "player": (200, 72, 72)},
    "Freeway": {"chicken": (252, 252, 84), "car 1": (210, 210, 64), "car 5": (162, 98, 33), "car 10": (167, 26, 26)},
    "Pitfall": {"harry": (228, 111, 111), "log 1": (105, 105, 15)},
    "MontezumaRevenge": {"joe": (200, 72, 72), "skull": (236, 236, 236)},
}


@pytest.mark.parametrize("name", GAMES)
def test_positions_in_the_ram_are_where_the_frame_shows_the_colours(name: str) -> None:
    """Things that overlap or leave the screen are off by more; nine in ten are within three pixels."""
    near: dict[str, Counter[bool]] = {thing: Counter() for thing in COLOURS[name]}
    for observation in play(world(name), 200):
        for thing, box in world(name).knowledge.positions(observation[MEMORY]).items():
            if thing in near and 8 < box[0] < 144:
                near[thing][_found(observation[FRAME], box, COLOURS[name][thing])] += 1
    for thing, counts in near.items():
        assert counts.total() > 20 and counts[True] / counts.total() > 0.9, (thing, counts)


def _found(frame: Any, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> bool:
    left, top, width, height = box
    part = frame[max(top - 3, 0) : top + height + 3, max(left - 3, 0) : left + width + 3].astype(int)
    return bool((np.abs(part - np.array(colour)).sum(-1) < 40).any())


def test_basic_strategy_is_the_exactly_calculated_one() -> None:
    hands = [(n, False) for n in range(4, 22)] + [(n, True) for n in range(12, 22)]
    for player, soft in hands:
        for dealer in range(1, 11):
            worth = [blackjack_values.value((player, soft), dealer, action) for action in (0, 1)]
            if abs(worth[0] - worth[1]) > 0.01:
                assert blackjack.stands(player, dealer, soft) == (worth[0] > worth[1]), (player, soft, dealer)


def test_ocr_reads_every_frame_that_prints_the_sums() -> None:
    captioner = OcrCaptioner(blackjack.BOX, blackjack.compose_box, "box")
    seen = play(world("Blackjack-box"), 60)
    captions = captioner.caption(np.stack([o[FRAME] for o in seen]))
    made = world("Blackjack-box")
    assert captions == [made.phrasing.words(made.knowledge.facts(o[MEMORY])) for o in seen]
    assert captioner.stats.refused == 0 and captioner.stats.lines < 40


def test_ocr_reads_figures_on_cards_and_refuses_what_may_be_two_ranks() -> None:
    captioner = OcrCaptioner(blackjack.CARDS, blackjack.compose_cards, "cards")
    frames = np.stack([draw_cards("9H", ["2C", "JS", "4D"]), draw_cards("KH", ["2C", "3S"])])
    read, refused = captioner.caption(frames)
    assert read == "The player's cards sum to 16; no ace in it counts as 11. The dealer shows a 9."
    assert isinstance(refused, CaptionFailure) and "'H'" in refused.reason


@pytest.mark.parametrize(("values", "total"), [([1, 1], (12, True)), ([1, 10, 10], (21, False)), ([5, 6], (11, False))])
def test_aces_count_as_eleven_where_they_can(values: list[int], total: tuple[int, bool]) -> None:
    assert blackjack.hand_sum(values) == total


def test_an_oracle_knows_frames_by_their_memory_and_captions_by_their_words() -> None:
    made, memory = world("Blackjack-box"), FrameMemory()
    judge = CaptionedOnly(OracleJudge(make_expert(made, memory), "atari/blackjack", "x"))
    template = made.template()
    objects = MemoryCaptioner(memory, lambda m: made.phrasing.words(made.knowledge.facts(m)), made.name)
    for observation in play(made, 20):
        prompts = []
        for captioner in (None, objects):
            describe = FrameDescriber(made, captioner, memory)
            prompts += [template.render(d) for d in describe([observation] * 2, [0, 1])]
        verdicts = [j.verdict for j in judge.judge(prompts)]
        assert verdicts[:2] == verdicts[2:] and set(verdicts[:2]) == {Verdict.GOOD, Verdict.BAD}


def test_a_frame_without_a_caption_is_unreadable_with_the_captioners_reason() -> None:
    made = world("CartPole")
    silent = OcrCaptioner((), made.knowledge.compose, "none")
    (description,) = FrameDescriber(made, silent, FrameMemory())(play(made, 1), [0])
    assert description.facts[UNCAPTIONED] and ACTION in description.facts
    oracle = OracleJudge(make_expert(made, FrameMemory()), "atari/cartpole", "x")
    (judgment,) = CaptionedOnly(oracle).judge([made.template().render(description)])
    assert judgment.verdict is Verdict.UNREADABLE and "nothing is written" in judgment.reason


@pytest.mark.parametrize("typed", ["2", "RIGHT", "move your paddle to the right", "to the right"])
def test_actions_are_named_by_number_name_or_words(typed: str) -> None:
    assert world("Breakout").action(typed) == 2


def test_unknown_names_are_one_line() -> None:
    with pytest.raises(UserError, match="no such world; choose one of Blackjack-box"):
        world("Tetris")
    with pytest.raises(UserError, match="fits 0 actions of Breakout"):
        world("Breakout").action("fly")


def test_a_region_is_cut_by_shares() -> None:
    assert Region("r", 0.5, 1, 0, 0.25).cut(np.zeros((8, 8, 3), np.uint8)).shape == (4, 2, 3)
