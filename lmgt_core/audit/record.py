"""`lmgt judge record|verify`: a model is asked once, its answers travel, and anybody can ask it again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from lmgt_core.audit.commands import JudgeTaskConfig, guided
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.guidance.domain import Domain
from lmgt_core.judges.recorded import SUFFIX, Recording, read_recording
from lmgt_core.judging.judge import Judge, ask_all
from lmgt_core.judging.judgment import VERDICTS, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.provenance import provenance

BATCH = 32  # questions between two steps of the progress bar; what was asked is kept after each


@dataclass(frozen=True)
class RecordConfig(JudgeTaskConfig):
    """Ask a judge the labelled questions of a task and everything that a training may ask, and keep the answers."""

    judge: str = "gguf:qwen2.5-coder-1.5b"
    strategy: str = "zero-shot"
    """name-only, zero-shot, few-shot, cot, retrieval, or another template of the app."""
    out: Path = Path("judgments.json.gz")
    """The file; use it with --judge recorded:FILE. An interrupted recording goes on from FILE.asked."""


@dataclass(frozen=True)
class VerifyConfig:
    """Ask the model of a file of recorded judgments again, and see how far its answers have moved."""

    file: Positional[Path]
    """A file of `lmgt judge record`."""
    sample: int = 50
    """Questions that are asked again, drawn evenly from the file."""
    judge: str = ""
    """Whom to ask (default: the judge that the file names)."""
    json: Path | None = None
    """Write the result there as well."""


def record(config: RecordConfig, domain: Domain) -> dict[str, Any]:
    """Asks, writes the file, prints what is in it and returns that."""
    if not config.out.name.endswith(SUFFIX):
        raise UserError(f"--out {config.out}: recorded judgments are kept in a file that ends in {SUFFIX}")
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new file")
    guidance = guided(config, config.judge, config.strategy, domain)
    if guidance.judge is None or guidance.method is not None:
        raise UserError(f"--judge {config.judge}: record the model as it is; calibrate when it is used")
    labelled = [probe.prompt for probe in guidance.labelled()[0]]
    everything = domain.questions()
    if everything is None:
        print(f"what can be asked in {domain.name} cannot be listed: only the audit's questions are recorded")
    prompts = {p.digest: p for p in labelled + [guidance.template.render(d) for d in everything or ()]}
    ordered = sorted(prompts.values(), key=lambda p: (p.system, p.user, p.digest))  # neighbours share most
    kept = config.out.with_name(f"{config.out.name}.asked")
    with JudgeCache(guidance.judge, config.cache or kept) as judge:
        answers = _asked(judge, ordered)
    about = {"judge": config.judge, "app": config.app, "env": config.env, "strategy": config.strategy}
    made = provenance()
    about |= {name: str(made[name]) for name in ("command", "git_revision", "platform")}
    readable = [(p, j) for p, j in zip(ordered, answers, strict=True) if j.verdict in VERDICTS]
    if not readable:
        raise UserError(f"--judge {config.judge}: answered none of {len(ordered)} questions; {answers[0].reason}")
    Recording(guidance.judge.id, guidance.judge.kind, about, readable).write(config.out)
    if config.cache is None:
        for left in kept.parent.glob(f"{kept.name}*"):
            left.unlink()
    seconds = float(np.median([j.cost.seconds for _, j in readable]))
    row = {"file": str(config.out), "judge": guidance.judge.id, "judgments": len(readable)}
    row |= {"unanswered": len(ordered) - len(readable), "seconds_per_judgment": seconds}
    row |= {"bytes": config.out.stat().st_size}
    _show(row, f"{config.out}: use it with --judge recorded:{config.out}", config.json)
    return row


def verify(config: VerifyConfig) -> dict[str, Any]:
    """Asks a sample again, prints how far the answers have moved and returns that."""
    if config.sample < 1:
        raise UserError(f"--sample {config.sample}: is 1 or more")
    recording = read_recording(config.file)
    name = config.judge or recording.about.get("judge", "")
    judge = make_judge(name, JudgeContext(recording.about.get("app", "")))
    if judge is None:
        raise UserError(f"--judge {name}: there is nobody to ask")
    chosen = np.linspace(0, len(recording.answers) - 1, min(config.sample, len(recording.answers))).round().astype(int)
    before = [recording.answers[i] for i in chosen.tolist()]
    after = _asked(judge, [prompt for prompt, _ in before])
    pairs = [(old, new) for (_, old), new in zip(before, after, strict=True)]
    moved = [_distance(old, new) for old, new in pairs]
    row = {
        "recorded": recording.id,
        "asked": judge.id,
        "questions": len(pairs),
        "same_verdict": sum(old.verdict is new.verdict for old, new in pairs),
        "unanswered": sum(new.verdict is Verdict.UNREADABLE for _, new in pairs),
        "mean_difference": float(np.mean(moved)),
        "largest_difference": float(np.max(moved)),
    }
    _show(row, f"{config.file}: asked again; differences are of probabilities, in [0, 1]", config.json)
    return row


def _asked(judge: Judge, prompts: Sequence[Prompt]) -> list[Judgment]:
    start = time.monotonic()
    with progress("questions", len(prompts)) as bar:
        answers = ask_all(judge, prompts, bar.advance, BATCH)
    print(f"{len(prompts) / max(time.monotonic() - start, 1e-9):,.1f} judgments a second")
    return answers


def _distance(old: Judgment, new: Judgment) -> float:
    """The largest difference of a probability; 1 for another verdict where one of them gives no probabilities."""
    if old.probabilities is None or new.probabilities is None:
        return float(old.verdict is not new.verdict)
    return max(abs(a - b) for a, b in zip(old.probabilities, new.probabilities, strict=True))


def _show(row: dict[str, Any], title: str, json: Path | None) -> None:
    print_table([{"": name, "value": value} for name, value in row.items()], title=title)
    if json is not None:
        write_rows(json, [row])
