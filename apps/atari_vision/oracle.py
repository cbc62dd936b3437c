"""The experts of the worlds as oracles: they read the captions' words, or the memory behind a frame.

Shown a frame, the expert is privileged: it looks up what the emulator's memory held. Told a caption, it knows no more
than the words say, so a wrong caption makes it wrong: what it loses there was lost in the caption.
"""

from collections.abc import Callable

import numpy as np

from apps.atari_vision.describe import ACTION
from apps.atari_vision.simulator.seen import MEMORY
from apps.atari_vision.worlds import WORLDS, World
from apps.atari_vision.worlds import world as named
from captioners.memory import FrameMemory
from captioners.strips import together
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.statistics import bootstrap_ci


def make_expert(world: World, memory: FrameMemory) -> Callable[[Prompt], Verdict]:
    """The expert of `world`; LookupError for a frame that it has not seen and for words that it cannot read."""
    knowledge = world.knowledge

    def expert(prompt: Prompt) -> Verdict:
        words = prompt.facts[ACTION]
        if words not in knowledge.actions:
            raise LookupError(f"{words!r} is no action of {world.name}")
        facts = knowledge.facts(memory.recall(together(prompt.images))) if prompt.images else prompt.facts
        if missing := [slot for slot in knowledge.phrasing.slots if slot not in facts]:
            raise LookupError(f"the caption does not state the {missing[0]} in the words of {world.name}")
        return knowledge.expert(facts, knowledge.actions.index(words))

    return expert


def expert_action(world: World, memory: object, rng: np.random.Generator) -> int:
    """One of the actions that the expert likes best, drawn by `rng`."""
    facts = world.knowledge.facts(memory)
    verdicts = [world.knowledge.expert(facts, action) for action in range(len(world.knowledge.actions))]
    for wanted in (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD):
        if wanted in verdicts:
            return int(rng.choice([a for a, v in enumerate(verdicts) if v is wanted]))
    raise LookupError("the expert has no verdict")


def main(worlds: tuple[str, ...] = tuple(WORLDS), episodes: int = 3, hands: int = 100, decisions: int = 1000) -> None:
    """Prints what acting on the experts' words earns, beside acting at random.

    Means of `episodes` episodes of a game and `hands` of a table, each of at most `decisions` decisions, with 95 %
    bootstrap intervals.
    """
    rows = []
    for world in map(named, worlds):
        number = episodes if world.game else hands
        row: dict[str, object] = {"world": world.name, "episodes": number}
        for policy in ("expert", "random"):
            rng = np.random.default_rng(0)
            returns = [played_return(world, policy, rng, seed, decisions) for seed in range(number)]
            row |= {policy: float(np.mean(returns)), f"{policy}_ci95": bootstrap_ci(returns, "mean")}
        rows.append(row)
        print(f"{world.name}: expert {row['expert']:.2f}, random {row['random']:.2f}", flush=True)
    print_table(rows, title=f"mean return of at most {decisions} decisions")


def played_return(world: World, policy: str, rng: np.random.Generator, seed: int, decisions: int) -> float:
    """The return of one episode of at most `decisions` decisions of the "expert" or of a "random" player."""
    env = world.make() if world.game else world.plain()  # of a table the learner sees all that the expert knows
    observation, _ = env.reset(seed=seed)
    total = 0.0
    for _ in range(decisions):
        memory = observation[MEMORY] if world.game else observation
        random = int(rng.integers(len(world.knowledge.actions)))
        action = random if policy == "random" else expert_action(world, memory, rng)
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        if terminated or truncated:
            break
    env.close()
    return total


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
