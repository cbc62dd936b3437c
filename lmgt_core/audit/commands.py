"""`lmgt judge ask|audit|distill`: whether a judge is worth listening to, on the tasks of any app."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.audit.audit import Audit, Probe
from lmgt_core.audit.gate import MIN_PRECISION, audit_judge
from lmgt_core.audit.judging_task import JudgingTask
from lmgt_core.audit.task_judges import SEED, TaskJudges, split_names
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judge import ask as ask_judge
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt
from lmgt_core.rules.make import make_rule
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows


@dataclass(frozen=True)
class JudgeTaskConfig:
    """Which task of which app is judged, and in which words."""

    app: str = "control"
    """The app: control, ..."""
    env: str = "CartPole-v1"
    """A task of the app."""
    prompts: Path | None = None
    """A folder of your own prompt templates for the task."""
    documents: Path | None = None
    """What --strategy retrieval reads: a folder of .txt or .md files (default: the app's)."""
    cache: Path | None = None
    """A file of judgments: what is in it is not asked again, and what is asked is added."""
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
    min_precision: float = MIN_PRECISION
    """The lower bound of the precision that the gate demands of a verdict."""
    out: Path | None = None
    """A page with everything that was found (.html)."""


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


@dataclass
class Recorder:
    """A judge around a judge that keeps what was asked and answered."""

    judged: Judge
    heard: list[tuple[Prompt, Judgment]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.judged.id

    @property
    def kind(self) -> JudgeKind:
        return self.judged.kind

    @property
    def cacheable(self) -> bool:
        return self.judged.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The judge's own answers."""
        answers = ask_judge(self.judged, prompts)
        self.heard += zip(prompts, answers, strict=True)
        return answers


@dataclass(frozen=True)
class Audited:
    """One judge under one strategy: the audit, and some of its answers."""

    judge: str
    strategy: str
    audit: Audit
    heard: Sequence[tuple[Probe, Judgment]]

    def row(self) -> dict[str, Any]:
        """The line for tables; precision and coverage are of what the gate lets through, on the half it was not set on.

        `gated`: the gate holds the judge back altogether.
        """
        a = self.audit
        return {
            "judge": self.judge,
            "strategy": self.strategy,
            "n": a.n,
            "accuracy": a.accuracy,
            "auc": a.auc,
            "auc_ci95": a.auc_ci95,
            "precision": a.held_out.precision,
            "coverage": a.held_out.coverage,
            "gated": a.silent,
            "judgments_per_second": 1 / max(a.seconds_per_judgment, 1e-9),
        }


def ask(config: AskConfig, task: JudgingTask) -> dict[str, Any]:
    """Asks one question, prints everything about it, and returns it."""
    if not config.state or not config.action:
        raise UserError("--state, --action: say what is to be judged, like --state 'sum 16, dealer 10, no ace'")
    rule = make_rule(config.rule, config.scale, 1)
    template = task.template(config.strategy)
    prompt = template.render(task.describe(config.state, config.action))
    with TaskJudges(task, config.cache) as judges:
        judge = judges.make(config.judge, template, lambda: task.probes(template.render))
        (judgment,) = ask_judge(judge, [prompt])
    answer = heard(judge, prompt, judgment, float(rule.delta([judgment])[0]))
    print("\n".join(answer_lines(answer)))
    _write(config.json, [answer])
    return answer


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


def audit(config: AuditConfig, task: JudgingTask) -> list[dict[str, Any]]:
    """Audits every judge under every strategy; prints the rows and returns them."""
    if config.out is not None and config.out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {config.out}: an audit is a page; give it a name that ends in .html")
    if task.context.oracle is None:
        raise UserError(f"--app {config.app}: {task.name} has no expert, so nobody knows the right answers")
    found = measured(config, task)
    rows = [one.row() for one in found]
    print_table(rows, title=f"{config.app} {task.name}: precision and coverage behind the gate, on held-out questions")
    for one in found:
        print(f"{one.strategy}: {one.audit.headline}")
    _write(config.json, rows)
    if config.out is not None:
        from lmgt_core.audit.page import write_page

        write_page(config.out, config.app, task.name, found)
        print(f"{config.out}  everything that was found")
    return rows


def measured(config: AuditConfig, task: JudgingTask) -> list[Audited]:
    """Every judge under every strategy, in the order they were named; no question is put to a model twice."""
    templates = {name: task.template(name) for name in split_names(config.strategies, "strategies")}
    names = split_names(config.judges, "judges")
    found = []
    with tempfile.TemporaryDirectory() as folder, TaskJudges(task, config.cache or Path(folder) / "asked") as judges:
        for name in names:
            judges.check(name)
        probes = {strategy: list(task.probes(template.render)) for strategy, template in templates.items()}
        with progress("questions", len(names) * sum(len(p) for p in probes.values())) as bar:
            for name in names:
                for strategy, template in templates.items():
                    asked = probes[strategy]
                    recorder = Recorder(judges.make(name, template, lambda asked=asked: asked))  # type: ignore[misc]
                    rng = np.random.default_rng(SEED)
                    result = audit_judge(recorder, asked, config.min_precision, rng, progress=bar.advance)
                    label = {p.prompt.digest: p for p in asked}
                    heard = [(label[prompt.digest], judgment) for prompt, judgment in recorder.heard]
                    found.append(Audited(name, strategy, result, heard))
    return found


def distill(config: DistillConfig, task: JudgingTask) -> dict[str, Any]:
    """Trains a student on the teacher's answers to the task's questions; prints its report and returns it."""
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new file")
    template = task.template(config.strategy)
    from lmgt_core.distill.judge import distill as train_student

    with TaskJudges(task, config.cache) as judges:
        teacher = judges.make(config.teacher, template, lambda: task.probes(template.render))
        questions = list(task.questions(template.render))
        print(f"{config.teacher} answers {len(questions):,} questions of {task.name}", flush=True)
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
