"""Choosing what `--algorithm moves` is tuned by, on train scenes, in seconds: prints a line for each judge.

    python -m benchmarks.housekeep_moves DATA --home Pomaria_0 --judges preference:held-out minilm none --seeds 0 1
    python -m benchmarks.housekeep_moves DATA --home Pomaria_0 --judges minilm --set least_gain=.2 return_noise=.7

Homes are abstract: all of a home is known from the start, every move succeeds and takes 4 skills and 50 steps, looking
around before takes 10 and 150. It learns in the two other train scenes (episodes 0:800) and is played in every fifth
episode of --home, which was kept aside, as was a third of all kinds of objects: first come figures of the other kinds,
then of those. DATA holds human_votes.npy, object_splits.yaml and episodes/train/.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apps.housekeep import train
from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.move_values import MoveConfig, MoveValues
from apps.housekeep.agent.pair_features import Floats, PairFeatures
from apps.housekeep.config import TrainConfig
from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.knowledge.judges import knowledge
from apps.housekeep.knowledge.places import split_place
from apps.housekeep.skills import Kind, Skill
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.judges.minilm import MiniLMEncoder

HOMES = ("Benevolence_2", "Pomaria_0", "Pomaria_2")
SKILLS, LOOKING_SKILLS, MOVE_SKILLS = 12_000, 10, 4
STEPS, LOOKING_STEPS, MOVE_STEPS = 1000, 150, 50


@dataclass(frozen=True, eq=False)
class Home:
    """An episode's objects of some kinds and its places, as numbers of the vocabulary; `end` [place, object]."""

    objects: np.ndarray
    places: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, episode: Episode, words: Vocabulary, kinds: set[str]) -> "Home":
        """The home without objects of other kinds."""
        kept = [n for n, item in enumerate(episode.items) if item.category in kinds]
        return cls(
            np.array([words.object_index[episode.items[n].category] for n in kept], int),
            np.array([words.place_index[receptacle.place] for receptacle in episode.receptacles]),
            episode.start_receptacle[kept],
            episode.end[:, kept],
        )

    def right(self, on: np.ndarray) -> np.ndarray:
        """[object] whether it is right on these places."""
        return self.end[on, np.arange(len(on))]


@dataclass
class Played:
    """Where things are in the end, where those that were moved lay, what was decided on, and the steps it took."""

    on: np.ndarray
    lay: dict[int, int]
    decided: list[tuple[Kind, int, int]]
    steps: int


def played(home: Home, lying: Floats, taken: Floats, least: float, rng: np.random.Generator, epsilon: float) -> Played:
    """The home tidied as MovePolicy would."""
    found = Played(home.start.copy(), {}, [], LOOKING_STEPS)
    at, to = (values[np.ix_(home.objects, home.places)] for values in (lying, taken))
    every, best = np.arange(len(home.objects)), to.argmax(1) if len(home.objects) else np.zeros(0, int)
    while len(every) and found.steps + MOVE_STEPS <= STEPS and not home.right(found.on).all():
        if rng.random() < epsilon:
            item, place = int(rng.integers(len(every))), int(rng.integers(len(home.places)))
        else:
            here = np.array([(to if n in found.lay else at)[n, found.on[n]] for n in every])
            gains = np.where(best == found.on, -np.inf, to[every, best] - here)
            item = int(gains.argmax())
            place = int(best[item])
            if gains[item] <= least:
                break
        found.lay.setdefault(item, int(found.on[item]))
        found.decided.append((Kind.PICK, int(home.objects[item]), int(home.places[found.on[item]])))
        found.decided.append((Kind.PLACE, int(home.objects[item]), int(home.places[place])))
        found.on[item] = place
        found.steps += MOVE_STEPS
    return found


def metrics(homes: Sequence[Home], values: tuple[Floats, Floats], least: float) -> tuple[float, float, float]:
    """Object success, net success and steps, the means over homes where they are defined."""
    success, net, steps, rng = [], [], [], np.random.default_rng(0)
    for home in homes:
        found = played(home, *values, least, rng, 0.0)
        before, right = home.right(home.start), home.right(found.on)
        counted = ~before
        counted[list(found.lay)] = True
        success += [right[counted].mean()] if counted.any() else []
        net += [(int(right.sum()) - int(before.sum())) / int((~before).sum())] if not before.all() else []
        steps.append(found.steps)
    return float(np.mean(success)), float(np.mean(net)), float(np.mean(steps))


def shift_source(data: Path, judge: str, rule: str, seed: int) -> RewardShifter | None:
    """The judge's shifts, as a training in one home of DATA has them."""
    config = TrainConfig(
        judge=judge,
        rule=rule,
        algorithm="moves",
        episodes=(str(data / f"episodes/train/{HOMES[0]}_int.json.gz"),),
        select="0:20",
        votes=data / "human_votes.npy",
        splits=data / "object_splits.yaml",
        out=Path(tempfile.mkdtemp()),
    )
    source = train.guidance(config).audited().shifts(seed, SKILLS)
    assert source is None or isinstance(source, RewardShifter)
    return source


def tried(
    data: Path, home: str, source: RewardShifter | None, seed: int, config: MoveConfig, ahead: bool = True
) -> list[float]:
    """Object success, net success and steps of known kinds of objects, then of kinds that were kept aside."""
    scenes = {name: load_many((str(data / f"episodes/train/{name}_int.json.gz"),)) for name in HOMES}
    training = [episode for name in HOMES if name != home for episode in scenes[name][:800]]
    named = knowledge(data / "human_votes.npy", data / "object_splits.yaml").places if ahead else ()
    words, encoder = Vocabulary.of([*training, *scenes[home][::5]]), MiniLMEncoder.load()
    words = Vocabulary(words.objects, tuple(sorted({*words.places, *named})))
    aside = set(np.random.default_rng(7).permutation(words.objects)[: len(words.objects) // 3].tolist())
    known = set(words.objects) - aside
    homes = Vocabulary.of(training)
    basis = Vocabulary(tuple(sorted(known & set(homes.objects))), tuple(sorted({*homes.places, *named})))
    values = MoveValues(config, *PairFeatures.of(basis, encoder)(words, encoder))
    if source is not None and ahead:
        pairs = [(o, p) for o in basis.objects for p in basis.places]
        asked = [Decision("place", o, *split_place(p)) for o, p in pairs]
        for (o, p), shift in zip(pairs, source(asked, [Skill(Kind.PLACE)] * len(asked)).delta.tolist(), strict=True):
            values.add_shift(words.object_index[o], words.place_index[p], shift)
        values.fit(1.0)
    rng, skills, order = np.random.default_rng(seed), 0, []
    while skills < SKILLS:
        order = order or rng.permutation(len(training)).tolist()
        episode = Home.of(training[order.pop()], words, known)
        lying, taken = values(values.objects, values.places)
        found = played(episode, lying, taken, config.least_gain, rng, config.epsilon(skills))
        skills += LOOKING_SKILLS + MOVE_SKILLS * len(found.decided) // 2
        if source is not None and found.decided:
            asked = [
                Decision(kind.name.lower(), words.objects[o], *split_place(words.places[p]))
                for kind, o, p in found.decided
            ]
            shifts = source(asked, [Skill(kind) for kind, _, _ in found.decided]).delta
            for (kind, o, p), shift in zip(found.decided, shifts.tolist(), strict=True):
                values.add_shift(o, p, shift if kind is Kind.PLACE else -shift)
        moves = [
            (int(episode.objects[n]), int(episode.places[a]), int(episode.places[found.on[n]]))
            for n, a in found.lay.items()
        ]
        returned = int(episode.right(found.on).sum()) - int(episode.right(episode.start).sum())
        values.episodes.append((list(moves), float(returned)))
        if values.due:
            values.fit(1.0)
    values.fit(1.0)
    final = values(values.objects, values.places)
    kinds = [[Home.of(e, words, some) for e in scenes[home][::5]] for some in (known, aside)]
    return [x for homes in kinds for x in metrics(homes, final, config.least_gain)]


def changed(config: MoveConfig, settings: Sequence[str]) -> MoveConfig:
    """The config with fields set as in `return_noise=.7` or `return_prior=.15,.1,.05`."""
    for setting in settings:
        name, _, text = setting.partition("=")
        numbers = tuple(type(getattr(config, name))(x) if "," not in text else float(x) for x in text.split(","))
        config = replace(config, **{name: numbers if len(numbers) > 1 else numbers[0]})
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--home", choices=HOMES, default="Pomaria_0")
    parser.add_argument("--judges", nargs="+", default=["preference:held-out", "minilm", "none"])
    parser.add_argument("--rule", default="raw")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--not-ahead", action="store_true", help="the judge is asked only about what was tried")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="of MoveConfig")
    given = parser.parse_args()
    config = changed(MoveConfig(), given.set)
    for judge in given.judges:
        sources = [shift_source(given.data, judge, given.rule, seed) for seed in given.seeds]
        ahead = not given.not_ahead
        found = [
            tried(given.data, given.home, s, seed, config, ahead) for s, seed in zip(sources, given.seeds, strict=True)
        ]
        known, net, steps, aside, aside_net, _ = np.mean(found, axis=0)
        print(
            f"{given.home} {judge}: object success {known:.2f}, net {net:+.2f}, {steps:.0f} steps; "
            f"of objects kept aside {aside:.2f}, net {aside_net:+.2f}"
        )


if __name__ == "__main__":
    main()
