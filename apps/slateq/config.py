"""The settings that the recommendation commands share: users, documents, and what judges are asked.

Parameters of the worlds have RecSim's names (package recsim 0.2.4) and its defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apps.slateq.user_ranges import user_ranges
from lmgt_core.audit.demands import AUTO
from lmgt_core.errors import UserError

Environment = Literal["interest-evolution", "interest-exploration", "long-term-satisfaction"]
ChoiceModelName = Literal[
    "multinomial-proportional", "multinomial-logit", "proportional-cascade", "exponential-cascade", "first"
]
UserModel = Literal["utility", "distribution"]
JudgeUnit = Literal["item", "slate"]

RENAMED: Mapping[str, str] = {"policy": "algorithm", "environment": "env"}  # settings in run folders of before 0.2
OLD_FLAGS: Mapping[str, str] = {f"--{old}": f"--{new}" for old, new in RENAMED.items()}  # still read by every command

SESSION_STEPS = 27_000  # the limit of RecSim's own runner, so none that a session of its users reaches


@dataclass(frozen=True)
class EvolutionConfig:
    """Interest evolution (Ie et al. 2019, arXiv 1905.12767, section 6): one-hot topics, interests that move."""

    no_click_mass: float = 1.0
    """Affinity of choosing nothing."""
    min_normalizer: float = -1.0
    """Subtracted from affinities by the proportional choice models; at most the least affinity."""
    score_scaling: float | None = None
    """Cascade models: probability of a click for each unit of score (default .05)."""
    attention_prob: float | None = None
    """Cascade models: probability of looking at the next document (default .65; .9 for distribution users)."""
    step_penalty: float | None = None
    """Minutes that a slate without a click costs (default .5; 1 for distribution users)."""
    user_update_alpha: float | None = None
    """Minutes gained for a minute watched, for each unit of utility (default .9 / 3.4; 0 for distribution users)."""
    user_quality_factor: float | None = None
    """Weight of the clicked document's score in its utility (default 0; 1 for distribution users)."""
    document_quality_factor: float = 1.0
    """Weight of the clicked document's quality in its utility."""
    alpha_x_intercept: float = 1.0
    """Interest at which interests no longer move."""
    alpha_y_intercept: float = 0.3
    """How far an interest of 0 moves, as a share of the way."""
    min_utility: float = -3.0
    """Mean quality of the worst topic; 70 % of the topics lie evenly from there to 0."""
    max_utility: float = 3.0
    """Mean quality of the best topic; the others lie evenly from 0 to there."""
    quality_stddev: float = 0.1
    """Spread of quality within a topic; fixed in RecSim, which calls it a variance."""
    video_length: float = 4.0
    """Minutes."""


@dataclass(frozen=True)
class ExplorationConfig:
    """Interest exploration (Ie et al. 2019, arXiv 1909.04847, section 5): hidden tastes, topics of mass appeal."""

    no_click_mass: float = 5.0
    """Affinity of choosing nothing."""
    user_type_distribution: tuple[float, ...] = (0.3, 0.7)
    topic_distribution: tuple[float, ...] = (0.2, 0.8)
    user_document_mean_affinity: tuple[tuple[float, ...], ...] = ((0.1, 0.7), (0.7, 0.1))
    """Of the logarithm, for each user type and topic."""
    user_document_stddev_affinity: tuple[tuple[float, ...], ...] = ((0.1, 0.1), (0.1, 0.1))
    topic_quality_mean: tuple[float, ...] = (0.8, 0.2)
    """Of the logarithm."""
    topic_quality_stddev: tuple[float, ...] = (0.1, 0.1)


@dataclass(frozen=True)
class SatisfactionConfig:
    """Long-term satisfaction, or chocolate and kale (Ie et al. 2019, arXiv 1909.04847, section 5)."""

    memory_discount: float = 0.7
    sensitivity: float = 0.01
    innovation_stddev: float = 0.05
    choc_mean: float = 5.0
    choc_stddev: float = 1.0
    kale_mean: float = 4.0
    kale_stddev: float = 1.0


@dataclass(frozen=True)
class WorldConfig:
    """The users, the documents and how a slate is chosen from."""

    env: Environment = "interest-evolution"
    """The world."""
    simulator: Literal["vectorised", "recsim"] = "vectorised"
    """vectorised: NumPy, many users at a time; recsim: the package itself, one user at a time."""
    candidates: int = 10
    """Documents to choose a slate from."""
    slate: int = 3
    """Documents shown at a time."""
    user_model: UserModel = "utility"
    """Interest evolution: RecSim's sampler of users, utility (the SlateQ paper's) or distribution."""
    choice_model: ChoiceModelName | None = None
    """Default: the environment's own (multinomial-proportional, multinomial-logit, first)."""
    users_ranges: tuple[str, ...] = ()
    """Interest evolution: users that differ. default (see the app's README), or NAME=LOW:HIGH for any of no_click_mass,
    step_penalty, user_update_alpha, alpha_y_intercept, budget, attention_prob, score_scaling: each user draws one."""
    budget: float | None = None
    """Of a session: minutes in interest evolution (default 200; 30 for distribution users), documents in long-term
    satisfaction (default 60); interest exploration has none."""
    session_steps: int | None = None
    """Slates after which a session is cut (default: 100 in interest exploration, which has no end, else 27,000)."""
    resample_documents: bool = True
    """New candidates for every slate; --no-resample-documents gives a user the same ones for ever."""
    evolution: EvolutionConfig = EvolutionConfig()
    exploration: ExplorationConfig = ExplorationConfig()
    satisfaction: SatisfactionConfig = SatisfactionConfig()


@dataclass(frozen=True)
class AuditConfig:
    """Ask judges about topics whose true quality is known."""

    judge: tuple[str, ...] = ("minilm", "oracle")
    env: Environment = "interest-evolution"
    """The world."""
    judge_unit: JudgeUnit = "item"
    vocabulary: tuple[str, ...] = ("builtin", "shuffled")
    """The topics' names: builtin, shuffled or shuffled:SEED (a control), or files of one name a line, worst first."""
    strategy: str = "zero-shot"
    prompts: Path | None = None
    """A folder of your own prompt templates."""
    documents: Path | None = None
    """What --strategy retrieval reads: a folder of .txt or .md files."""
    min_precision: float | str = AUTO
    """The precision that the gate demands of every verdict, or of each its own: good=.75,bad=.75;
    auto: .75, but .5 for good where the rate of play is known."""
    cache: Path | None = None
    """A file of judgments: what is in it is not asked again, and what is asked is added."""
    json: Path | None = None
    """Write the rows there as well."""


def check_world(config: WorldConfig) -> None:
    """UserError naming the first flag whose value no world can be made of."""
    n, k, steps = config.candidates, config.slate, config.session_steps
    if n < 1:
        raise UserError(f"--candidates {n}: there has to be at least one document to choose from")
    if not 1 <= k <= n:
        raise UserError(
            f"--slate {k}: a slate holds 1 to {n} documents, so many are there to choose from (--candidates)"
        )
    if steps is not None and steps < 1:
        raise UserError(f"--session-steps {steps}: a session has at least one slate")
    if config.budget is not None and not 0 < config.budget < float("inf"):
        raise UserError(f"--budget {config.budget:g}: a session has a finite budget above 0")
    if config.budget is not None and config.env == "interest-exploration":
        raise UserError("--budget: interest-exploration has no budget; --session-steps ends its sessions")
    if config.user_model != "utility" and config.env != "interest-evolution":
        raise UserError(f"--user-model {config.user_model}: only interest-evolution has a choice of users")
    ranges = user_ranges(config.users_ranges)
    if ranges and (config.env != "interest-evolution" or config.simulator == "recsim"):
        raise UserError("--users-ranges: only users of interest-evolution, vectorised, can differ in parameters")
    if "no_click_mass" in ranges and ranges["no_click_mass"].low < config.evolution.min_normalizer:
        raise UserError(
            f"--users-ranges no_click_mass={ranges['no_click_mass'].low:g}:...: must not be under "
            f"--evolution.min-normalizer ({config.evolution.min_normalizer:g})"
        )
    takes_first = config.env == "long-term-satisfaction"
    if config.choice_model is not None and (config.choice_model == "first") != takes_first:
        raise UserError(f"--choice-model {config.choice_model}: users choose the first in long-term-satisfaction only")
