"""Logs that are written in simulated worlds, and what is read back of them."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
import pyarrow.parquet as parquet

from apps.slateq.config import EvolutionConfig
from apps.slateq.logs.config import LogConfig
from apps.slateq.logs.reader import Log
from apps.slateq.logs.record import main, world_of
from apps.slateq.logs.schema import NOTHING
from apps.slateq.off_policy.distributions import Mixture
from apps.slateq.off_policy.policies import make_evaluated, world_from
from lmgt_core.errors import UserError

SMALL = {"candidates": 5, "slate": 2, "budget": 12.0, "sessions": 30, "batch": 12}
EVERYTHING = ("context", "features", "history", "choice_scores")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A small log of the myopic policy."""
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    main(LogConfig(policy="MYOP-GS", epsilon=0.4, out=path, **SMALL))
    return Log(path)


def test_the_log_holds_whole_sessions_one_after_the_other(log: Log) -> None:
    table = parquet.read_table(log.path).to_pydict()
    session, step = np.array(table["session"]), np.array(table["step"])
    assert sorted(set(session.tolist())) == list(range(30))
    begins = np.r_[True, session[1:] != session[:-1]]
    assert begins.sum() == 30 and (step[begins] == 0).all() and (np.diff(step)[~begins[1:]] == 1).all()
    time = np.array(table["time"])
    assert (time[begins] == 0).all() and (np.diff(time)[~begins[1:]] > 0).all()


def test_a_session_lasts_until_its_budget_is_spent(log: Log) -> None:
    table = parquet.read_table(log.path).to_pydict()
    minutes = {}
    for session, reward, click in zip(table["session"], table["reward"], table["click"], strict=True):
        assert (reward == 0) == (click is None)
        minutes[session] = minutes.get(session, 0) + reward
    assert min(minutes.values()) >= 4 and max(minutes.values()) < 80


def test_logged_probabilities_are_those_of_the_policy_that_served(log: Log) -> None:
    policy = make_evaluated("MYOP-GS?epsilon=.4", log)
    for rows, _ in log.batches([*policy.columns, "propensities", "marginals"]):
        again = policy.distribution(rows)
        assert isinstance(again, Mixture)
        np.testing.assert_allclose(again.prefixes(rows.slate), np.cumprod(rows.propensities, axis=1))
        np.testing.assert_allclose(again.prefixes(rows.slate)[:, -1], rows.propensity)
        np.testing.assert_allclose(again.items(rows.slate), rows.marginals)
        share = (rows.slate == again.shown).all(axis=1).mean()
        assert share == pytest.approx(0.6 + 0.4 / 20, abs=0.15)


def test_batches_are_whole_sessions_and_begin_anywhere(log: Log) -> None:
    ((whole, end),) = log.batches(EVERYTHING)
    assert end == log.rows == len(whole)
    pieces = list(log.batches(EVERYTHING, rows=20))
    assert len(pieces) > 3 and pieces[-1][1] == log.rows
    for field in ("key", "step", "slate", "click", "reward"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, field) for p, _ in pieces]), getattr(whole, field))
    for column in EVERYTHING:
        np.testing.assert_array_equal(np.concatenate([p.more[column] for p, _ in pieces]), whole.more[column])
    for _, end in pieces[:-1]:
        assert whole.step[end] == 0
        (rest, _), *_ = log.batches(begin=end)
        np.testing.assert_array_equal(rest.slate, whole.slate[end : end + len(rest)])


def test_a_sample_holds_whole_sessions_only(log: Log) -> None:
    sample = log.sample(EVERYTHING, 60)
    assert sample is not None and 0 < len(sample) <= 80
    assert (sample.step[sample.begins] == 0).all()
    ((whole, _),) = log.batches()
    lengths = dict(zip(whole.key[whole.begins], np.diff(np.r_[whole.begins, len(whole)]), strict=True))
    for key, length in zip(sample.key[sample.begins], np.diff(np.r_[sample.begins, len(sample)]), strict=True):
        assert lengths[key] == length


def test_no_click_is_a_null_in_the_file_and_nothing_in_the_arrays(log: Log) -> None:
    ((rows, _),) = log.batches()
    empty = [click is None for click in parquet.read_table(log.path).column("click").to_pylist()]
    assert any(empty) and (rows.click == NOTHING).tolist() == empty


def test_equal_seeds_write_equal_rows_and_the_world_is_kept(log: Log, tmp_path: Path) -> None:
    config = LogConfig(policy="MYOP-GS", epsilon=0.4, out=tmp_path / "b.parquet", **SMALL)
    main(config)
    assert parquet.read_table(config.out).equals(parquet.read_table(log.path))
    assert world_from(log) == world_of(config)
    other = LogConfig(env="interest-exploration", session_steps=4, sessions=5, out=tmp_path / "c.parquet")
    main(other)
    assert world_from(Log(other.out)) == world_of(other)
    assert max(parquet.read_table(other.out).column("step").to_pylist()) == 3 == Log(other.out).last_step


def test_a_random_policy_s_slates_are_equally_likely(tmp_path: Path) -> None:
    main(LogConfig(policy="Random", epsilon=0.0, out=tmp_path / "a.parquet", **SMALL | {"sessions": 3}))
    ((rows, _),) = Log(tmp_path / "a.parquet").batches(["marginals"])
    assert rows.propensity == pytest.approx(1 / 20) and rows.marginals == pytest.approx(1 / 5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"policy": "UCB"}, "UCB"),
        ({"policy": "nowhere"}, "nowhere"),
        ({"epsilon": 1.5}, "--epsilon"),
        ({"sessions": 0}, "--sessions"),
        ({"slate": 6}, "--slate"),
        ({"evolution": EvolutionConfig(no_click_mass=-5)}, "--no-click-mass"),
    ],
    ids=["online", "unknown", "epsilon", "sessions", "slate", "world"],
)
def test_what_cannot_be_logged_is_refused_and_nothing_is_written(change: dict, named: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=named):
        main(LogConfig(**SMALL | {"out": tmp_path / "a.parquet"} | change))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no such thing")
    with pytest.raises(UserError, match=r"a\.parquet: cannot be read as Parquet"):
        Log(tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"b\.parquet: no such file"):
        Log(tmp_path / "b.parquet")
