"""`lmgt judge score`: a judge's shifts are added to the rewards of an offline dataset.

First every different question is asked, once, and kept in a file of judgments as it is answered; then the new dataset
is written from those answers. So a killed command, given again, goes on where it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from lmgt_core.audit.commands import JudgeTaskConfig
from lmgt_core.audit.demands import AUTO
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.domain import Domain
from lmgt_core.guidance.dotted import load_dotted
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.guide import own_domain
from lmgt_core.guidance.reward import shifted_reward
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.judging.judge import ask_all
from lmgt_core.judging.prompt import Prompt
from lmgt_core.models.store import home
from lmgt_core.offline.minari_files import Decisions, Shifted, decisions, new_folder, open_dataset, write_shifted
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows
from lmgt_core.training.provenance import provenance

BATCH = 8  # questions after which answers are kept
MakeDomain = Callable[[str], Domain]  # of the environment of this name


@dataclass(frozen=True)
class ScoreConfig(JudgeTaskConfig):
    """Add a judge's shifts to a Minari dataset: each different question is asked once, and a killed command goes on."""

    dataset: Positional[str] = ""
    """A local Minari dataset, by id or folder."""
    env: str = ""
    """A task of the app (default: the environment that the dataset names)."""
    describe: str | None = None
    """Instead of an app: a function of yours, my_module.describe, (observation, action) -> (state, action) in words."""
    question: Path | None = None
    """With --describe: the template, a text file that names {state} and {action}."""
    judge: str = "smollm2"
    strategy: str = "zero-shot"
    """name-only, zero-shot, few-shot, cot, retrieval, or another template of the app."""
    rule: str = "raw"
    """How judgments become shifts: raw, continuous, centered."""
    scale: float = 1.0
    """Size of a shift, in units of reward."""
    gate: bool = True
    """Audit the judge first and let it speak only where it is precise enough; without labelled questions it speaks."""
    min_precision: float | str = AUTO
    """The precision that a verdict needs to be let through, or one for each: good=.75,bad=.75;
    auto: .75, but .5 for good where the rate of play is known."""
    out: str = ""
    """The id of the new dataset, like cartpole/shifted-v0."""


def score(config: ScoreConfig, make_domain: MakeDomain) -> dict[str, Any]:
    """Asks, writes the new dataset, prints what was done and returns that."""
    if not config.dataset or not config.out:
        raise UserError("name a dataset, and the new one with --out, like cartpole/shifted-v0")
    rule = make_rule(config.rule, config.scale, 1)
    if rule.weight(0) != rule.weight(1):
        raise UserError(f"--rule {config.rule}: fades over a training, and a dataset has none; choose another")
    dataset, folder = open_dataset(config.dataset), new_folder(config.out)
    domain = _domain(config, dataset, make_domain)
    guidance = _guidance(config, domain)
    if guidance.audit.get("silent"):
        raise UserError(f"--judge {config.judge}: its audit lets no verdict through, so nothing would be shifted")
    prompts = _questions(dataset, guidance)
    if guidance.judge is not None and guidance.judge.cacheable:
        with guidance.calibrated() as judge, progress("questions", len(prompts)) as bar:
            ask_all(judge, prompts, bar.advance, BATCH)
    steps = int(dataset.total_steps)
    source = guidance.shifts(seed=0, steps=max(steps, 1))
    assert source is not None
    row: dict[str, Any] = {"dataset": config.out, "episodes": int(dataset.total_episodes), "decisions": steps}

    def record() -> dict[str, Any]:
        row.update(questions=len(prompts), **source.stats.as_dict())
        return _record(config, dataset, guidance) | {"questions": len(prompts), "stats": source.stats.as_dict()}

    write_shifted(dataset, folder, config.out, _rewards(dataset, source), record)
    source.close()
    print_table([{"": name, "value": value} for name, value in row.items()], title=f"{config.out}: {folder}")
    if config.json is not None:
        write_rows(config.json, [row])
    return row


def _domain(config: ScoreConfig, dataset: Any, make_domain: MakeDomain) -> Domain:
    if config.describe is not None:
        if config.question is None:
            raise UserError("--question: with --describe, name the file of the question")
        return own_domain(f"minari/{dataset.id}", load_dotted(config.describe, "--describe"), config.question)
    env = config.env or (dataset.env_spec.id if dataset.env_spec is not None else "")
    if not env:
        raise UserError(f"--env: {dataset.id} does not name its environment; say which task of --app it is")
    return make_domain(env)


def _guidance(config: ScoreConfig, domain: Domain) -> Guidance:
    """The judge in its domain, audited where questions are labelled; what was found is printed."""
    gate = config.gate and config.describe is None
    asked = JudgeConfig(config.judge, config.rule, config.scale, gate, config.min_precision, config.strategy)
    guidance = Guidance.of(domain, asked, config.cache or home() / "audited.sqlite")
    if guidance.judge is None:
        raise UserError(f"--judge {config.judge}: shifts nothing; name a judge")
    guidance = guidance.audited()
    print(guidance.headline, flush=True)
    return guidance


def _questions(dataset: Any, guidance: Guidance) -> list[Prompt]:
    """Every different question of the dataset, those that share most side by side."""
    describe, found = guidance.domain.describer(), {}
    with progress("decisions read", int(dataset.total_steps)) as bar:
        for episode in decisions(dataset):
            for description in describe(episode.observations, episode.actions, [None] * len(episode.actions)):
                if description is not None:
                    prompt = guidance.template.render(description)
                    found[prompt.digest] = prompt
            bar.advance(len(episode.actions))
    return sorted(found.values(), key=lambda p: (p.system, p.user, p.digest))


def _rewards(dataset: Any, source: ShiftSource) -> Iterator[Shifted]:
    """Each episode's shifted rewards and its shifts."""
    with progress("decisions shifted", int(dataset.total_steps)) as bar:
        for episode in decisions(dataset):
            yield _shifted(episode, source)
            bar.advance(len(episode.actions))


def _shifted(episode: Decisions, source: ShiftSource) -> Shifted:
    shift = source.resolve(source.submit(episode.observations, episode.actions))
    return Shifted(shifted_reward(episode.rewards, shift, source.weight), shift)


def _record(config: ScoreConfig, dataset: Any, guidance: Guidance) -> dict[str, Any]:
    """What whoever trains on the new dataset has to know."""
    assert guidance.judge is not None
    made = provenance()
    return {
        "of": dataset.id,
        "judge": guidance.judge.id,
        "judge_name": config.judge,
        "judge_kind": guidance.kind,
        "question": {"name": guidance.template.name, "hash": guidance.template.hash},
        "rule": config.rule,
        "scale": config.scale,
        "gate": dict(guidance.audit),
        "command": str(made["command"]),
        "git_revision": str(made["git_revision"]),
    }
