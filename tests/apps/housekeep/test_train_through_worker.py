"""Whole commands with the simulator in a worker process: the same numbers, even when the worker dies on the way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.housekeep.agent import seed_trainer
from apps.housekeep.config import SimulatorConfig, WatchConfig
from apps.housekeep.simulator.remote import RemoteSimulator
from apps.housekeep.watch import command as watch
from tests.apps.housekeep.test_train import TINY, run, same_training
from tests.apps.housekeep.test_worker import FAULTY

SHORT = replace(TINY, steps=25, evaluate_every=25)


def test_training_survives_its_worker_and_ends_with_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {name: getattr(SHORT, name) for name in ("steps", "evaluate_every")}
    run(tmp_path / "here", **changes)
    made: list[RemoteSimulator] = []

    def in_a_worker(config: SimulatorConfig) -> RemoteSimulator:
        options = {"how": "die", "after": 1300, "once": str(tmp_path / "died")}
        made.append(RemoteSimulator((84, 84), FAULTY, options))
        return made[-1]

    monkeypatch.setattr(seed_trainer, "make_simulator", in_a_worker)
    run(tmp_path / "there", **changes)
    assert [simulator.restarted for simulator in made] == [1]
    same_training(tmp_path / "here", tmp_path / "there")


@pytest.mark.slow
def test_a_video_is_recorded_of_a_world_in_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_a_worker(config: SimulatorConfig, size: tuple[int, int]) -> Any:
        return RemoteSimulator(size)

    monkeypatch.setattr(watch, "make_simulator", in_a_worker)
    result = watch.main(WatchConfig("random", ("builtin:val",), judge="none", out=tmp_path / "a.gif", size=64))
    assert (tmp_path / "a.gif").stat().st_size > 10_000 and result["pictures"] > 50
