"""`lmgt judge ask|audit|distill`: what they print, write and refuse."""

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lmgt_core.audit.audit import Probe, fewer_probes
from lmgt_core.audit.commands import AskConfig, AuditConfig, DistillConfig, ask, audit, distill
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from tests.lmgt_core.thermostat import Thermostat, Warm, task

KEYS = {
    "judge",
    "strategy",
    "n",
    "accuracy",
    "auc",
    "auc_ci95",
    "precision",
    "coverage",
    "silent",
    "judgments_per_second",
}
ASK = AskConfig(env="Thermostat-v0", state="12.5", action="heat", judge="warm")
AUDIT = AuditConfig(env="Thermostat-v0", judges="oracle,noisy-oracle:0.5,warm")


def by_judge(rows):
    return {row["judge"]: row for row in rows}


def test_an_answer_shows_prompt_reply_labels_verdict_and_shift(capsys) -> None:
    answer = ask(ASK, task())
    shown = capsys.readouterr().out
    assert answer["verdict"] == "good" and answer["shift"] == 1.0
    for part in ("Say good, neutral or bad.", "The room has 12.5 degrees. heat?", "good 1.000", "verdict  good"):
        assert part in shown
    assert "shift    +1" in shown and "warm:4 [language model]" in shown


def test_a_shift_follows_rule_and_scale() -> None:
    assert ask(replace(ASK, state="30", action="heat", judge="oracle", scale=0.5), task())["shift"] == -0.5
    answer = ask(replace(ASK, state="22", rule="continuous"), task())
    good, _, bad = answer["probabilities"].values()
    assert answer["shift"] == pytest.approx(good - bad, abs=1e-6)


def test_a_calibrated_answer_is_another_answer() -> None:
    plain = ask(replace(ASK, state="22"), task())
    calibrated = ask(replace(ASK, state="22", judge="warm?calibration=learned"), task())
    assert plain["verdict"] == "good" and calibrated["verdict"] == "bad"
    assert calibrated["kind"] == "trained on labels"


def test_rows_of_an_audit_have_exactly_the_promised_keys(tmp_path) -> None:
    rows = audit(replace(AUDIT, json=tmp_path / "rows.json", strategies="zero-shot,few-shot"), task())
    written = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [set(row) for row in written] == [KEYS] * 6
    assert [(r["judge"], r["strategy"]) for r in rows[:2]] == [("oracle", "zero-shot"), ("oracle", "few-shot")]
    assert json.loads(json.dumps(rows)) == written


def test_an_audit_tells_who_knows_and_whom_the_gate_holds_back() -> None:
    rows = by_judge(audit(AUDIT, task()))
    assert rows["oracle"] | {"judgments_per_second": 0} == {
        "judge": "oracle",
        "strategy": "zero-shot",
        "n": 480,
        "accuracy": 1.0,
        "auc": 1.0,
        "auc_ci95": (1.0, 1.0),
        "precision": 1.0,
        "coverage": 1.0,
        "silent": False,
        "judgments_per_second": 0,
    }
    coin = rows["noisy-oracle:0.5"]
    assert coin["silent"] and coin["coverage"] == 0.0 and coin["precision"] is None
    assert 0.4 < coin["accuracy"] < 0.6


def test_speed_is_what_the_answers_cost() -> None:
    assert by_judge(audit(AUDIT, task()))["warm"]["judgments_per_second"] == pytest.approx(4.0)


def test_an_audit_shows_what_a_calibration_does_and_asks_the_model_once() -> None:
    judge = Warm()
    names = ["warm", *(f"warm?calibration={m}" for m in ("contextual", "per-action", "learned"))]
    rows = by_judge(audit(replace(AUDIT, judges=",".join(names)), task(warm=lambda argument: judge)))
    accuracy = {name: rows[name]["accuracy"] for name in names}
    assert accuracy["warm"] == pytest.approx(440 / 480, abs=0.01)  # heating is wrong in 40 of 240 states, not seen
    assert accuracy["warm?calibration=per-action"] > 0.95 and accuracy["warm?calibration=learned"] > 0.95
    digests = [p.digest for p in judge.asked]
    assert len(digests) == len(set(digests))


def test_a_cache_file_answers_the_second_audit(tmp_path) -> None:
    first, second = Warm(), Warm()
    config = replace(AUDIT, judges="warm", cache=tmp_path / "asked.sqlite")
    rows = [audit(config, task(warm=lambda argument, judge=judge: judge)) for judge in (first, second)]
    assert rows[0] == rows[1]
    assert len(first.asked) == 480 and not second.asked


class Text(HTMLParser):
    """What a browser would show, and what it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown, self.loads = "", []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.shown += data

    def handle_starttag(self, tag, attrs) -> None:
        self.loads += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_of_an_audit_is_self_contained_and_shows_answers(tmp_path) -> None:
    audit(replace(AUDIT, judges="warm,oracle", out=tmp_path / "audit.html"), task())
    page = Text((tmp_path / "audit.html").read_text())
    assert len(page.loads) == 4 and all(load.startswith("data:image/svg+xml") for load in page.loads)
    assert "warm may say good and bad on" in page.shown or "Do not train with warm here" in page.shown
    for part in ("Thermostat-v0", "warm", "oracle (privileged)", "wrong answers", "heat?", "action=heat"):
        assert part in page.shown, part


def test_the_figures_of_an_audit_are_files_where_a_folder_is_named(tmp_path) -> None:
    audit(replace(AUDIT, judges="noisy-oracle:0.5,warm", figures=tmp_path / "figures"), task())
    names = ("noisy-oracle-0.5", "warm")
    expected = {f"{name}-zero-shot-{figure}.svg" for name in names for figure in ("reliability", "precision")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == expected
    assert all(path.read_text().startswith("<?xml") for path in (tmp_path / "figures").iterdir())


def test_flips_stand_in_table_rows_and_page_and_a_judge_that_does_not_read_is_said_to(tmp_path, capsys) -> None:
    files = {"json": tmp_path / "rows.json", "out": tmp_path / "audit.html"}
    rows = audit(replace(AUDIT, judges="warm,oracle", flips=40, **files), task())
    flips = {row["change"]: row for row in by_judge(rows)["warm"]["reliability"]}
    assert flips["padding"]["answered"] == 40 and flips["padding"]["flipped"] == 0  # it reads facts
    (oracle,) = by_judge(rows)["oracle"]["reliability"]
    assert oracle["change"] == "none: it does not read" and oracle["true_positive_rate"] == 1
    assert json.loads(files["json"].read_text())["rows"] == json.loads(json.dumps(rows))
    assert "the same questions in other forms" in " ".join(capsys.readouterr().out.split())
    page = Text(files["out"].read_text())
    assert "an instruction in the world's words" in page.shown and len(page.loads) == 5
    assert "Questions that were answered both before and after the change." in page.shown


def test_a_student_agrees_with_its_teacher_and_says_how_often_on_held_out_questions(tmp_path, capsys) -> None:
    pytest.importorskip("torch")
    config = DistillConfig(env="Thermostat-v0", teacher="oracle", out=tmp_path / "student", json=tmp_path / "r.json")
    report = distill(config, task())
    assert report["held_out"] == 72 and report["trained_on"] == 336
    assert report["baseline"] < 0.65
    assert report["student_per_second"] > 1000
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["agreement"] == report["agreement"]
    assert "agreement" in capsys.readouterr().out
    rows = by_judge(audit(replace(AUDIT, judges=f"distilled:{tmp_path / 'student'}"), task()))
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("command", "config", "said"),
    [
        (ask, replace(ASK, state=""), "--state, --action"),
        (ask, replace(ASK, judge="none"), "nobody to ask"),
        (ask, replace(ASK, judge="gpt-9"), "gpt-9: no such judge"),
        (ask, replace(ASK, action="dance"), "--action dance"),
        (ask, replace(ASK, rule="sideways"), "sideways"),
        (ask, replace(ASK, strategy="telepathy"), "--strategy telepathy"),
        (ask, replace(ASK, judge="oracle?calibration=magic"), "calibration=magic"),
        (audit, replace(AUDIT, out=Path("page.pdf")), "--out page.pdf"),
        (audit, replace(AUDIT, judges="oracle,none"), "nobody to ask"),
        (audit, replace(AUDIT, judges=" , "), "--judges"),
        (audit, replace(AUDIT, judges="oracle,random?calibration=learned"), "0 answers with probabilities"),
        (audit, replace(AUDIT, strategies=""), "--strategies"),
        (audit, replace(AUDIT, min_precision=1.5), "--min-precision 1.5"),
        (distill, DistillConfig(teacher="none"), "nobody to ask"),
        (distill, DistillConfig(out=Path(__file__)), "is there already"),
    ],
)
def test_a_mistake_is_named(command, config, said: str) -> None:
    with pytest.raises(UserError, match=said):
        command(config, task())


class Unlabelled(Thermostat):
    def probes(self, render, rng):
        return []


def test_a_domain_without_labels_cannot_be_audited() -> None:
    with pytest.raises(UserError, match="no labelled questions"):
        audit(AUDIT, Unlabelled())


def test_fewer_questions_keep_the_shares_of_the_labels(capsys) -> None:
    full, small = (audit(replace(AUDIT, judges="oracle", questions=n), task())[0] for n in (None, 30))
    assert full["n"] > small["n"] >= 27
    probes = [Probe(Prompt("", str(i)), Verdict.GOOD if i % 4 else Verdict.BAD, "") for i in range(100)]
    drawn = fewer_probes(probes, 40, np.random.default_rng(0))
    assert Counter(p.label for p in drawn) == {Verdict.GOOD: 30, Verdict.BAD: 10}
    assert drawn == fewer_probes(probes, 40, np.random.default_rng(0))
    assert fewer_probes(probes, 1000, np.random.default_rng(0)) == probes
    with pytest.raises(UserError, match="--questions 0"):
        audit(replace(AUDIT, questions=0), task())


def test_an_audit_goes_on_where_it_was_stopped(monkeypatch, kept) -> None:
    asked: list[int] = []
    judge = Warm.judge

    def stopped(self, prompts):
        asked.append(len(prompts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return judge(self, prompts)

    monkeypatch.setattr(Warm, "judge", stopped)
    with pytest.raises(KeyboardInterrupt):
        audit(replace(AUDIT, judges="warm"), task())
    assert kept.exists()
    answered = sum(asked[:2])
    asked.clear()
    monkeypatch.setattr(Warm, "judge", lambda self, prompts: asked.append(len(prompts)) or judge(self, prompts))
    row = audit(replace(AUDIT, judges="warm"), task())[0]
    assert answered > 0 and sum(asked) == row["n"] - answered
