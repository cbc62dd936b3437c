"""`lmgt slateq audit`: how well judges know which topics are worth a viewer's time, beside knowing nothing."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from apps.slateq.config import AuditConfig, JudgeConfig, WorldConfig
from apps.slateq.domain import Words, load_words
from apps.slateq.probes import SEED
from lmgt_core.audit.gate import audit_judge
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, ask
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.registry import make_judge
from lmgt_core.rules.shift import speaks
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows

COLUMNS = ("judge", "kind", "vocabulary", "n", "accuracy", "baseline", "auc", "precision", "coverage", "served")
NOTE = (
    "n: labelled probe topics, of which training serves none; baseline: accuracy of one answer to all. precision, "
    "coverage: of what the gate lets through, on the half of the probes that did not set it. served: right verdicts on "
    "the topics that training serves, of those of low or high value."
)


def main(config: AuditConfig) -> list[dict[str, Any]]:
    """Prints and returns a row for each judge and vocabulary; UserError for what cannot be audited."""
    todo = [(name, spec) for spec in dict.fromkeys(config.vocabulary) for name in dict.fromkeys(config.judge)]
    words = {spec: _words(config, spec) for spec in dict.fromkeys(config.vocabulary)}
    judges = {(name, spec): _judge(name, words[spec]) for name, spec in todo}
    rows, headlines = [], []
    with progress("judges", len(todo)) as bar:
        for name, spec in todo:
            row, headline = _row(name, judges[name, spec], words[spec], config)
            rows.append(row)
            headlines.append(f"{spec}: {headline}")
            bar.advance(1)
    title = f"{config.environment}: which {config.judge_unit}s are worth recommending"
    print_table(rows, title=title, columns=COLUMNS, note=NOTE)
    print("\n".join(headlines))
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def _words(config: AuditConfig, vocabulary: str) -> Words:
    judging = JudgeConfig(
        judge_unit=config.judge_unit,
        vocabulary=vocabulary,
        strategy=config.strategy,
        prompts=config.prompts,
        documents=config.documents,
    )
    return load_words(WorldConfig(environment=config.environment), judging)


def _judge(name: str, words: Words) -> Judge:
    judge = make_judge(name, words.context())
    if judge is None:
        raise UserError(f"--judge {name}: there is nothing to audit; name a judge")
    return judge


def _row(name: str, judge: Judge, words: Words, config: AuditConfig) -> tuple[dict[str, Any], str]:
    with _asked(judge, config.cache) as asked:
        audit = audit_judge(asked, words.probes(), config.min_precision, np.random.default_rng(SEED))
        served = served_accuracy(asked, words)
    row = {
        "judge": name,
        "kind": judge.kind.value,
        "vocabulary": words.vocabulary.source,
        "n": audit.n,
        "accuracy": audit.accuracy,
        "baseline": audit.baseline,
        "auc": audit.auc,
        "auc_ci95": audit.auc_ci95,
        "precision": audit.held_out.precision,
        "coverage": audit.held_out.coverage,
        "silent": audit.silent,
        "served": served,
    }
    return row, audit.headline


def _asked(judge: Judge, cache: Path | None) -> Any:
    return nullcontext(judge) if cache is None else JudgeCache(judge, cache)


def served_accuracy(judge: Judge, words: Words) -> float | None:
    """The share of right verdicts on single documents of the vocabulary's own topics, the neutral ones left out.

    None where the judge gave no verdict on any.
    """
    prompts = [words.template.render(d) for d in words.describer().everything(words.interests)]
    truths = [words.truth.verdict(prompt) for prompt in prompts]
    answers = ask(judge, prompts)
    right: Sequence[bool] = [
        answer.verdict is truth
        for answer, truth in zip(answers, truths, strict=True)
        if truth is not Verdict.NEUTRAL and speaks(answer)
    ]
    return sum(right) / len(right) if right else None
