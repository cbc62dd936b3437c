import pytest

from lmgt_core.terminal.progress import ProgressLines, duration, progress


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end() -> None:
    now, lines = [0.0], []
    bar = ProgressLines("decisions", 100, every=10, clock=lambda: now[0], write=lines.append)
    for second in range(1, 21):
        now[0] = second
        bar.advance(2)
    bar.finish()
    assert lines == [
        "decisions: 20 of 100 in 10 s, about 40 s left",
        "decisions: 40 of 100 in 20 s, about 30 s left",
        "decisions: 40 of 100 in 20 s, about 30 s left",
    ]


def test_outside_a_terminal_standard_output_stays_free(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("episodes", 3) as bar:
        bar.advance()
        bar.advance(2)
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == "episodes: 3 of 3 in 0 s\n"


def test_a_block_that_fails_still_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), progress("episodes", 3) as bar:
        bar.advance()
        raise RuntimeError
    assert "1 of 3" in capsys.readouterr().err


def test_a_terminal_gets_a_bar_unless_it_is_a_build_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("CI", "true")
    with progress("episodes", 2) as bar:
        assert isinstance(bar, ProgressLines)
    monkeypatch.delenv("CI")
    with progress("episodes", 2) as bar:
        assert not isinstance(bar, ProgressLines)
        bar.advance(2)
    assert "2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
