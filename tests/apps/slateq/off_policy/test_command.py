"""`lmgt slateq estimate`: near the truth, resumable, plain about what it cannot tell."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as parquet

from apps.slateq.logs.config import ImportConfig, LogConfig
from apps.slateq.logs.import_command import main as import_log
from apps.slateq.logs.reader import Log
from apps.slateq.logs.record import main as write
from apps.slateq.off_policy import command
from apps.slateq.off_policy.config import EstimateConfig
from apps.slateq.off_policy.estimates import Estimate
from apps.slateq.off_policy.estimators import SESSION, SLATE
from lmgt_core.errors import UserError
from lmgt_core.files import read_json
from tests.lmgt_core.test_extras import run_without

WORLD = {"candidates": 5, "slate": 2, "session_steps": 3}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 1,500 short sessions, half of whose slates are random."""
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    write(LogConfig(policy="MYOP-GS", epsilon=0.5, sessions=1500, out=path, **WORLD))
    return path


def served(policy: str, tmp_path: Path) -> tuple[float, float]:
    """What a slate of sessions' first step and a session earn if the policy serves 6,000 other users."""
    path = tmp_path / "truth.parquet"
    write(LogConfig(policy=policy, epsilon=0.0, sessions=6000, seed=77, out=path, **WORLD))
    ((rows, _),) = Log(path).batches(rows=10**9)
    return float(rows.reward[rows.step == 0].mean()), float(rows.reward.sum() / 6000)


@pytest.mark.parametrize("policy", ["Random", "MYOP-GS"])
def test_what_is_estimated_of_sessions_is_what_the_policy_earns_when_it_serves(
    policy: str, log: Path, tmp_path: Path
) -> None:
    _, session = served(policy, tmp_path)
    result = command.main(EstimateConfig(log, policy=(policy,)))
    for row in result["estimates"]:
        if row["policy"] == policy and row["estimator"].removeprefix("sn-") in SESSION:
            low, high = row["ci95"]
            assert abs(row["value"] - session) < high - low, row
            assert row["warning"] == "" and abs(row["value"] / session - 1) < 0.15, row


def test_every_estimator_of_slates_is_near_the_others_where_weights_are_small(log: Path) -> None:
    rows = command.main(EstimateConfig(log, policy=("MYOP-GS?epsilon=.45",)))["estimates"]
    values = [row["value"] for row in rows if row["per"] == "slate" and row["policy"] != command.LOGGED]
    assert len(values) == 2 * len(SLATE) - 1 and max(values) - min(values) < 0.05


def test_the_log_s_own_policy_is_estimated_as_the_log_s_mean(log: Path) -> None:
    rows = {
        (row["policy"], row["estimator"]): row
        for row in command.main(EstimateConfig(log, policy=("MYOP-GS?epsilon=.5",)))["estimates"]
    }
    ((logged, _),) = Log(log).batches(rows=10**9)
    mean = rows[command.LOGGED, "the log's mean"]  # the last row of that name, of sessions
    assert mean["value"] == pytest.approx(logged.reward.sum() / 1500)
    for name in ("trajectory", "sn-trajectory", "pdis", "sn-pdis"):
        again = rows["MYOP-GS?epsilon=.5", name]
        assert again["value"] == pytest.approx(mean["value"]) and again["effective"] == pytest.approx(1500)
    assert rows["MYOP-GS?epsilon=.5", "pdis"]["ci95"] == pytest.approx(mean["ci95"])


def test_policies_serve_a_model_of_sessions_that_stands_beside_the_other_estimators(log: Path, tmp_path: Path) -> None:
    config = EstimateConfig(log, ("MYOP-GS", "Random"), "session-model", refits=20, out=tmp_path / "out")
    result = command.main(config)
    value = {(row["policy"], row["estimator"]): row for row in result["estimates"]}
    for policy in config.policy:
        _, truth = served(policy, tmp_path)
        model = value[policy, "session-model"]
        assert model["per"] == "session" and model["value"] == pytest.approx(truth, rel=0.06) and not model["warning"]
        assert model["value"] == pytest.approx(value[policy, "pdis-cv"]["value"], rel=0.1)
    assert result["decision"].startswith("By session-model, choose MYOP-GS")
    kept = read_json(tmp_path / "out" / "estimates.json")
    assert [row["of"] for row in kept["sessions"]][1] == "slates in a session"
    assert b"<svg" in (tmp_path / "out" / "sessions.svg").read_bytes()


def test_no_model_of_sessions_where_there_are_none_or_too_few(log: Path, tmp_path: Path) -> None:
    single, few = tmp_path / "single.parquet", tmp_path / "few.parquet"
    write(LogConfig(sessions=50, out=single, **WORLD | {"session_steps": 1}))
    write(LogConfig(sessions=20, out=few, **WORLD))
    with pytest.raises(UserError, match="is a single slate"):
        command.main(EstimateConfig(single, refits=20))
    with pytest.raises(UserError, match="too few to fit their ends"):
        command.main(EstimateConfig(few, refits=20))
    remembers = replace(command.make_evaluated("Random", Log(log)), remembers=True)
    with pytest.raises(UserError, match="looks at the session so far"):
        command.check_refits(EstimateConfig(log, refits=20), Log(log), [remembers])


def test_an_interrupted_estimation_goes_on_and_ends_as_an_unbroken_one(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EstimateConfig(log, policy=("Random", "MYOP-GS"), out=tmp_path / "out")
    whole = command.main(replace(config, out=tmp_path / "whole"))
    monkeypatch.setattr(command, "SAVE_EVERY", 0.0)
    begins, batches = [], Log.batches

    def small(self: Log, columns: Any, begin: int = 0, stop: int = 3) -> Iterator[Any]:
        begins.append(begin)
        for number, batch in enumerate(batches(self, columns, begin, rows=500)):
            if number == stop:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(Log, "batches", small)
    with pytest.raises(KeyboardInterrupt):
        command.main(config)
    with pytest.raises(UserError, match="--resume"):
        command.main(config)
    with pytest.raises(UserError, match="other policies"):
        command.main(replace(config, resume=True, policy=("Random",)))
    monkeypatch.setattr(Log, "batches", lambda self, columns, begin=0: small(self, columns, begin, stop=99))
    again = command.main(replace(config, resume=True))
    assert begins[0] == 0 and begins[-1] > 900
    assert again["decision"] == whole["decision"]
    for one, other in zip(again["estimates"], whole["estimates"], strict=True):
        assert one["value"] == pytest.approx(other["value"]) and one["ci95"] == pytest.approx(other["ci95"])
    assert read_json(tmp_path / "out" / "estimates.json")["decision"] == whole["decision"]
    assert b"<svg" in (tmp_path / "out" / "estimates.svg").read_bytes()


def test_an_imported_log_is_evaluated_by_its_columns_of_scores_and_slates(log: Path, tmp_path: Path) -> None:
    rows = parquet.read_table(log).to_pydict()
    ids = [[10 * i + 3 for i in range(5)] for _ in rows["slate"]]  # ids of their own, not places
    scores = [row[:5] for row in rows["choice_scores"]]
    best = [sorted(range(5), key=lambda i, row=row: -row[i])[:2] for row in scores]
    mine = {
        "session": [f"user {session}" for session in rows["session"]],
        "time": rows["time"],
        "candidates": ids,
        "slate": [[10 * i + 3 for i in slate] for slate in rows["slate"]],
        "propensity": rows["propensity"],
        "click": pa.array(rows["click"], pa.int32()),
        "reward": rows["reward"],
        "scores.liked": scores,
        "slates.best": [[10 * i + 3 for i in slate] for slate in best],
    }
    parquet.write_table(pa.table(mine), tmp_path / "mine.parquet")
    import_log(ImportConfig(tmp_path / "mine.parquet", out=tmp_path / "log.parquet"))
    policies = ("Random", "scores:liked", "slates:best", "scores:liked?temperature=.7")
    found = command.main(EstimateConfig(tmp_path / "log.parquet", policy=policies, decide="sn-ips"))
    value = {(row["policy"], row["estimator"]): row["value"] for row in found["estimates"]}
    assert value["scores:liked", "ips"] == pytest.approx(value["slates:best", "ips"])
    assert value["Random", "sn-ips"] < value["scores:liked?temperature=.7", "sn-ips"] < value["scores:liked", "sn-ips"]
    assert ("Random", "dr") not in value  # the log has no propensities of places
    original = command.main(EstimateConfig(log, policy=("Random",)))["estimates"]
    (same,) = [row for row in original if (row["policy"], row["estimator"]) == ("Random", "sn-ips")]
    assert value["Random", "sn-ips"] == pytest.approx(same["value"])
    with pytest.raises(UserError, match="no column propensities"):
        command.check(EstimateConfig(tmp_path / "log.parquet"))
    with pytest.raises(UserError, match="was imported"):
        command.check(EstimateConfig(tmp_path / "log.parquet", policy=("MYOP-GS",), decide="ips"))


def test_slates_and_candidates_may_differ_in_length_from_row_to_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    mine: dict[str, list[Any]] = {name: [] for name in ("session", "time", "candidates", "slate", "propensities")}
    mine |= {"click": [], "reward": [], "marginals": [], "scores.best": []}
    for row in range(3000):
        n, k = (4, 2) if row < 1000 else (int(rng.integers(2, 6)), int(rng.integers(1, 3)))
        slate = rng.permutation(n)[:k].tolist()
        click = 0 if slate[0] == 0 else None  # the first item is clicked wherever it stands on top
        values = (row // 2, row, [*range(n)], slate, [1 / (n - place) for place in range(k)], click)
        values += (0.0 if click is None else 1.0, [1 / n] * k, [float(n - item) for item in range(n)])
        for name, value in zip(mine, values, strict=True):
            mine[name].append(value)
    parquet.write_table(pa.table(mine | {"click": pa.array(mine["click"], pa.int32())}), tmp_path / "mine.parquet")
    import_log(ImportConfig(tmp_path / "mine.parquet", out=tmp_path / "log.parquet"))
    config = EstimateConfig(tmp_path / "log.parquet", policy=("scores:best",), refits=20)
    whole = command.main(config)["estimates"]
    for row in whole:  # the best item is always on top, so everything is clicked
        if row["policy"] == "scores:best" and row["per"] == "slate":
            if row["estimator"] == "model":  # which cannot say such a thing, and is found out
                assert "off by" in row["warning"]
            else:
                assert row["value"] == pytest.approx(1, abs=0.1), row
    batches = Log.batches
    monkeypatch.setattr(Log, "batches", lambda self, columns, begin=0: batches(self, columns, begin, rows=100))
    for one, other in zip(command.main(config)["estimates"], whole, strict=True):
        assert one["value"] == pytest.approx(other["value"]) and one["effective"] == pytest.approx(other["effective"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policy": ("nowhere",)}, "nowhere: neither a run directory nor a policy"),
        ({"policy": ("scores:x",)}, "no column scores.x"),
        ({"policy": ("Random?epsilon=2",)}, "between 0 and 1"),
        ({"policy": ("Random?colour=2",)}, "no such option colour"),
        ({"policy": ("Random?epsilon=few",)}, "is a number, not few"),
        ({"decide": "magic"}, "no such estimator"),
        ({"resamples": 3}, "--resamples 3"),
        ({"refits": 3}, "--refits 3"),
        ({"decide": "session-model"}, "give --refits"),
        ({"resume": True, "out": None}, "--resume: name the folder"),
        ({"log": Path("nowhere.parquet")}, "nowhere.parquet: no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_estimated_is_refused(change: dict[str, Any], said: str, log: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        command.main(EstimateConfig(**{"log": log, "out": tmp_path / "out"} | change))
    assert not (tmp_path / "out").exists()


def estimate(value: float, spread: float, warning: str = "", seed: int = 0) -> Estimate:
    drawn = np.random.default_rng(seed).normal(value, spread, 200)
    return Estimate("dr", "slate", np.r_[value, drawn], 500, 1.0, warning)


def test_a_decision_is_made_where_the_interval_of_the_difference_leaves_no_doubt() -> None:
    config = EstimateConfig(Path("log.parquet"), decide="dr")
    clear = command.decision(config, {"A": [estimate(1, 0.1)], "B": [estimate(2, 0.1, seed=1)]})
    assert clear.startswith("By dr, choose B: 1.000 [0.") and "more than A for each slate" in clear
    reverse = command.decision(config, {"A": [estimate(2, 0.1)], "B": [estimate(1, 0.1, seed=1)]})
    assert reverse.startswith("By dr, choose A: 1.000 [0.") and "more than B" in reverse
    unclear = command.decision(config, {"A": [estimate(1, 0.5)], "B": [estimate(1.1, 0.5, seed=1)]})
    assert unclear.startswith("By dr, this log cannot tell B from A: +0.100 [-")
    warned = command.decision(config, {"A": [estimate(1, 0.1)], "B": [estimate(2, 0.1, "too few", seed=1)]})
    assert "does not tell" in warned and "B: too few" in warned and "choose" not in warned


def test_a_log_of_one_s_own_is_imported_and_evaluated_without_tensorflow_or_a_simulator(tmp_path: Path) -> None:
    slates = {"session": [1, 1, 2], "time": [0, 1, 0], "candidates": [[1, 2]] * 3, "slate": [[1], [2], [2]]}
    more = {"propensities": [[0.5]] * 3, "click": pa.array([0, None, 0], pa.int32()), "reward": [1.0, 0.0, 3.0]}
    parquet.write_table(pa.table({**slates, **more, "scores.a": [[0.0, 1.0]] * 3}), tmp_path / "mine.parquet")
    program = "from apps.cli import run; run(['slateq', 'import', 'mine.parquet']); "
    program += (
        "run(['slateq', 'estimate', 'log.parquet', '--policy', 'scores:a', '--decide', 'ips', '--json', 'a.json'])"
    )
    done = run_without(("tensorflow", "tf_agents", "recsim", "torch"), program, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {(row["policy"], row["estimator"]): row for row in read_json(tmp_path / "a.json")["rows"]}
    assert rows["scores:a", "ips"]["value"] == pytest.approx((0 + 2 * 0 + 2 * 3) / 3)
    assert "too few" in rows["scores:a", "ips"]["warning"]


@pytest.mark.slow
def test_a_trained_policy_serves_logs_and_is_estimated(tmp_path: Path) -> None:
    from apps.slateq.train import main as train
    from apps.slateq.train_config import TrainConfig

    run = tmp_path / "run"
    train(TrainConfig(algorithm="tabular", steps=3000, users=64, seeds=(0,), out=run, **WORLD))
    path = tmp_path / "log.parquet"
    write(LogConfig(policy=str(run), epsilon=0.5, sessions=300, out=path, **WORLD))
    ((rows, _),) = Log(path).batches(["propensities", "marginals"], rows=10**9)
    rows_of = {r["estimator"]: r for r in command.main(EstimateConfig(path, (f"{run}?epsilon=.5",)))["estimates"]}
    assert rows_of["trajectory"]["value"] == pytest.approx(rows.reward.sum() / 300)
    with pytest.raises(UserError, match="was trained with --candidates 5"):
        other = tmp_path / "other.parquet"
        write(LogConfig(sessions=20, session_steps=2, out=other))
        command.check(EstimateConfig(other, (str(run),)))
