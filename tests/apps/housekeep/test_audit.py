import json
from dataclasses import replace

import numpy as np
import pytest

from apps.housekeep import audit
from apps.housekeep.audit import (
    halves,
    judge_name,
    main,
    popularity,
    random_scores,
    rank_draws,
    rank_judge,
    rank_zero_shot,
)
from apps.housekeep.config import AuditConfig
from apps.housekeep.knowledge.judges import make_context
from apps.housekeep.knowledge.labels import labels_from_votes
from apps.housekeep.knowledge.ranking import rank
from lmgt_core.errors import UserError
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.registry import make_judge
from tests.apps.housekeep.small_world import small_labels
from tests.shared_data import HOUSEKEEP, needs_shared

COLUMNS = ["scorer", "split", "orr_map", "or_map", "pooled_auc", "within_receptacle_auc", "n"]


def row(rows, scorer: str, split: str = "test"):
    (found,) = (r for r in rows if r["scorer"].startswith(scorer) and r["split"] == split)
    return found


def test_the_built_in_table_is_audited_without_files(tmp_path, capsys):
    path = tmp_path / "rows.json"
    rows = main(AuditConfig(judge=("oracle",), json=path))
    assert json.loads(path.read_text())["rows"] == rows
    assert all(list(r) == COLUMNS for r in rows)
    assert [r["split"] for r in rows[:3]] == ["test"] * 3
    oracle = row(rows, "oracle (oracle, privileged)")
    assert (oracle["orr_map"], oracle["pooled_auc"], oracle["within_receptacle_auc"]) == (1.0, 1.0, 1.0)
    assert row(rows, "popularity")["within_receptacle_auc"] == 0.5
    assert "popularity" in capsys.readouterr().out


VOTES, SPLITS = HOUSEKEEP / "human_votes.npy", HOUSEKEEP / "object_splits.yaml"


@needs_shared
def test_the_published_rows_are_reproduced():
    rows = main(AuditConfig(judge=("preference",), votes=VOTES, splits=SPLITS))
    published = {  # shared/housekeep/README.md: ORR mAP, pooled AUC, AUC within a receptacle; test objects
        "random": (0.465, 0.506, 0.500),
        "popularity": (0.846, 0.888, 0.500),
        "preference": (0.847, 0.898, 0.590),
    }
    for scorer, expected in published.items():
        found = row(rows, scorer)
        numbers = (found["orr_map"], found["pooled_auc"], found["within_receptacle_auc"])
        assert numbers == pytest.approx(expected, abs=0.01), scorer
        assert found["n"] == 131
    assert row(rows, "people")["pooled_auc"] == pytest.approx(0.756, abs=0.01)


@needs_shared
def test_the_published_zero_shot_row_is_reproduced():
    labels = labels_from_votes(VOTES, SPLITS)
    found = rank_zero_shot(labels.only([name for name in labels.splits["test"] if name != "guitar"]))
    numbers = (found.orr_map, found.pooled_auc, found.within_receptacle_auc)
    assert numbers == pytest.approx((0.624, 0.594, 0.525), abs=0.01)


def test_the_plain_cosines_stand_beside_minilm(capsys):
    rows = main(AuditConfig(judge=("minilm",)))
    scorers = [r["scorer"].split(" (")[0] for r in rows if r["split"] == "test"]
    assert scorers == ["random", "popularity", "MiniLM zero-shot", "minilm"]


def test_no_judge_cannot_be_audited():
    with pytest.raises(UserError, match="--judge none: there is nothing to audit"):
        main(AuditConfig(judge=("none",)))


def test_votes_without_splits_are_refused(tmp_path):
    with pytest.raises(UserError, match="--votes and --splits go together"):
        main(AuditConfig(votes=tmp_path / "data.npy"))


def test_any_judge_is_ranked_by_good_less_bad():
    labels = small_labels()
    oracle = make_judge("oracle", make_context(labels))
    random = make_judge("random", make_context(labels))
    assert rank_judge(oracle, labels).pooled_auc == 1.0
    assert 0.3 < rank_judge(random, labels).pooled_auc < 0.7


class Mumbling:
    """A judge that cannot be understood."""

    id, kind, cacheable = "mumbling", "control (no model)", False

    def judge(self, prompts):
        return [Judgment(Verdict.UNREADABLE, reason="mumbled") for _ in prompts]


def test_unreadable_answers_score_nothing_and_are_counted(monkeypatch, capsys):
    monkeypatch.setattr(audit, "_judge", lambda spec, labels: Mumbling())
    rows = main(AuditConfig(judge=("mumbling",)))
    assert row(rows, "mumbling")["pooled_auc"] == 0.5
    pairs = 39 * 93  # places and objects of the table
    assert f"mumbling: {pairs:,} answers were unreadable" in " ".join(capsys.readouterr().out.split())


def test_a_trained_judge_says_what_it_was_trained_on():
    labels = small_labels()
    names = {
        spec: judge_name(spec, make_judge(spec, make_context(labels)), labels) for spec in ("preference", "minilm")
    }
    assert names["preference"] == "preference (trained on train votes)"
    assert names["minilm"] == "minilm (embedding model, calibrated on train votes)"


def test_popularity_counts_train_objects_only():
    labels = small_labels()
    assert popularity(labels).tolist() == pytest.approx([1 / 3] * 6)
    only_kitchen = replace(labels, splits=labels.splits | {"train": ("plate", "fork")})
    assert popularity(only_kitchen).tolist() == [1, 1, 0, 0, 0, 0]


def test_random_scores_are_always_the_same_and_near_chance():
    labels = small_labels()
    assert rank_draws(labels, random_scores) == rank_draws(labels, random_scores)
    assert rank_draws(labels, random_scores).pooled_auc == pytest.approx(0.5, abs=0.05)


def test_people_who_agree_predict_each_other():
    labels = small_labels()
    agreed = replace(labels, liked=np.repeat(labels.correct[:, :, None], 10, axis=2))
    correct, scores = halves(agreed, np.random.default_rng(0))
    np.testing.assert_array_equal(correct, labels.correct)
    assert rank(correct, scores, labels.places).pooled_auc == 1.0


def test_the_halves_are_different_people():
    votes = np.zeros((1, 1, 10), bool)
    votes[..., :5] = True
    labels = replace(small_labels(), liked=votes)
    for seed in range(20):
        correct, share = halves(labels, np.random.default_rng(seed))
        others_who_like_it = 5 - round(share.item() * 5)
        assert correct.item() == (others_who_like_it >= 3)
