"""What every command that trains with a judge can be told about the judge."""

from dataclasses import dataclass
from pathlib import Path

from lmgt_core.audit.demands import AUTO


@dataclass(frozen=True)
class JudgeConfig:
    """Which judge shifts the reward, how, and how far it is trusted."""

    judge: str = "oracle"
    """none, neutral, random, oracle, noisy-oracle:P, minilm, smollm2, hf:MODEL, openai:MODEL@URL, ..."""
    rule: str = "raw"
    """How judgments become shifts: raw, continuous, centered, annealed, annealed:exponential."""
    scale: float = 1.0
    """Size of a shift, in units of reward."""
    gate: bool = True
    """Audit the judge first and let it speak only where it is precise enough; --no-gate lets it always speak."""
    min_precision: float | str = AUTO
    """The precision that a verdict needs to be let through, or one for each: good=.75,bad=.75;
    auto: .75, but .5 for good where the rate of play is known."""
    strategy: str = "zero-shot"
    """Prompt strategy: the name of a template in the app's prompts, or in --prompts."""
    prompts: Path | None = None
    """A folder of your own prompt templates."""
    documents: Path | None = None
    """What --strategy retrieval reads: a folder of .txt or .md files (default: the app's own manuals)."""
    judge_ahead: bool = False
    """Judge in a background thread while the world steps; the numbers are the same."""
    cache: Path | None = None
    """Where judgments are kept (default: judgments.sqlite in --out)."""
    watch: float = 0.0
    """Compare so large a share of the decisions with the truth while training, and silence a verdict that no longer has
    its precision; privileged (0: never)."""
