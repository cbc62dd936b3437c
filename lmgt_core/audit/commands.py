"""`lmgt judge ask|audit|distill`: whether a judge is worth listening to, on the tasks of any app."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.audit.audit import fewer_probes
from lmgt_core.audit.audited import Audited
from lmgt_core.audit.demands import AUTO
from lmgt_core.audit.label_calibration import split_calibration
from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.domain import Domain
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import NONE
from lmgt_core.models.store import home
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows


@dataclass(frozen=True)
class JudgeTaskConfig:
    """Which task of which app is judged, and in which words."""

    app: str = "control"
    """The app: control, housekeep, slateq, atari, tabular."""
    env: str = "CartPole-v1"
    """A task of the app."""
    prompts: Path | None = None
    """A folder of your own prompt templates for the task."""
    documents: Path | None = None
    """What --strategy retrieval reads: a folder of .txt or .md files (default: the app's)."""
    cache: Path | None = None
    """A file of judgments: what is in it is not asked again, and what is asked is added (audits: one of the user's)."""
    json: Path | None = None
    """Write the result there as well."""


@dataclass(frozen=True)
class AskConfig(JudgeTaskConfig):
    """Ask a judge one question, and see prompt, reply, probabilities, verdict and shift."""

    state: str = ""
    """The state, as in: sum 16, dealer 10, no ace."""
    action: str = ""
    """The action: its number or its words."""
    judge: str = "smollm2"
    strategy: str = "zero-shot"
    """name-only, zero-shot, few-shot, cot, retrieval."""
    rule: str = "raw"
    """How the judgment becomes a shift: raw, continuous, ..."""
    scale: float = 1.0
    """Size of a shift."""


@dataclass(frozen=True)
class AuditConfig(JudgeTaskConfig):
    """Measure judges on questions whose answers are known."""

    judges: str = "smollm2,minilm,noisy-oracle:0.8,oracle"
    """Judges, divided by commas (by semicolons where a name holds a comma)."""
    strategies: str = "zero-shot"
    """Prompt strategies, divided by commas: name-only, zero-shot, few-shot, cot, retrieval."""
    min_precision: float | str = AUTO
    """The precision that the gate demands of every verdict, or of each its own: good=.75,bad=.75;
    auto: .75, but .5 for good where the rate of play is known."""
    questions: int | None = None
    """Ask about so many of the labelled questions only, labels in the same shares: for slow judges."""
    flips: int = 0
    """Ask so many of the questions again in other forms, and tell how many verdicts flip."""
    out: Path | None = None
    """A page with everything that was found (.html)."""
    figures: Path | None = None
    """A folder that the page's figures are written to as well, each as an SVG file."""


@dataclass(frozen=True)
class DistillConfig(JudgeTaskConfig):
    """Train a small network to answer as a judge does; use it with --judge distilled:FILE."""

    teacher: str = "smollm2"
    """The judge to learn from."""
    strategy: str = "zero-shot"
    """The prompt strategy that the teacher is asked with, and the student works with."""
    out: Path = Path("judge.distilled")
    """The student's file."""
    seed: int = 0


def ask(config: AskConfig, domain: Domain) -> dict[str, Any]:
    """Asks one question, prints everything about it, and returns it."""
    if not config.state or not config.action:
        raise UserError("--state, --action: say what is to be judged, like --state 'sum 16, dealer 10, no ace'")
    rule = make_rule(config.rule, config.scale, 1)
    guidance = guided(config, config.judge, config.strategy, domain)
    prompt = guidance.template.render(domain.read(config.state, config.action))
    judgment, judge = guidance.answer(prompt)
    answer = heard(judge, prompt, judgment, float(rule.delta([judgment])[0]))
    print("\n".join(answer_lines(answer)))
    _write(config.json, [answer])
    return answer


def guided(
    config: JudgeTaskConfig,
    judge: str,
    strategy: str,
    domain: Domain,
    cache: Path | None = None,
    min_precision: float | str = AUTO,
    made: Judge | None = None,
) -> Guidance:
    """The judge of this name under this strategy in the domain, behind the cache file; UserError for `none`."""
    if judge.strip() == NONE:
        raise UserError(f"--judge {judge}: there is nobody to ask; name a judge")
    asked = JudgeConfig(judge, strategy=strategy, min_precision=min_precision)
    return Guidance.of(domain, asked, cache or config.cache, judge=made)


def heard(judge: Judge, prompt: Prompt, judgment: Judgment, shift: float) -> dict[str, Any]:
    """What was asked and answered, by name, as plain JSON values."""
    return {
        "judge": judge.id,
        "kind": judge.kind.value,
        "system": prompt.system,
        "user": prompt.user,
        "reply": judgment.reply,
        "probabilities": named_probabilities(judgment),
        "verdict": judgment.verdict.value,
        "abstained": judgment.abstained,
        "reason": judgment.reason,
        "shift": shift,
        "seconds": judgment.cost.seconds,
    }


def named_probabilities(judgment: Judgment) -> dict[str, float] | None:
    """The probabilities by verdict, or None where the judge gives none."""
    if judgment.probabilities is None:
        return None
    return dict(zip(("good", "neutral", "bad"), judgment.probabilities, strict=True))


def answer_lines(answer: dict[str, Any]) -> list[str]:
    """An answer for people."""
    lines = [f"judge    {answer['judge']} [{answer['kind']}]"]
    lines += [f"system   {_indented(answer['system'])}", f"user     {_indented(answer['user'])}"]
    if answer["reply"]:
        lines.append(f"reply    {_indented(answer['reply'])}")
    if answer["probabilities"]:
        lines.append("labels   " + ", ".join(f"{name} {p:.3f}" for name, p in answer["probabilities"].items()))
    silent = " (abstained)" if answer["abstained"] else ""
    reason = f": {answer['reason']}" if answer["reason"] else ""
    return [*lines, f"verdict  {answer['verdict']}{silent}{reason}", f"shift    {answer['shift']:+g}"]


def audit(config: AuditConfig, domain: Domain) -> list[dict[str, Any]]:
    """Audits every judge under every strategy; prints the rows and returns them."""
    if config.out is not None and config.out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {config.out}: an audit is a page; give it a name that ends in .html")
    if config.questions is not None and config.questions < 1:
        raise UserError(f"--questions {config.questions}: is 1 or more")
    if config.flips < 0:
        raise UserError(f"--flips {config.flips}: is a number of questions, 0 for none")
    found = measured(config, domain)
    rows = [one.row() for one in found]
    print_table(
        rows, title=f"{config.app} {domain.name}: precision and coverage behind the gate, on held-out questions"
    )
    for one in found:
        print(f"{one.strategy}: {one.audit.headline}")
    if config.flips:
        reliability = [row for one in found for row in one.reliability_rows()]
        print_table(reliability, title="the same questions in other forms: how many verdicts flip")
        rows = [row | {"reliability": one.reliability_rows()} for row, one in zip(rows, found, strict=True)]
    _write(config.json, rows)
    if config.out is not None:
        from lmgt_core.audit.page import write_page

        write_page(config.out, config.app, domain.name, found)
        print(f"{config.out}  everything that was found")
    if config.figures is not None:
        from lmgt_core.audit.page import write_figures

        for path in write_figures(config.figures, found):
            print(path)
    return rows


def measured(config: AuditConfig, domain: Domain) -> list[Audited]:
    """Every judge under every strategy, in the order they were named; no question is put to a model twice."""
    names, strategies = split_names(config.judges, "judges"), split_names(config.strategies, "strategies")
    found = []
    cache = config.cache or home() / "audited.sqlite"
    guidances: list[Guidance] = []
    made: dict[str, Judge | None] = {}
    for name in names:
        plain = split_calibration(name)[0]  # a model is loaded once, whatever is done to its probabilities
        for strategy in strategies:
            one = guided(config, name, strategy, domain, cache, config.min_precision, made.get(plain))
            made[plain] = one.judge
            guidances.append(one)
    labelled = [guidance.labelled() for guidance in guidances]
    if config.questions is not None:
        labelled = [(fewer_probes(probes, config.questions, deepcopy(rng)), rng) for probes, rng in labelled]
    if not (count := sum(len(probes) for probes, _ in labelled)):
        raise UserError(f"--app {config.app}: {domain.name} has no labelled questions, so nobody can audit here")
    with progress("questions", count) as bar:
        for guidance, questions in zip(guidances, labelled, strict=True):
            one_found = guidance.measured(bar.advance, questions)
            assert one_found is not None
            heard = list(zip(one_found.probes, one_found.answers, strict=True))
            flips = guidance.flips(one_found, config.flips) if config.flips else []
            named = guidance.config.judge, guidance.config.strategy
            found.append(Audited(*named, one_found.audit, heard, flips, guidance.play_rates()))
    return found


def split_names(names: str, flag: str) -> list[str]:
    """The different names in a list divided by commas, or by semicolons if there are any."""
    found = list(dict.fromkeys(n.strip() for n in names.split(";" if ";" in names else ",") if n.strip()))
    if not found:
        raise UserError(f"--{flag}: name at least one")
    return found


def distill(config: DistillConfig, domain: Domain) -> dict[str, Any]:
    """Trains a student on the teacher's answers to the task's questions; prints its report and returns it."""
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new file")
    from lmgt_core.distill.judge import distill as train_student

    guidance = guided(config, config.teacher, config.strategy, domain)
    everything = domain.questions()
    if everything is None:
        raise UserError(f"--app {config.app}: what can be asked in {domain.name} cannot be listed")
    questions = [guidance.template.render(description) for description in everything]
    print(f"{config.teacher} answers {len(questions):,} questions of {domain.name}", flush=True)
    with guidance.calibrated() as teacher:
        report = train_student(teacher, questions, config.out, np.random.default_rng(config.seed))
    row = report.as_dict()
    print_table([{"": name, "value": value} for name, value in row.items()], title=f"{config.out}: held-out questions")
    _write(config.json, [row])
    return row


def _write(path: Path | None, rows: Sequence[dict[str, Any]]) -> None:
    if path is not None:
        write_rows(path, rows)


def _indented(text: str) -> str:
    return text.replace("\n", "\n         ")
