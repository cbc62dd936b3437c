"""Training and evaluation of recommendation policies: what a judge may change, what a kill may not, what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.slateq.config import RENAMED, AuditConfig
from apps.slateq.train_config import AgentConfig, EvaluateConfig, TrainConfig
from lmgt_core.errors import UserError
from lmgt_core.training.run_log import RunLog, read_rows

SMALL = TrainConfig(
    algorithm="QL-OT-GS-N",
    judge="none",
    steps=1536,
    users=16,
    seeds=(3,),
    evaluate_every=512,
    evaluate_users=20,
    checkpoint_every=256,
    agent=AgentConfig(hidden=(16,), warm_up=128, batch_size=32, updates=1),
)


@pytest.fixture(scope="module")
def train() -> Any:
    from apps.slateq import train

    return train


@pytest.fixture(scope="module")
def unjudged(train: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("slateq") / "none"
    train.main(replace(SMALL, out=out))
    return out


def recorded(run: Path) -> tuple[Any, ...]:
    """Everything that a run reported of its sessions and evaluations, and its summary's metrics."""
    metrics = json.loads((run / "summary.json").read_text())["metrics"]
    return read_rows(run, "episodes"), read_rows(run, "evaluations"), metrics


def test_a_neutral_judge_changes_no_bit(train: Any, unjudged: Path, tmp_path: Path) -> None:
    train.main(replace(SMALL, judge="neutral", out=tmp_path / "neutral"))
    assert recorded(tmp_path / "neutral") == recorded(unjudged)
    assert json.loads((tmp_path / "neutral" / "summary.json").read_text())["judge_stats"]["judgments"] > 100


def test_a_judge_that_speaks_changes_what_is_learned_and_no_reported_return_holds_a_shift(
    train: Any, unjudged: Path, tmp_path: Path
) -> None:
    train.main(replace(SMALL, judge="oracle", scale=10.0, out=tmp_path / "oracle"))
    sessions, evaluations, _ = recorded(tmp_path / "oracle")
    assert evaluations[0] == recorded(unjudged)[1][0]  # before anything was learned
    assert evaluations[-1] != recorded(unjudged)[1][-1]
    assert any(float(row["shift"]) != 0 for row in sessions)
    assert all(0 <= float(row["return"]) <= 4 * float(row["length"]) for row in sessions)  # minutes watched, no shift


def test_a_killed_training_ends_with_the_same_numbers(
    train: Any, unjudged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.slateq.trainer import Trainer

    step = Trainer._step

    def dies(self: Trainer) -> None:
        if self.steps >= 640:
            raise KeyboardInterrupt
        step(self)

    config = replace(SMALL, out=tmp_path / "killed")
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", dies)
        with pytest.raises(KeyboardInterrupt):
            train.main(config)
    before = read_rows(config.out, "episodes")
    train.main(replace(config, resume=True))
    assert recorded(config.out) == recorded(unjudged)
    assert [row for row in read_rows(config.out, "episodes") if row in before] == before


@pytest.mark.slow
def test_a_run_folder_of_before_the_common_flags_goes_on(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings have other names, its checkpoint does not count decisions, and the audit is not kept."""
    from apps.slateq.trainer import Trainer
    from lmgt_core.guidance.shift_source import RewardShifter

    settings = {"judge": "oracle", "scale": 3.0, "rule": "annealed:exponential"}
    train.main(replace(SMALL, out=tmp_path / "unbroken", **settings))
    config = replace(SMALL, out=tmp_path / "old", **settings)
    step, state = Trainer._step, RewardShifter.state_dict

    def dies(self: Trainer) -> None:
        if self.steps >= 640:
            raise KeyboardInterrupt
        step(self)

    def uncounted(self: RewardShifter) -> dict[str, Any]:
        return {name: value for name, value in state(self).items() if name in ("rule", "stats")}

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_step", dies)
        patched.setattr(RewardShifter, "state_dict", uncounted)
        with pytest.raises(KeyboardInterrupt):
            train.main(config)
    file = config.out / "config.json"
    content = json.loads(file.read_text())
    old_name = {new: old for old, new in RENAMED.items()}
    unknown = ("judge_ahead",)  # flags that there were not
    content["settings"] = {
        old_name.get(name, name): value for name, value in content["settings"].items() if name not in unknown
    }
    file.write_text(json.dumps(content))
    (config.out / "audit.json").unlink()
    train.main(replace(config, resume=True))
    assert recorded(config.out) == recorded(tmp_path / "unbroken")


@pytest.mark.parametrize("users", [16, 1000])
def test_progress_ends_at_its_total(users: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.slateq.trainer import Trainer

    def serves(self: Trainer) -> None:
        self.steps += self.config.users

    for name, instead in (("_step", serves), ("_evaluate", lambda *_: None), ("_save", lambda *_: None)):
        monkeypatch.setattr(Trainer, name, instead)
    monkeypatch.setattr("apps.slateq.trainer.save_policy", lambda *_: None)
    ticks: list[int] = []
    with RunLog.create(tmp_path / "run", {}) as log:
        Trainer(replace(SMALL, users=users), 0, None, tmp_path / "run").train(log, ticks.append)
    assert sum(ticks) == SMALL.steps


def test_of_what_absl_says_only_the_harmless_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    from absl import logging as absl_logging

    from apps.slateq.tensorflow_setup import one_deterministic_thread

    one_deterministic_thread()
    logger = absl_logging.get_absl_logger()
    logger.addHandler(caplog.handler)
    try:
        logger.warning("`0/reward` is not a valid tf.function parameter name. Sanitizing to `arg_0_reward`.")
        logger.warning("out of memory")
    finally:
        logger.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"out of memory"}


def test_fixed_policies_are_compared_on_the_same_users(unjudged: Path, tmp_path: Path) -> None:
    from apps.slateq import evaluate

    policies = f"Random,MYOP-GS,quality,{unjudged}"
    config = EvaluateConfig(policies=policies, users=300, batch=300, json=tmp_path / "rows.json", out=tmp_path / "page")
    evaluate.main(config)
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert all(row.keys() >= {"policy", "metric", "mean", "ci95", "n"} for row in rows)
    returns = {row["policy"]: row for row in rows if row["metric"] == "return"}
    assert returns["quality"]["mean"] > returns["MYOP-GS"]["mean"] > returns["Random"]["mean"]
    assert returns["Random"]["ci95"][0] < 160.6 < returns["Random"]["ci95"][1]
    assert {row["metric"] for row in rows} >= {"return", "click_rate", "quality", "diversity", "length"}
    page = (tmp_path / "page" / "report.html").read_text()
    assert "PRIVILEGED" in page.upper()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"algorithm": "QL-XX"}, "--algorithm QL-XX"),
        ({"slate": 11}, "slate"),
        ({"vocabulary": "nowhere.txt"}, "nowhere.txt"),
        ({"judge": "gpt-9"}, "gpt-9"),
        ({"rule": "sideways"}, "sideways"),
        ({"seeds": ()}, "--seeds"),
        ({"simulator": "recsim"}, "--users 1"),
    ],
)
def test_a_mistake_is_named_before_anything_is_written(train: Any, change: dict, named: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=named) as raised:
        train.main(replace(SMALL, out=tmp_path / "run", **change))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_world_is_refused(unjudged: Path) -> None:
    from apps.slateq import evaluate

    with pytest.raises(UserError):
        evaluate.main(EvaluateConfig(policies=f"Random,{unjudged}", candidates=20, users=10))


def test_the_audit_lists_the_served_topics_and_the_probes(tmp_path: Path) -> None:
    from apps.slateq import audit

    rows = audit.main(AuditConfig(judge=("oracle",), json=tmp_path / "rows.json"))
    assert rows and json.loads((tmp_path / "rows.json").read_text())["rows"]
