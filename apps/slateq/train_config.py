"""The settings of `lmgt slateq train` and `lmgt slateq evaluate`."""

from dataclasses import dataclass, replace
from pathlib import Path

from apps.slateq.config import OLD_FLAGS as OLD_FLAGS  # read by the command line
from apps.slateq.config import JudgeUnit, WorldConfig
from apps.slateq.policies import learned_policy
from lmgt_core.training.config import TrainingConfig


@dataclass(frozen=True)
class AgentConfig:
    """How the learned policies learn; chosen on training seed 100, which no reported run uses.

    What is None has one default for the paper's policies and another for the -N ones, given in brackets.
    """

    gamma: float | None = None
    """Discount of a step (.99; -N: 1, but .99 in interest-exploration, whose sessions have no end)."""
    multi_step: int | None = None
    """Steps of a target (1; -N: 4)."""
    history: bool | None = None
    """The policy also sees what happened in the session so far (no; -N: yes)."""
    dueling: bool | None = None
    """Learn what all items share apart from their differences (no; -N: yes)."""
    double: bool = False
    """Choose the target's slates by the online network."""
    hidden: tuple[int, ...] = (128, 128)
    """Units of the item network's layers."""
    learning_rate: float = 1e-3
    batch_size: int = 512
    updates: int = 2
    """Gradient steps for each step of all --users."""
    target_rate: float = 0.01
    """Of the target network's Polyak averaging, for each gradient step."""
    replay: int = 50_000
    """Steps that are remembered."""
    warm_up: int = 2_000
    """Steps before the first gradient step."""
    epsilon: float = 0.05
    """Share of random slates once exploration has fallen from 1."""
    epsilon_share: float = 0.2
    """Share of the training during which it falls."""
    value_scale: float = 50.0
    """Size of values: what the network's output is multiplied by, and errors are divided by."""


@dataclass(frozen=True)
class TrainConfig(WorldConfig, TrainingConfig):
    """Train a recommendation policy on simulated users, with or without a judge shifting its reward."""

    algorithm: str = "QL-OT-GS"
    """SARSA-TS, SARSA-GS, QL-TT-TS, QL-GT-GS, QL-OT-TS, QL-OT-GS, QL-OT-OS, each also with -N (no click is valued as an
    item of its own); tabular, tabular-N, full-slate."""
    judge: str = "none"
    """none, neutral, random, oracle, noisy-oracle:P, minilm, smollm2, hf:MODEL, openai:MODEL@URL, ..."""
    judge_unit: JudgeUnit = "item"
    """item: the clicked document is judged; slate: the whole slate is. Without a click nothing is judged."""
    vocabulary: str = "builtin"
    """The topics' names: builtin, shuffled or shuffled:SEED (a control), or a file of one name a line, worst first."""
    scale: float = 1.0
    """Size of a shift, in units of reward (minutes watched in interest evolution)."""
    steps: int = 300_000
    """Slates served in training, over all users."""
    users: int = 128
    """Users served at a time."""
    out: Path = Path("runs/slateq")
    """The run directory."""
    evaluate_episodes: tuple[int, ...] = ()
    """Also evaluate when so many training sessions have ended, like 10 50 500 5000."""
    evaluate_users: int = 500
    """Sessions of each evaluation; the same users every time."""
    checkpoint_every: int = 100_000
    """Steps between two checkpoints."""
    agent: AgentConfig = AgentConfig()


def agent_of(config: TrainConfig) -> AgentConfig:
    """How the config's algorithm learns, with nothing left at None; UserError for an unknown one."""
    no_click = learned_policy(config.algorithm).valued_no_click
    defaults = {
        "gamma": 1.0 if no_click and config.env != "interest-exploration" else 0.99,
        "multi_step": 4 if no_click else 1,
        "history": no_click,
        "dueling": no_click,
    }
    return replace(config.agent, **{name: v for name, v in defaults.items() if getattr(config.agent, name) is None})


@dataclass(frozen=True)
class EvaluateConfig(WorldConfig):
    """Compare policies on the same simulated users; no shift is seen here."""

    policies: str = "Random,MYOP-GS,quality"
    """Names and run directories, separated by commas; differences are paired with the first. Random, MYOP-TS, MYOP-GS,
    MYOP-OS; popularity, UCB, Thompson (they learn from the users they serve here); quality (PRIVILEGED: knows each
    topic's true quality); a learned policy's name is trained first, in OUT/trained (NAME@MODEL: under users MODEL)."""
    users_model: str | None = None
    """Evaluate under each of these users, separated by commas: proportional, logit, cascade, exp-cascade, distribution;
    MODEL:drawn lets their parameters differ (--users-ranges). Policies given by name are trained under the first, whose
    choices the rules expect too; a run folder's policies expect those of its own training."""
    users: int = 5000
    """Sessions."""
    seed: int = 20_261
    """Of the users and of their luck; training uses others."""
    batch: int = 1000
    """Users simulated at a time (always 1 with --simulator recsim)."""
    out: Path | None = None
    """A folder for report.html and rows.json."""
    json: Path | None = None
    """Write the table's rows there as well."""
    train_steps: int = 300_000
    """For learned policies that are given by name."""
    train_seeds: tuple[int, ...] = (0,)
    """For learned policies that are given by name."""
