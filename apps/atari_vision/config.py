"""What the commands on pictures can be told."""

from dataclasses import dataclass
from pathlib import Path


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
    seed: int = 0
    out: Path = Path("runs/compare")
    """A new folder for rows.json and what was trained."""
    json: Path | None = None
    """Write the rows there as well."""


@dataclass(frozen=True)
class CaptionerTrainConfig:
    """Train a small captioner of one world on frames whose description is known; use it as trained:FILE."""

    env: str = "Blackjack-box"
    """The world."""
    frames: int = 1500
    """Different frames; a fifth of them is held out and reports the exact match."""
    epochs: int = 15
    seed: int = 0
    out: Path = Path("captioner.npz")
    """The captioner's file, which must not be there yet."""
