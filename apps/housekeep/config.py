"""What the Housekeep commands can be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, Suppress, arg

from captioners.models.llava_config import LlavaTrainConfig
from lmgt_core.training.config import TrainingConfig

BUILTIN = "builtin"
ActionSpace = Literal["skills", "primitive"]
Algorithm = Literal["drrn", "moves", "dqn", "ppo"]
EpisodeFiles = Annotated[tuple[str, ...], arg(aliases=("--env",))]  # they are the world of every Housekeep command
OLD_FLAGS: Mapping[str, str] = {"--control": "--action-space"}
RENAMED: Mapping[str, str] = {"control": "action_space"}  # settings in run folders of before 0.2


@dataclass(frozen=True, kw_only=True)
class LabelsConfig:
    """What is known of where things belong: judges are fitted to it and audited on it."""

    votes: Path | None = None
    """Human votes (the benchmark's data.npy); default: the built-in common-sense table."""
    splits: Path | None = None
    """Object splits (YAML) that go with --votes."""


@dataclass(frozen=True, kw_only=True)
class StrictConfig:
    """How episode files are read."""

    strict: bool = False
    """Refuse a file for the first episode that is not written as it should be (default: leave out what cannot be used,
    read the rest, and say so)."""


@dataclass(frozen=True, kw_only=True)
class SimulatorConfig:
    """Which world the robot acts in."""

    simulator: Literal["mujoco", "habitat"] = "mujoco"
    """mujoco: boxes inferred from the episodes, runs anywhere; habitat: the benchmark's scenes on habitat-sim."""
    habitat_python: Path | None = None
    """The interpreter of an environment with habitat_sim (default: this one, if it has it)."""
    root: Path | None = None
    """A folder laid out as the benchmark describes (see lmgt housekeep data); without it everything is made of
    boxes."""


@dataclass(frozen=True)
class TrainConfig(TrainingConfig, LabelsConfig, SimulatorConfig, StrictConfig):
    """Train an agent to tidy, with a judge shifting its reward."""

    env: Suppress[str] = ""  # --env is another name of --episodes here, since a training may take several files
    judge: str = "minilm"
    """none, neutral, random, oracle, noisy-oracle:P, minilm, preference, scripted:FILE, ..."""
    rule: str = "raw"
    """How judgments become shifts: raw, continuous, centered, annealed, annealed:exponential; skills also know
    lookahead (evaluations in training ask the judge, too; no evaluate or watch afterwards), pies, adops."""
    horizon: int | None = None
    """Decisions after which a judge that fades has no say (default: --steps; half of them for pies and adops)."""
    scale: float = 1.0
    """Size of a shift, in units of reward (one object put right is 1)."""
    episodes: EpisodeFiles = (BUILTIN,)
    """Episode files (<Scene>.json.gz of the benchmark, or your own), folders of them, or `builtin`."""
    select: str | None = None
    """Positions to take of each file, like 0:800 (default: all); an episode that is left out keeps its position."""
    evaluate_episodes: tuple[str, ...] = ()
    """Episodes for the learning curve (default: the training files)."""
    evaluate_select: str | None = None
    """Positions of the evaluation episodes in each file, like 800:1000."""
    evaluate_count: int = 20
    """How many of them, evenly spread, each point of the learning curve uses."""
    evaluate_every: int | None = 1000
    """Decisions between two points of the learning curve."""
    reward: Literal["sparse", "dense"] = "sparse"
    """sparse: once, at the end, objects right minus objects right at the start; dense: the same as changes."""
    action_space: ActionSpace = "skills"
    """skills: look, explore, go, pick, place; primitive: the benchmark's six actions."""
    algorithm: Algorithm = "drrn"
    """For skills: drrn scores every skill by a network; moves learns what it is worth to move an object somewhere, from
    shifts and returns, and carries over to other homes. For primitive: dqn or ppo (Stable-Baselines3)."""
    questions: int = 20_000
    """At most so many questions the judge is asked before a training of moves: whether the homes' objects belong at the
    places that homes or labels name (a slow judge: fewer)."""
    envs: int = 1
    """Homes that act side by side, each in a process of its own (skills): for several cores. Other numbers than with
    one home, as the network learns from decisions that are a round older."""
    steps: int = 4000
    """Decisions to train for: skills or primitive actions."""
    out: Path = Path("runs/housekeep")
    """The run directory."""
    checkpoint_every: int = 1000
    """Decisions between two checkpoints (taken at the end of an episode)."""


@dataclass(frozen=True)
class EvaluateConfig(SimulatorConfig, StrictConfig):
    """Evaluate policies: runs, and always `nothing` and `random` beside them; no shift."""

    policies: Positional[tuple[str, ...]]
    """Run directories (every seed of each), `nothing`, `random`; plan:JUDGE plans with a judge instead of learning."""
    strategy: str = "zero-shot"
    """The template that plan:JUDGE asks with, like belongs."""
    episodes: EpisodeFiles = (BUILTIN,)
    """Episode files, folders of them, or `builtin`."""
    select: str | None = None
    """Positions to take of each file, like 800:1000 (default: all)."""
    votes: Path | None = None
    """Human votes; with them, soft score and rearrange quality are reported too."""
    splits: Path | None = None
    """Object splits (YAML) that go with --votes: what plan:JUDGE's judge is then fitted to (default: the built-in
    table)."""
    seed: int = 0
    """Of the random policy and of the bootstrap intervals; the first of five for plan:JUDGE with a judge that draws
    lots."""
    patience: int | None = None
    """An episode ends when a policy has explored all and then only looked and gone about for so many skills (default:
    never before 1000 steps, as in training)."""
    workers: int = 1
    """Policies and seeds evaluated at the same time."""
    json: Path | None = None
    """Write the table's rows there as well."""


@dataclass(frozen=True)
class AuditConfig(LabelsConfig):
    """Measure how well judges know where things belong."""

    judge: tuple[str, ...] = ("minilm", "preference")
    """Judges to measure; random and popularity rows are always there."""
    json: Path | None = None
    """Write the table's rows there as well."""


@dataclass(frozen=True)
class WatchConfig(SimulatorConfig, StrictConfig):
    """Record a video of a policy."""

    policy: Positional[str]
    """A run directory, or `random`."""
    episodes: EpisodeFiles = ()
    """Episode files (default: the run's own evaluation episodes)."""
    episode: int = 0
    """Position of the episode in the file."""
    seed: int = 0
    """Which of the run's seeds."""
    judge: str | None = None
    """Whose verdicts are shown (default: the run's judge)."""
    out: Path = Path("tidy.mp4")
    """The video: .mp4, .gif, or .webp (a small clip)."""
    size: int = 252
    """Height and width of the first-person view, in pixels."""
    captioner: str = "objects"
    """What says what the view shows: objects (privileged: reads the semantic sensor), llava:MODEL, openai:MODEL@URL."""


@dataclass(frozen=True)
class CompareConfig(LabelsConfig, SimulatorConfig, StrictConfig):
    """Should a judge read a caption of the robot's view, or see the view? Every arm answers the same questions."""

    episodes: EpisodeFiles = (BUILTIN,)
    """Episode files, folders of them, or `builtin`."""
    select: str = "80:"
    """Positions of the episodes of each file whose frames are asked about."""
    train_select: str = ":80"
    """Positions of the episodes whose frames `trained` and `distilled` without a file learn from; never the same."""
    frames: int = 100
    """Different frames, of play that is half random and half an expert's; half of them with an empty hand."""
    caption: str = "objects,trained"
    """Captioners, divided by commas: objects[?limit=N] (privileged: reads the semantic sensor; the N largest things),
    trained[:FILE], llava:MODEL, openai:MODEL@URL."""
    text_judge: str = "oracle"
    """Who judges the captions: oracle (privileged: knows where things belong), minilm, preference, hf:MODEL, ..."""
    direct: str = "distilled"
    """Judges that see the frame, divided by commas: hf:MODEL, openai:MODEL@URL, distilled[:FILE]; "" for none."""
    teacher: str = "oracle"
    """Whose judgments `distilled` without a file learns from."""
    train_frames: int = 600
    """Frames that `trained` and `distilled` without a file learn from."""
    epochs: int = 15
    """Of that training."""
    size: int = 168
    """Height and width of the frames, in pixels."""
    seed: int = 0
    out: Path = Path("runs/housekeep-compare")
    """A new folder for rows.json, report.html and what was trained."""
    figures: Path | None = None
    """A folder that the report's figures are written to as well, each as an SVG file."""
    json: Path | None = None
    """Write the rows there as well."""


@dataclass(frozen=True)
class CaptionerConfig(LlavaTrainConfig, LabelsConfig, SimulatorConfig, StrictConfig):
    """Train a LLaVA from scratch on frames of homes, to describe the robot's view and to judge picks and places.

    Use it as llava:FOLDER (captions) and hf:FOLDER (judge), as in lmgt housekeep compare. It is trained on labels.
    """

    episodes: EpisodeFiles = (BUILTIN,)
    """Episode files, folders of them, or `builtin`."""
    select: str = "80:"
    """Positions of the episodes of each file whose frames it is measured on."""
    train_select: str = ":80"
    """Positions of the episodes whose frames it learns from, a tenth of them for validation; never the same."""
    frames: int = 200
    """Frames that it is measured on."""
    train_frames: int = 3000
    """Different frames that it learns from."""
    pixels: int = 168
    """Height and width of the frames."""
    out: Path = Path("home-llava")
    """The LLaVA's folder, which must not be there yet."""


@dataclass(frozen=True)
class GenerateConfig:
    """Write episodes of generated apartments."""

    out: Path = Path("episodes")
    """The folder to write to."""
    scenes: int = 3
    episodes: int = 100
    """Episodes a scene."""
    seed: int = 0


@dataclass(frozen=True)
class DataConfig(StrictConfig):
    """Check a folder with the benchmark's 3D data, for --root: what is there, what is missing, how to get it."""

    root: Path
    """The folder that holds the benchmark's data/."""
    episodes: tuple[str, ...] = ()
    """Episode files that matter (default: those under the root)."""
    build: bool = False
    """Build the room shells that can be built, from iGibson's meshes of walls, floors and ceilings."""
    json: Path | None = None
    """Write the table's rows there as well."""
