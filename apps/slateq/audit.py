"""`lmgt slateq audit`: how well judges know which topics are worth a viewer's time, beside knowing nothing."""

from typing import Any

from apps.slateq.config import AuditConfig, WorldConfig
from apps.slateq.domain import SlateDomain
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judging.judge import ask
from lmgt_core.judging.judgment import Verdict
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
    domains = [_domain(config, spec) for spec in dict.fromkeys(config.vocabulary)]
    todo = [(domain, _guidance(config, domain, name)) for domain in domains for name in dict.fromkeys(config.judge)]
    rows, headlines = [], []
    with progress("judges", len(todo)) as bar:
        for domain, guidance in todo:
            guidance = guidance.audited()
            rows.append(_row(domain, guidance))
            headlines.append(f"{domain.vocabulary.source}: {guidance.headline}")
            bar.advance(1)
    title = f"{config.env}: which {config.judge_unit}s are worth recommending"
    print_table(rows, title=title, columns=COLUMNS, note=NOTE)
    print("\n".join(headlines))
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def _domain(config: AuditConfig, vocabulary: str) -> SlateDomain:
    world = WorldConfig(env=config.env)
    return SlateDomain(world, config.judge_unit, vocabulary, config.prompts, config.documents)


def _guidance(config: AuditConfig, domain: SlateDomain, name: str) -> Guidance:
    judging = JudgeConfig(judge=name, strategy=config.strategy, min_precision=config.min_precision)
    guidance = Guidance.of(domain, judging, config.cache)
    if guidance.judge is None:
        raise UserError(f"--judge {name}: there is nothing to audit; name a judge")
    return guidance


def _row(domain: SlateDomain, guidance: Guidance) -> dict[str, Any]:
    audit = guidance.audit
    measured = ("n", "accuracy", "baseline", "auc", "auc_ci95", "silent")
    return {
        "judge": guidance.config.judge,
        "kind": guidance.kind,
        "vocabulary": domain.vocabulary.source,
        **{name: audit[name] for name in measured},
        **{name: audit["held_out"][name] for name in ("precision", "coverage")},
        "served": served_accuracy(domain, guidance),
    }


def served_accuracy(domain: SlateDomain, guidance: Guidance) -> float | None:
    """The share of right verdicts on single documents of the vocabulary's own topics, the neutral ones left out.

    Without the gate. None where the judge gave no verdict on any.
    """
    prompts = [guidance.template.render(description) for description in domain.single_questions()]
    truths = [domain.truth.verdict(prompt) for prompt in prompts]
    with guidance.calibrated() as judge:
        answers = ask(judge, prompts)
    right = [
        answer.verdict is truth
        for answer, truth in zip(answers, truths, strict=True)
        if truth is not Verdict.NEUTRAL and speaks(answer)
    ]
    return sum(right) / len(right) if right else None
