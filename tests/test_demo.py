"""The demo: every step is a command that is understood, and all of it runs."""

from pathlib import Path

import pytest
import tyro

from apps.cli import find, load
from apps.demo import DemoConfig, main, steps


def test_every_step_is_a_command_that_lmgt_understands(tmp_path: Path) -> None:
    found = list(steps(DemoConfig(out=tmp_path)))
    assert len(found) == 7
    for _, words in found:
        command = find(words)
        tyro.cli(load(command.config), args=words[len(command.words) :])
    said = "".join(about for about, _ in found)
    assert "privileged" in said and "language model" in said


def test_an_interrupted_demo_goes_on(tmp_path: Path) -> None:
    (tmp_path / "slateq" / "none").mkdir(parents=True)
    (tmp_path / "slateq" / "none" / "config.json").write_text("{}")
    resumed = [words for _, words in steps(DemoConfig(out=tmp_path)) if "--resume" in words]
    assert [words[words.index("--out") + 1] for words in resumed] == [str(tmp_path / "slateq" / "none")]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_short_demo_leaves_a_report_and_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    done = main(DemoConfig(out=out, slates=3_000, skills=60, seeds=(0, 1), workers=1))
    assert len(done) == 7
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "tidy.mp4").stat().st_size > 1_000
    assert "With slateq/language-model (language model), return ended at" in capsys.readouterr().out
