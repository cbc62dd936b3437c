"""What the commands on pictures can be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from captioners.models.llava_config import LlavaTrainConfig
from lmgt_core.training.config import TrainingConfig

ALGORITHMS = ("r2d2", "ngu", "dqn", "ppo")


OLD_FLAGS: Mapping[str, str] = {"--agent": "--algorithm"}


@dataclass(frozen=True)
class TrainConfig(TrainingConfig):
    """Train an agent on a game or a rendered table, with a judge of captions or frames shifting its reward."""

    env: str = "Pong"
    """Blackjack-box, Blackjack-cards, CartPole, Pong, Breakout, Freeway, Pitfall, MontezumaRevenge."""
    algorithm: str = "dqn"
    """r2d2, ngu (this project's), dqn, ppo (Stable-Baselines3)."""
    judge: str = "oracle"
    """none, neutral, random, oracle, noisy-oracle:P, smollm2, hf:MODEL, openai:MODEL@URL, distilled:FILE, ..."""
    captioner: str = "none"
    """What puts frames into words: none (the judge sees the frame), objects (privileged), ocr, trained:FILE,
    llava:MODEL, openai:MODEL@URL."""
    scale: float = 1.0
    """Size of a shift, in units of reward; games pay dqn and ppo the sign of their reward, before the shift."""
    audit_questions: int = 600
    """Questions of the audit, at most, about frames of play that is half the expert's and half random; 0: none."""
    steps: int = 100_000
    """Decisions to train for, of all copies of the world together; r2d2 and ngu round up to whole steps of all."""
    out: Path = Path("runs/atari")
    """The run directory."""
    resume: bool = False
    """Continue a run that was killed, or add seeds to it: r2d2 and ngu go on from their last checkpoint, dqn and ppo
    with whole seeds."""
    set: tuple[str, ...] = ()
    """Hyper-parameters of the agent other than this project's choice, like: --set actors=4 learning_rate=0.001."""
    evaluation_episodes: int | None = None
    """Episodes of an evaluation (default: 5 of a game, 20 of CartPole, 2000 of Blackjack)."""
    checkpoint_every: int | None = None
    """Decisions between two checkpoints of r2d2 and ngu (default: a tenth of --steps)."""
    limit: int | None = None
    """Most decisions of a game's episode, in training and evaluation (default: 27,000, half an hour of play)."""
    captions: Path | None = None
    """Where captions are kept (default: captions.sqlite in --out)."""


@dataclass(frozen=True)
class AskConfig:
    """Ask a judge about one picture: its caption, the prompt, the reply, the probabilities, the verdict."""

    frame: Path = Path("frame.png")
    """The picture: a file in a format that Pillow reads."""
    env: str = "Pong"
    """The world that it is a frame of."""
    action: str = "0"
    """The action: its number, its words, or an Atari action's name such as LEFT."""
    captioner: str = "none"
    """none (the judge sees the picture), ocr, trained:FILE, llava:MODEL, openai:MODEL@URL."""
    judge: str = "oracle"
    """oracle (reads captions of the world's own form), smollm2, hf:MODEL, openai:MODEL@URL, distilled:FILE, ..."""
    strategy: str = "zero-shot"
    """Prompt strategy: a template in apps/atari_vision/prompts/<world>, or in --prompts."""
    prompts: Path | None = None
    """A folder of your own prompt templates for the world."""
    rule: str = "raw"
    """How the judgment becomes a shift: raw, continuous, ..."""
    scale: float = 1.0
    """Size of a shift."""
    json: Path | None = None
    """Write the answer there as well."""


@dataclass(frozen=True)
class CompareConfig:
    """Should a judge read a caption of the frame, or see the frame? Every arm answers the same questions."""

    env: str = "Blackjack-box"
    """Blackjack-box, Blackjack-cards, CartPole, Pong, Breakout, Freeway, Pitfall, MontezumaRevenge."""
    frames: int = 500
    """Different frames that are asked about, none of them among those that trained a captioner or judge."""
    caption: str = "ocr,objects,trained"
    """Captioners, divided by commas: ocr, objects (privileged), trained[:FILE], llava:MODEL, openai:MODEL@URL."""
    text_judge: str = "oracle"
    """Who judges the captions; `oracle` reads the words as the world's expert would."""
    direct: str = "distilled"
    """Judges that see the frame, divided by commas: hf:MODEL, openai:MODEL@URL, distilled[:FILE]."""
    teacher: str = "oracle"
    """Whose judgments `distilled` without a file learns from."""
    train_frames: int = 1200
    """Frames of other episodes that `trained` and `distilled` without a file learn from."""
    epochs: int = 15
    """Of that training."""
    train_steps: int = 0
    """Decisions to train an agent for with each arm's judgments, and once with none; 0: none is trained."""
    algorithm: str = "dqn"
    """Which one: dqn, ppo, r2d2, ngu; the first two also play a part of the frames that are asked about."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of those trainings."""
    rule: str = "raw"
    """How judgments become shifts in them; every judge always speaks there, without a gate."""
    scale: float = 1.0
    """Size of a shift."""
    evaluation_episodes: int | None = None
    """Episodes of an evaluation (default: 5 of a game, 20 of CartPole, 2000 of Blackjack)."""
    set: tuple[str, ...] = ()
    """Hyper-parameters of the agent, as for lmgt atari train."""
    workers: int = 1
    """Seeds trained at the same time."""
    seed: int = 0
    held_out: bool = False
    """Ask only about the tenth of all frames that no LLaVA of `lmgt captioner train` has learnt from."""
    captions: Path | None = None
    """A file of captions: what is in it is not captioned again (default: captions.sqlite in --out)."""
    out: Path = Path("runs/compare")
    """A new folder for report.html, rows.json, and what was trained."""
    figures: Path | None = None
    """A folder that the report's figures are written to as well, each as an SVG file."""
    json: Path | None = None
    """Write the rows there as well."""


@dataclass(frozen=True)
class CaptionerTrainConfig(LlavaTrainConfig):
    """Train a captioner of one world on frames whose description is known: a small network, or a LLaVA from scratch.

    The LLaVA learns to judge as well as to describe: use it as llava:FOLDER (captions), hf:FOLDER (judge). Both are
    trained on labels.
    """

    env: str = "Blackjack-box"
    """The world; NAME-4 for the last four frames of one side by side, which show motion."""
    architecture: str = "network"
    """network (a file for trained:FILE), or llava (a Hugging Face folder: LlavaForConditionalGeneration)."""
    frames: int = 1500
    """network: different frames, a fifth of them held out to report the exact match; llava: frames of play that the
    model is measured on, at most (it learns from frames drawn on the fly)."""
    epochs: int = 15
    """Of the network."""
    out: Path = Path("captioner.npz")
    """The captioner's file, or the LLaVA's folder, which must not be there yet."""
