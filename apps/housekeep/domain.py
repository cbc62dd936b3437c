"""What Housekeep lends to guidance: homes, the labels of audits, and descriptions of picks and places."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.housekeep.agent.features import Vocabulary
from apps.housekeep.config import BUILTIN, ActionSpace, Algorithm
from apps.housekeep.describe import FACTS, Decision, DecisionDescriber, describe
from apps.housekeep.describe_arrays import PrimitiveDescriber
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.knowledge.judges import DOMAIN, knowledge, make_context
from apps.housekeep.knowledge.labels import TRAIN, Labels
from apps.housekeep.oracle import PICK, PLACE
from apps.housekeep.probes import probe_set, random_play
from lmgt_core.audit.audit import Probe
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Domain, Render
from lmgt_core.guidance.shift_source import Describe, one_by_one
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import JudgeContext
from lmgt_core.judging.strategies import load_strategy
from lmgt_core.rules.cards import Seam
from lmgt_core.rules.make import ADVISED

PROMPTS = Path(__file__).parent / "prompts"
PROBES = 1200  # at most, about validation objects
PROBES_OF_TRAIN = 400
SEAMS: Mapping[Algorithm, tuple[Seam, ...]] = {  # that a learner serves
    "drrn": (Seam.REWARD, Seam.AGENT),
    "moves": (Seam.REWARD,),
    "dqn": (Seam.REWARD,),
    "ppo": (Seam.REWARD,),
}


@dataclass(frozen=True, eq=False)
class HousekeepDomain:
    """The homes of `episodes`, and a robot that acts in them by skills or by primitive actions.

    `labels` say where objects belong; audits ask about objects that the judge was not fitted to, never about test ones.
    `vocabulary` is the one that numbers the words of primitive observations.
    """

    labels: Labels
    episodes: Sequence[Episode]
    vocabulary: Vocabulary
    action_space: ActionSpace = "skills"
    prompts: Path | None = None
    documents: Path | None = None
    env: str = BUILTIN

    @property
    def name(self) -> str:
        return f"{DOMAIN}/{self.env}"

    def context(self) -> JudgeContext:
        """The expert, who reads the episodes' truth, and the judges that are fitted to labels of train objects."""
        return make_context(self.labels, self.episodes)

    def describer(self, silent: bool = False) -> Describe:
        """The describer of what the learner of the action space hands in; words cost nothing, asked for or not."""
        return one_by_one(DecisionDescriber() if self.action_space == "skills" else PrimitiveDescriber(self.vocabulary))

    def template(self, strategy: str) -> PromptTemplate:
        """The template of a strategy, in --prompts or among the app's."""
        return load_strategy(self.prompts or PROMPTS, strategy, self.documents, facts=FACTS)

    def probes(self, render: Render, rng: np.random.Generator) -> Sequence[Probe]:
        """Questions about validation objects, then some about train objects; their labels never come from episodes.

        An audit leaves out the train objects where the judge was fitted to them; for others, more objects prove more.
        """
        known = probe_set(self.labels, render, rng, PROBES)
        return known + probe_set(self.labels, render, rng, PROBES_OF_TRAIN, TRAIN)

    def play_rates(self) -> PlayRates:
        """How often right is to pick and to place for a robot that does both at random, from train objects' labels."""
        return random_play(self.labels)

    def questions(self) -> Iterator[Description]:
        """Every pick and place that can come up in the episodes: a scene's objects at all of its places."""
        asked: set[Decision] = set()
        for scene in sorted({episode.scene for episode in self.episodes}):
            here = [episode for episode in self.episodes if episode.scene == scene]
            objects = sorted({item.category for episode in here for item in episode.items})
            places = sorted({(r.category, r.room) for episode in here for r in episode.receptacles})
            for decision in (Decision(kind, o, *place) for kind in (PICK, PLACE) for o in objects for place in places):
                if decision not in asked:
                    asked.add(decision)
                    yield describe(decision)

    def read(self, state: str, action: str) -> Description:
        """The pick or place that `object, receptacle, room` (without the room where there is none) and action name."""
        words = [part.strip().replace("'", "").replace(" ", "_") for part in state.split(",")]
        if not 2 <= len(words) <= 3 or not all(words[:2]):
            raise UserError(f"--state {state!r}: give object, receptacle and room, like 'toaster, counter, kitchen'")
        if (kind := action.strip().lower()) not in (PICK, PLACE):
            raise UserError(f"--action {action!r}: give {PICK} or {PLACE}")
        return describe(Decision(kind, *words, *[""][len(words) - 2 :]))


def make_domain(env: str = BUILTIN, prompts: Path | None = None, documents: Path | None = None) -> Domain:
    """The domain of an episode file, a folder of them, or of `builtin` homes, without human votes."""
    env = env or BUILTIN
    episodes = load_many((env,))
    vocabulary = Vocabulary.of(episodes)
    return HousekeepDomain(knowledge(None, None), episodes, vocabulary, "skills", prompts, documents, env)


def fading_horizon(rule: str, steps: int, horizon: int | None = None) -> int:
    """Decisions after which a judge that fades has no say in a training of `steps`: `horizon` where it is given.

    Else `annealed` takes the whole training, and `pies` and `adops` half of it: they act on a judge that has not faded,
    whatever the values have learnt.
    """
    if horizon is not None:
        return horizon
    return max(steps // 2, 1) if rule in ADVISED else steps
