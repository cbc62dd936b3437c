"""Frames with what there is to learn about them, made on the fly: what an image-text model of a world is taught with.

The tables and CartPole are drawn in states that are drawn by lot, so that every hand and every lean comes up; a game
is played beforehand. A tenth of all frames, told by a digest of their pixels, is kept for tests and a tenth for
validation, and five of the 48 card pictures that come up are never taught, lest it all be learnt by heart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import degrees
from typing import Any

import numpy as np

from apps.atari_vision.describe import FrameDescriber
from apps.atari_vision.frames import TRAIN, collect, part
from apps.atari_vision.knowledge.blackjack import hand_sum
from apps.atari_vision.knowledge.knowledge import nowhere
from apps.atari_vision.oracle import expert_action
from apps.atari_vision.simulator.blackjack import FACES, SUITS, draw_cards
from apps.atari_vision.simulator.seen import FRAME, MEMORY
from apps.atari_vision.worlds import World
from captioners.captioner import Image
from captioners.memory import FrameMemory
from captioners.models.llava_training import Draw, Example, Lesson
from captioners.strips import apart

UNTAUGHT = ("2H", "5C", "8D", "JS", "AC")  # cards whose pictures no lesson shows
POOL = 4000  # frames of play that a game's lessons are drawn from
DETAILS = "Name what can be told from it, one by one."  # a lesson that nobody is asked later: it teaches to look

CELL = 4  # pixels
NO_PLACES = "nothing"
THINGS = ("ball", "player", "enemy", "chicken", "car", "harry", "log", "joe", "skull")  # of games
DETAIL_WORDS = ("A", "J", "Q", "K", ";", "+", "-", NO_PLACES, *THINGS, *(str(n) for n in range(60)))


@dataclass(frozen=True)
class Sample:
    """A frame, the memory behind it, and finer details than its caption tells; "" where there are none."""

    image: Image
    memory: Any
    details: str = ""


Sampler = Callable[[np.random.Generator, int], list[Sample]]  # so many, drawn by the generator alone


def sampler(world: World, seed: int) -> Sampler:
    """Frames of `world` in states drawn by lot, or of play that follows from `seed`."""
    if world.name == "Blackjack-box":
        return _boxes(world)
    if world.name == "Blackjack-cards":
        return lambda rng, count: [cards(rng) for _ in range(count)]
    if world.folder == "cartpole":
        return _cartpoles(world)
    pool = collect(world, POOL, seed + 1)
    samples = [Sample(*frame, _places(world, frame[1])) for frame in zip(pool.images, pool.memories, strict=True)]
    return lambda rng, count: [samples[i] for i in rng.integers(len(samples), size=count)]


def draw(world: World, seed: int, wanted: str = TRAIN) -> Draw:
    """Examples of one part of the frames: a caption, a verdict on an action, and details where there are any."""
    sample = sampler(world, seed)

    def some(rng: np.random.Generator, count: int) -> list[Example]:
        shots: list[Sample] = []
        while len(shots) < count:
            shots += [shot for shot in sample(rng, count - len(shots)) if part(shot.image) == wanted]
        actions = rng.integers(len(world.knowledge.actions), size=count)
        return [example(world, shot, int(action)) for shot, action in zip(shots, actions, strict=True)]

    return some


def example(world: World, shot: Sample, action: int) -> Example:
    """What is asked about a frame, in the words in which it will be asked: its caption, and a verdict of the expert."""
    know = world.knowledge
    facts = know.facts(shot.memory)
    prompt = world.template().render(FrameDescriber(world, None, FrameMemory()).of_frame(shot.image, action))
    lessons = [
        Lesson("", world.question, world.phrasing.words(facts)),
        Lesson(prompt.system, prompt.user, know.expert(facts, action).value),
    ]
    if shot.details:
        lessons.append(Lesson("", DETAILS, shot.details))
    return Example(apart(shot.image, world.frames), tuple(lessons))


def texts(world: World) -> list[str]:
    """All that is ever asked and answered: the words of the model's tokenizer."""
    know = world.knowledge
    said = [world.question, DETAILS, *_sentences(world)]
    template, describe = world.template(), FrameDescriber(world, None, FrameMemory())
    blank = np.zeros((*world.shape, 3), np.uint8)
    for action in range(len(know.actions)):
        prompt = template.render(describe.of_frame(blank, action))
        said += [prompt.system, prompt.user]
    return [*said, *DETAIL_WORDS, " ".join(("", *DETAIL_WORDS))]


def _places(world: World, memory: Any) -> str:
    """Where things are in a game's frame, in columns and rows of four pixels; "" in a world that tells no places."""
    if world.knowledge.positions is nowhere:
        return ""
    seen = sorted(world.knowledge.positions(memory).items())
    return " ".join(f"{name} {left // CELL} {top // CELL}" for name, (left, top, _, _) in seen) or NO_PLACES


def _sentences(world: World) -> Iterator[str]:
    """Captions in which every phrase comes up."""
    slots = world.phrasing.slots
    first = {slot: phrases[0] for slot, phrases in slots.items()}
    for slot, phrases in slots.items():
        for phrase in phrases:
            yield world.phrasing.words(first | {slot: phrase})


def _boxes(world: World) -> Sampler:
    """Gymnasium's own table in any of its states."""
    env: Any = world.make()
    env.reset(seed=0)
    table = env.unwrapped._game

    def one(rng: np.random.Generator) -> Sample:
        env.reset(seed=int(rng.integers(2**31)))  # draws the dealer's card and its suit
        soft = bool(rng.random() < 0.4)
        table.player = [1, int(rng.integers(1, 11))] if soft else [int(rng.integers(4, 22))]
        player, _ = hand_sum(table.player)
        return Sample(env.unwrapped.render(), (player, table.dealer[0], int(soft)), table.dealer_top_card_value_str)

    return lambda rng, count: [one(rng) for _ in range(count)]


def cards(rng: np.random.Generator) -> Sample:
    """A table of cards in any state that is still played, without the pictures that are kept for tests."""
    while True:
        hand = [_card(rng) for _ in range(int(rng.choice([2, 3, 4, 5, 6], p=[0.3, 0.3, 0.2, 0.12, 0.08])))]
        player, soft = hand_sum([value for value, _ in hand])
        if 4 <= player <= 21:
            break
    shown, dealer = _card(rng)
    names = [name for _, name in hand]
    details = f"{dealer[:-1]} ; {' '.join(name[:-1] for name in names)}"
    return Sample(draw_cards(dealer, names), (player, shown, int(soft)), details)


def _card(rng: np.random.Generator) -> tuple[int, str]:
    """The value of a card of an endless deck and the name of its picture, one that is taught."""
    while True:
        value = min(int(rng.integers(1, 14)), 10)
        rank = {1: "A", 10: str(rng.choice(list(FACES)))}.get(value, str(value))
        if (name := rank + str(rng.choice(list(SUITS)))) not in UNTAUGHT:
            return value, name


SPREAD = np.array([0.8, 0.6, 0.08, 0.8])  # m, m/s, rad, rad/s: wider than play
WARM_UP = 5  # pushes until no frame shows the time before the state that was drawn
BURST = 6  # frames taken one after another: drawing all frames of a strip anew takes five times as long


def _cartpoles(world: World) -> Sampler:
    """The cart at any place and speed, and as an episode begins; pushed half at random and half by the expert."""
    env: Any = world.make()
    env.reset(seed=0)
    game = env.unwrapped._game.unwrapped

    def burst(rng: np.random.Generator) -> list[Sample]:
        seen, _ = env.reset(seed=int(rng.integers(2**31)))
        warm_up, samples = 0, []
        if rng.random() < 0.9:
            game.state, warm_up = rng.normal(size=4) * SPREAD, WARM_UP
        for step in range(warm_up + BURST):
            push = int(rng.integers(2)) if rng.random() < 0.5 else expert_action(world, seen[MEMORY], rng)
            seen, _, over, _, _ = env.step(push)
            if over:
                break
            if step >= warm_up:
                samples.append(Sample(seen[FRAME], seen[MEMORY], _numbers(seen[MEMORY])))
        return samples

    def some(rng: np.random.Generator, count: int) -> list[Sample]:
        samples: list[Sample] = []
        while len(samples) < count:
            samples += burst(rng)
        return samples[:count]

    return some


def _numbers(memory: Any) -> str:
    """Position in tenths of metres, speed in tenths of m/s, angle in degrees, turning in tens of degrees a second."""
    position, velocity, angle, turn = (float(n) for n in memory)
    values = (10 * position, 10 * velocity, degrees(angle), degrees(turn) / 10)
    return " ".join(f"{'-' if v < 0 else '+'} {abs(round(v))}" for v in values)
