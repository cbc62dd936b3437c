"""Training of what moves are worth, one seed: skills are taken, shifts and returns come back, and are regressed on."""

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.agent.move_policy import MovePolicy
from apps.housekeep.agent.move_values import MoveConfig, Moved, MoveValues
from apps.housekeep.agent.pair_features import PairFeatures, WordFeatures
from apps.housekeep.agent.seed_trainer import Numbers, SeedTrainer
from apps.housekeep.agent.text_observation import Encoder
from apps.housekeep.config import TrainConfig
from apps.housekeep.describe import Decision
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.places import split_place
from apps.housekeep.skills import Kind, Skill, candidates
from lmgt_core.guidance.shift_source import RewardShifter, ShiftSource
from lmgt_core.judges.minilm import MiniLMEncoder
from lmgt_core.training.run_log import RunLog


class MovesTrainer(SeedTrainer):
    """One seed's training: act, judge, remember, and fit anew after every few episodes."""

    def __init__(
        self,
        config: TrainConfig,
        seed: int,
        episodes: Sequence[Episode],
        evaluation: Sequence[Episode],
        source: ShiftSource | None,
        encoder: Encoder | None = None,
        hyper: MoveConfig | None = None,
        places: Sequence[str] = (),
    ) -> None:
        """`places`, beside those of the training episodes, are those that the judge is asked about ahead."""
        super().__init__(config, seed, episodes, evaluation, source)
        encoder = encoder or MiniLMEncoder.load()
        self.hyper = hyper or MoveConfig()
        homes = Vocabulary.of(episodes)
        self.asked = Vocabulary(homes.objects, tuple(sorted({*homes.places, *places})))
        self.vocabulary = Vocabulary(self.vocabulary.objects, tuple(sorted({*self.vocabulary.places, *places})))
        self.features = PairFeatures.of(self.asked, encoder)
        self.words = self.features(self.vocabulary, encoder)
        self.values = MoveValues(self.hyper, *self.words)
        self.acting = self._policy(self.act_rng)
        self._lay: dict[int, int] = {}  # object that was picked -> where it lay from the start
        self._returned = 0.0

    def train(self, log: RunLog, tick: Callable[[int], None]) -> Numbers:
        """Trains to the end and returns the last evaluation's means."""
        self.ask_ahead()
        return super().train(log, tick)

    def ask_ahead(self) -> None:
        """Asks the judge of placing each object of the training homes at each known place, or some of that drawn at
        random; no decision is counted."""
        if self.source is None:
            return
        assert isinstance(self.source, RewardShifter)  # it has to wait for the judge
        pairs = [(o, p) for o in self.asked.objects for p in self.asked.places]
        some = np.random.default_rng([self.seed, 4]).permutation(len(pairs))[: self.config.questions]
        pairs = [pairs[i] for i in sorted(some.tolist())]
        decisions = [Decision("place", o, *split_place(p)) for o, p in pairs]
        said = self.source(decisions, [Skill(Kind.PLACE)] * len(pairs)).delta
        for (o, p), shift in zip(pairs, said.tolist(), strict=True):
            self.values.add_shift(self.vocabulary.object_index[o], self.vocabulary.place_index[p], shift)
        self.values.fit(self.source.weight)

    def _epsilon(self) -> float:
        return self.hyper.epsilon(self.skills)

    def _step(self, losses: list[float]) -> float:
        if self.task.steps == 0:
            self._lay, self._returned = {}, 0.0
        self.acting.epsilon = self._epsilon()
        skill = self.acting(self.task, candidates(self.task))
        if skill is None:
            self._returned += self.task.leave_off()
            self._ended()
            return 0.0
        outcome, shift = self._run(skill)
        self.skills += 1
        self._returned += outcome.reward
        if self.source is not None and skill.kind in (Kind.PICK, Kind.PLACE):
            said = shift if skill.kind is Kind.PLACE else -shift
            self.values.add_shift(*self._pair(skill.item, skill.receptacle), said)
        if skill.kind is Kind.PICK and not outcome.failure:
            self._lay.setdefault(skill.item, skill.receptacle)
        if self.task.over:
            self._ended()
        return shift

    def _ended(self) -> None:
        """Remembers what the episode returned for what was moved in it."""
        moves: list[Moved] = []
        for item, lay in self._lay.items():
            on = self.task.memory.item_on[item]
            object, here = self._pair(item, lay)
            moves.append((object, here, None if on is None else self._pair(item, on)[1]))
        self.values.episodes.append((moves, self._returned))
        if self.values.due:
            self.values.fit(1.0 if self.source is None else self.source.weight)

    def _pair(self, item: int, receptacle: int) -> tuple[int, int]:
        """The object and the place by their numbers in the vocabulary."""
        episode, words = self.task.episode, self.vocabulary
        category, place = episode.items[item].category, episode.receptacles[receptacle].place
        return words.object_index[category], words.place_index[place]

    def _policy(self, rng: np.random.Generator) -> MovePolicy:
        return MovePolicy(lambda: self.values(*self.words), self.vocabulary, rng, self.hyper.least_gain)

    def _state(self) -> dict[str, Any]:
        values = self.values.state_dict()
        learned = {name: torch.from_numpy(a) for name, a in values.pop("learned").items()}
        kinds = {"objects": self.features.objects, "places": self.features.places}
        names = {name: kind.names for name, kind in kinds.items()}
        projections = {name: torch.from_numpy(np.ascontiguousarray(k.projection)) for name, k in kinds.items()}
        return {"moves": {"learned": learned, "projections": projections, "rest": json.dumps([names, values])}}

    def _load_state(self, state: dict[str, Any]) -> None:
        _, values = read_state(state)
        self.values.load_state_dict(values)


def read_state(state: dict[str, Any]) -> tuple[PairFeatures, dict[str, Any]]:
    """The words' features, and the state of the values, in a checkpoint's content."""
    names, values = json.loads(state["moves"]["rest"])
    kinds = {kind: WordFeatures(tuple(n), state["moves"]["projections"][kind].numpy()) for kind, n in names.items()}
    values["learned"] = {name: tensor.numpy() for name, tensor in state["moves"]["learned"].items()}
    return PairFeatures(**kinds), values


def load_policy(content: bytes, vocabulary: Vocabulary, encoder: Encoder, rng: np.random.Generator) -> MovePolicy:
    """The policy of a checkpoint, in homes with the words of `vocabulary`."""
    features, state = read_state(torch.load(io.BytesIO(content), weights_only=True))
    words = features(vocabulary, encoder)
    values = MoveValues(MoveConfig(), *words)
    values.load_state_dict(state)
    return MovePolicy(lambda: values(*words), vocabulary, rng, values.config.least_gain)
