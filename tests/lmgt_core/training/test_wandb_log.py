"""`--wandb PROJECT`: scalars go to W&B beside TensorBoard, one W&B run a seed."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lmgt_core.errors import UserError
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.wandb_log import check_wandb

CONFIG = {"app": "control", "settings": {"judge": "minilm", "steps": 10}}


class FakeRun:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.points, self.finished = told, [], False

    def define_metric(self, name: str, step_metric: str) -> None:
        self.told[name] = step_metric

    def log(self, values: dict[str, float]) -> None:
        self.points.append(values)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    """What the package was told, in the package's place."""
    made: list[FakeRun] = []

    def init(**told: Any) -> FakeRun:
        made.append(FakeRun(told))
        return made[-1]

    fake = SimpleNamespace(init=init, Settings=dict, Error=RuntimeError, login=lambda prompt: False)
    monkeypatch.setitem(sys.modules, "wandb", fake)  # type: ignore[arg-type]
    monkeypatch.setattr("lmgt_core.extras.find_spec", lambda name: fake)
    return made


def record(folder: Path, seeds: tuple[int, ...], steps: range) -> None:
    with RunLog.open(folder, "tidying") as log:
        for seed in seeds:
            for step in steps:
                log.scalar(seed, "evaluation/return", step / 2, step)


def test_a_seed_is_a_run_in_the_folders_group_and_a_resumed_one_goes_on(tmp_path: Path, runs: list[FakeRun]) -> None:
    RunLog.create(tmp_path / "oracle", CONFIG).close()
    record(tmp_path / "oracle", (0, 1), range(2))
    record(tmp_path / "oracle", (0,), range(1, 3))
    first, other, again = (run.told for run in runs)
    assert first["id"] == again["id"] != other["id"] and first["resume"] == "allow"
    assert (first["project"], first["group"], other["name"]) == ("tidying", "oracle", "oracle seed 1")
    assert first["config"] == {"judge": "minilm", "steps": 10, "seed": 0, "app": "control"}
    assert runs[0].points == [{"evaluation/return": s / 2, "decisions": s} for s in range(2)]
    assert first["*"] == "decisions" and all(run.finished for run in runs)
    assert list((tmp_path / "oracle" / "tensorboard" / "seed_0").iterdir())


def test_without_the_flag_nothing_is_logged_there(tmp_path: Path, runs: list[FakeRun]) -> None:
    RunLog.create(tmp_path / "run", CONFIG).close()
    with RunLog.open(tmp_path / "run") as log:
        log.scalar(0, "evaluation/return", 1.0, 1)
    assert not runs


def test_nobody_logged_in_is_a_users_mistake_found_before_training(
    runs: list[FakeRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(UserError, match="WANDB_MODE=offline"):
        check_wandb()
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_wandb()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmgt_core.extras.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"lmgt\[wandb\]"):
        check_wandb()


def test_offline_everything_stays_in_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="W&B is not installed; it comes with the extra wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # whoever went out would fail
    check_wandb()
    RunLog.create(tmp_path / "run", CONFIG).close()
    record(tmp_path / "run", (0, 1), range(3))
    record(tmp_path / "run", (0,), range(3, 5))
    kept = sorted((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(kept) == 3 and all(b"evaluation" in file.read_bytes() for file in kept)
    assert len({file.name for file in kept}) == 2  # the resumed seed has the name that it had
