"""Ranks, regrets and conclusions under several user models: by hand, and with what pairing has to give."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.slateq import evaluate
from apps.slateq.config import WorldConfig
from apps.slateq.evaluation_entries import Entry, was_told_the_truth
from apps.slateq.robust.claims import claims_of, outcomes_of
from apps.slateq.robust.findings import findings_of
from apps.slateq.robust.orders import ranks, regrets, resampled_means, worst_regrets
from apps.slateq.robust.user_models import world_with
from apps.slateq.train_config import EvaluateConfig, TrainConfig
from lmgt_core.errors import UserError

WORLD = WorldConfig()


def test_ranks_are_places_and_equal_means_share_theirs() -> None:
    assert ranks(np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 1.0]])).tolist() == [[3, 1, 2], [1.5, 1.5, 3]]


def test_the_worst_regret_is_the_largest_under_any_user_model() -> None:
    means = np.array([[10.0, 8.0, 0.0], [1.0, 4.0, 5.0]])  # [user model, policy]
    assert regrets(means).tolist() == [[0, 2, 10], [4, 1, 0]]
    assert worst_regrets(means).tolist() == [4, 2, 10]


def test_policies_are_compared_on_the_same_draws_of_users() -> None:
    users = np.random.default_rng(0).normal(100, 50, size=(1, 500))
    means = resampled_means({"a": {"one": users, "other": np.vstack([users, users]) + 1}})
    np.testing.assert_allclose(means.resampled[:, 0, 1] - means.resampled[:, 0, 0], 1)
    assert np.ptp(means.resampled[:, 0, 0]) > 5
    np.testing.assert_allclose(means.found, [[users.mean(), users.mean() + 1]])
    np.testing.assert_allclose(means.resampled[:, 0, 0].std(), 50 / np.sqrt(500), rtol=0.15)


def test_training_seeds_are_drawn_alike_under_every_user_model() -> None:
    seeds = np.array([[0.0] * 10, [10.0] * 10])
    means = resampled_means({"a": {"one": seeds}, "b": {"one": seeds + 5}})
    np.testing.assert_allclose(means.resampled[:, 1, 0] - means.resampled[:, 0, 0], 5)
    assert {*means.resampled[:, 0, 0].round(6)} == {0.0, 5.0, 10.0}


def test_policies_that_served_other_users_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same users"):
        resampled_means({"a": {"one": np.zeros((1, 3)), "other": np.zeros((1, 4))}})


def learned(name: str, algorithm: str, users: str = "proportional", judge: str = "none", **more: Any) -> Entry:
    return Entry(name, "", [], world_with(users, WORLD), algorithm, judge, **more)


RANDOM, MYOPIC = Entry("Random", "", [], WORLD), Entry("MYOP-TS", "", [], WORLD)
QUALITY = Entry("quality", "", [], WORLD, privileged=True)
TOP_K, GREEDY, VALUED = (learned(name, name) for name in ("QL-TT-TS", "QL-OT-GS", "QL-TT-TS-N"))
AWAY = learned("away", "QL-TT-TS", "cascade")
JUDGED = learned("judged", "QL-TT-TS", judge="minilm")


def claimed(*entries: Entry) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {claim.text: (claim.better, claim.worse) for claim in claims_of(entries, ["proportional", "cascade"])}


def test_claims_are_made_of_the_policies_that_are_there() -> None:
    under = "trained under proportional users"
    assert claimed(RANDOM, QUALITY) == {}
    assert claimed(RANDOM, MYOPIC) == {"myopic policies beat Random": (("MYOP-TS",), ("Random",))}
    found = claimed(RANDOM, MYOPIC, TOP_K, GREEDY, VALUED, AWAY, JUDGED)
    assert found[f"SlateQ {under} beats myopic"] == (("QL-TT-TS", "QL-OT-GS"), ("MYOP-TS",))
    assert found["SlateQ trained under cascade users beats myopic"] == (("away",), ("MYOP-TS",))
    assert found[f"{under}, greedy and optimal slates beat top-k"] == (("QL-OT-GS",), ("QL-TT-TS",))
    assert found[f"{under}, valuing no click pays"] == (("QL-TT-TS-N",), ("QL-TT-TS",))
    assert found[f"{under}, the judge minilm helps"] == (("judged",), ("QL-TT-TS",))
    assert found["training under proportional users beats training under others"] == (("QL-TT-TS",), ("away",))
    assert found["training under cascade users beats training under others"] == (("away",), ("QL-TT-TS",))


def test_a_claim_holds_is_reversed_or_open_by_its_paired_interval() -> None:
    rng = np.random.default_rng(0)
    users, noise = rng.normal(0, 50, size=(1, 400)), rng.normal(0, 1, size=(1, 400))
    returns = {
        model: {"Random": users, "MYOP-TS": users + noise + shift}
        for model, shift in (("a", 1.0), ("b", -1.0), ("c", -noise.mean()))
    }
    means = resampled_means(returns)
    found = {one.users: one for one in outcomes_of(claims_of([RANDOM, MYOPIC], list(returns)), means)}
    assert [found[model].verdict for model in "abc"] == ["holds", "reversed", "open"]
    assert found["a"].difference == pytest.approx(1 + noise.mean())


def test_what_is_privileged_has_no_rank_and_is_no_rival() -> None:
    steady, lucky = np.full((1, 50), 9.0), np.full((1, 50), 10.0)
    returns = {
        "a": {"Random": steady, "MYOP-TS": lucky, "quality": lucky * 9},
        "b": {"Random": steady, "MYOP-TS": lucky - 5, "quality": lucky * 9},
    }
    found = findings_of([RANDOM, MYOPIC, QUALITY], returns)
    assert found is not None and found.choice is not None
    assert list(found.choice.policies) == ["Random"] and found.choice.regret == 1 and found.choice.share == 1
    assert found.worst["MYOP-TS"][0] == 4 and "quality" not in found.worst
    assert "Least to regret: Random, at most 1.0 [1.0, 1.0] behind" in found.sentence()
    lines = {line["policy"]: line for line in found.table()}
    assert lines["MYOP-TS"]["a"] == "10.0 +- 0.0, rank 1 [1, 1]" and lines["quality"]["a"] == "90.0 +- 0.0, privileged"
    assert lines["quality"]["worst regret"] is None
    assert json.loads(json.dumps(found.as_dict()))["minimax_regret"]["policies"] == ["Random"]


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ({"judge_kind": "oracle (privileged)"}, True),
        ({"judge_kind": "embedding model", "watch": {"0": {}}}, True),
        ({"judge_kind": "embedding model"}, False),
        ({"judge_kind": "none"}, False),
    ],
    ids=["oracle", "watched", "model", "none"],
)
def test_a_run_whose_judge_was_told_the_truth_is_privileged(
    summary: dict[str, Any], told: bool, tmp_path: Path
) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert was_told_the_truth(tmp_path) is told


def test_policies_that_serve_the_same_share_the_choice() -> None:
    same = np.arange(20.0)[None]
    found = findings_of([RANDOM, MYOPIC], {"a": {"Random": same, "MYOP-TS": same}})
    assert found is not None and "Random and MYOP-TS" in found.sentence() and "under a users" in found.sentence()


SMALL = EvaluateConfig(policies="Random,MYOP-GS,quality", users=30, batch=20, candidates=5, slate=2, budget=20.0)


def test_one_user_model_alone_gives_the_numbers_of_the_flags() -> None:
    for name, choice in (("proportional", None), ("logit", "multinomial-logit"), ("cascade", "proportional-cascade")):
        by_flag = evaluate.main(replace(SMALL, choice_model=choice))
        by_name = evaluate.main(replace(SMALL, users_model=name))
        assert [{"users": name} | row for row in by_flag] == by_name


def test_several_user_models_are_told_in_the_file_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = "proportional,cascade,logit:drawn"
    rows = evaluate.main(replace(SMALL, users_model=models, out=tmp_path, json=tmp_path / "found.json"))
    assert list(dict.fromkeys(row["users"] for row in rows)) == models.split(",")
    content = json.loads((tmp_path / "found.json").read_text())
    assert content == json.loads((tmp_path / "rows.json").read_text()) and len(content["rows"]) == len(rows)
    robust = content["robust"]
    assert len(robust["orders"]) == 9 and {one["rank"] for one in robust["orders"]} == {None, 1, 2}
    assert {one["users"] for one in robust["conclusions"]} == {*models.split(",")}
    page = (tmp_path / "report.html").read_text()
    assert "Least to regret: MYOP-GS" in page and "<h2>Users: logit:drawn</h2>" in page
    assert page.count("<figure>") == 1 + 3 * 3 and "Share of pairs of documents in a slate" in page
    assert "Least to regret: MYOP-GS" in capsys.readouterr().out


class Asked(Exception):
    """Raised in place of training, with the config."""


@pytest.fixture()
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(config: TrainConfig) -> None:
        raise Asked(config)

    monkeypatch.setattr("apps.slateq.train.main", ask)


@pytest.mark.parametrize(
    ("policy", "choice"),
    [("QL-TT-TS", "multinomial-logit"), ("QL-TT-TS@cascade", "proportional-cascade")],
)
@pytest.mark.usefixtures("asked")
def test_a_policy_is_trained_under_the_first_users_or_those_in_its_name(
    policy: str, choice: str, tmp_path: Path
) -> None:
    config = replace(SMALL, policies=policy, users_model="logit,proportional", out=tmp_path)
    with pytest.raises(Asked) as raised:
        evaluate.main(config)
    trained = raised.value.args[0]
    assert (trained.algorithm, trained.choice_model, trained.out) == ("QL-TT-TS", choice, tmp_path / "trained" / policy)


def test_policies_trained_under_users_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--users-model nobody: no such users"):
        evaluate.main(replace(SMALL, policies="QL-TT-TS@nobody", users_model="logit", out=tmp_path))
    assert not list(tmp_path.iterdir())
