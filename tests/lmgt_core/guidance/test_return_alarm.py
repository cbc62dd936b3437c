"""The alarm of judges whose truth nobody knows: shifted returns rise while unshifted returns fall."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.tabular.config import TrainConfig
from apps.tabular.train import TRAINING
from lmgt_core.files import read_json
from lmgt_core.guidance.return_alarm import BLOCKS, WINDOW, ShiftLedger, alarm_line, find_alarm
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.training.driver import train

STEPS = 400  # ten decisions a stretch, one episode each
ENDS = [10 * (i + 1) for i in range(BLOCKS)]
GOOD, BAD = Judgment(Verdict.GOOD), Judgment(Verdict.BAD)


def ledger(shifts: Any, judgment: Judgment = GOOD) -> ShiftLedger:
    """`shifts` [stretch], all for picking things up."""
    kept = ShiftLedger(STEPS)
    for block, shift in enumerate(shifts):
        kept.add(10 * block, judgment, Prompt("", "", facts={"kind": "pick"}), float(shift))
    return kept


def test_rising_shifts_and_falling_returns_raise_the_alarm_at_the_end_of_the_first_window() -> None:
    alarm = find_alarm(ledger(2 * np.arange(BLOCKS)), ENDS, -np.arange(BLOCKS))
    assert alarm is not None
    assert (alarm["since"], alarm["decision"]) == (0, 10 * WINDOW)
    assert alarm["unshifted"] == [0, 1 - WINDOW] and alarm["shifted"] == [0, WINDOW - 1]
    assert alarm["earned_by"] == [{"judgment": "good of pick", "shift": WINDOW * (WINDOW - 1)}]


def test_the_line_says_when_and_what_was_paid() -> None:
    alarm = find_alarm(ledger(2 * np.arange(BLOCKS)), ENDS, -np.arange(BLOCKS))
    assert alarm is not None
    line = alarm_line(alarm, seed=3)
    assert line.startswith("seed 3, decision 160: ALARM: since 0 ") and "good of pick (+240)" in line


@pytest.mark.parametrize(
    ("shifts", "returns"),
    [
        (np.arange(BLOCKS), np.arange(BLOCKS)),  # it learns what the judge likes, and that is right
        (-np.arange(BLOCKS), -np.arange(BLOCKS)),  # both fall: nothing was bought with the return
        (np.zeros(BLOCKS), -np.arange(BLOCKS)),  # the judge says nothing
        (np.arange(BLOCKS) / 2, -np.arange(BLOCKS)),  # shifts rise by less than the return falls
        (2 * np.arange(BLOCKS), np.zeros(BLOCKS)),  # the return stays
    ],
)
def test_nothing_else_raises_it(shifts: Any, returns: Any) -> None:
    assert find_alarm(ledger(shifts), ENDS, returns) is None


def test_of_two_thousand_stretches_of_noise_few_raise_it() -> None:
    alarms = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        alarms += find_alarm(ledger(rng.normal(size=BLOCKS)), ENDS, rng.normal(size=BLOCKS)) is not None
    assert alarms <= 1


@given(st.lists(st.floats(-5, 5), max_size=BLOCKS), st.lists(st.integers(1, STEPS), max_size=60))
def test_any_ledger_and_any_episodes_can_be_looked_at(shifts: list[float], ends: list[int]) -> None:
    kept = ledger(shifts)
    again = ShiftLedger(STEPS)
    again.load_state_dict(kept.state_dict())
    returns = [float(end % 7) for end in ends]
    assert find_alarm(again, sorted(ends), returns) == find_alarm(kept, sorted(ends), returns)


def test_the_mean_shift_of_a_stretch_is_that_of_its_episodes() -> None:
    """Ten short episodes with a shift of 1 each are no better than one with a shift of 1."""
    kept = ledger(np.arange(1, BLOCKS + 1))
    many = [10 * block + 1 + i for block in range(BLOCKS) for i in range(block + 1) if i < 10]
    assert find_alarm(kept, many, [0.0 for _ in many]) is None


def hacked(config: TrainConfig, source: Any, seed: int, log: Any, tick: Any) -> dict[str, float]:
    """An agent that does more and more of what the judge likes, in a world that likes it less and less."""
    liked = int(np.argmax([source([0], [a]).delta[0] for a in range(2)]))
    for step in range(1, config.steps + 1):
        likes = step % 40 < step * 40 // config.steps
        source.resolve(source.submit([0], [liked if likes else 1 - liked]))
        if step % 40 == 0:
            log.record_episode(seed, {"episode": step // 40, "decisions": step, "return": -step / config.steps})
        tick(1)
    log.record_evaluation(seed, {"decisions": config.steps, "return": -1.0})
    return {"return": -1.0}


def test_a_run_keeps_the_alarm_and_says_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig(judge="oracle", steps=1600, seeds=(0,), gate=False, out=tmp_path / "run")
    train(replace(TRAINING, train_seed=hacked), config)
    alarm = read_json(config.out / "summary.json")["alarm"]["0"]
    assert alarm["decision"] == 1600 // BLOCKS * WINDOW
    assert {row["judgment"].split()[0] for row in alarm["earned_by"]} == {"good", "bad"}
    said = [line for line in capsys.readouterr().out.splitlines() if "ALARM" in line]
    assert said == [alarm_line(alarm, seed=0)]
