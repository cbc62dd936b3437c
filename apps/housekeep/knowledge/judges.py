"""The judges of Housekeep: what they know, and how they are made from their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

from apps.housekeep.episodes.episode import Episode
from apps.housekeep.knowledge.labels import TRAIN, Labels, labels_from_table, labels_from_votes
from apps.housekeep.knowledge.minilm_pairs import PUBLISHED, PairTemplate, calibrate, choose, pairing
from apps.housekeep.knowledge.preference import PreferenceJudge, RidgePreference
from apps.housekeep.oracle import FirstTruth, Truth, truth_from_episodes, verdict
from lmgt_core.errors import UserError
from lmgt_core.judges.minilm import MiniLMEncoder, MiniLMJudge
from lmgt_core.judges.score_thresholds import Calibration
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.registry import JudgeContext

DOMAIN = "housekeep"
RECORDINGS = Path(__file__).parents[1] / "recorded"


def knowledge(votes: Path | None, splits: Path | None) -> Labels:
    """The labels of --votes and --splits; without them, those of the built-in common-sense table."""
    if votes is None and splits is None:
        return labels_from_table()
    if votes is None or splits is None:
        raise UserError("--votes and --splits go together: the votes of people, and which objects are for training")
    return labels_from_votes(votes, splits)


def make_context(labels: Labels, episodes: Sequence[Episode] = (), seed: int = 0) -> JudgeContext:
    """What Housekeep's judges are made from; the expert reads the episodes' truth, then the labels'."""
    judges = HousekeepJudges(labels)
    truth: Truth = FirstTruth([truth_from_episodes(episodes), labels.truth]) if episodes else labels.truth
    return JudgeContext(
        domain=DOMAIN,
        oracle=partial(verdict, truth=truth),
        oracle_id=truth.digest,
        make={"minilm": judges.minilm, "preference": judges.preference},
        seed=seed,
        recordings=RECORDINGS,
    )


@dataclass(frozen=True)
class HousekeepJudges:
    """Makes the judges that are fitted to labels of train objects; what is slow is done when first asked for."""

    labels: Labels

    @cached_property
    def model(self) -> RidgePreference:
        """The preference of the train objects' labels."""
        return RidgePreference.fit(MiniLMEncoder.load(), self.labels.train)

    def minilm(self, argument: str) -> Judge:
        """`minilm`: templates chosen on train objects; `minilm:published`: those of the published zero-shot score."""
        if argument not in ("", "published"):
            raise UserError(f"--judge minilm:{argument}: use minilm or minilm:published")
        encoder = MiniLMEncoder.load()
        template, calibration = _pairs_of(self.labels.train, published=argument == "published")
        return MiniLMJudge(encoder, pairing(template), calibration, DOMAIN, template.name, self.labels.splits[TRAIN])

    def preference(self, argument: str) -> Judge:
        """`preference`, or `preference:held-out`: train objects are judged by models that have not seen them."""
        if argument not in ("", "held-out"):
            raise UserError(f"--judge preference:{argument}: use preference or preference:held-out")
        return PreferenceJudge(self.model, DOMAIN, argument == "held-out", self.labels.splits[TRAIN])


@lru_cache(maxsize=4)
def _pairs_of(train: Labels, published: bool) -> tuple[PairTemplate, Calibration]:
    """The templates and thresholds for the labels of train objects; choosing takes seconds, and seeds share it."""
    encoder = MiniLMEncoder.load()
    return (PUBLISHED, calibrate(PUBLISHED, encoder, train)[0]) if published else choose(encoder, train)
