from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from apps.housekeep.knowledge.preference import PreferenceJudge
from apps.housekeep.oracle import verdict
from apps.housekeep.probes import probe_set, random_play
from lmgt_core.audit.unseen import unseen
from lmgt_core.judges.ensemble import EnsembleJudge
from lmgt_core.judges.oracle import OracleJudge
from lmgt_core.judging.judgment import Verdict
from tests.apps.housekeep.small_world import TEMPLATE, small_labels


def probes(n: int, seed: int = 0, split: str = "val"):
    return probe_set(small_labels(), TEMPLATE.render, np.random.default_rng(seed), n, split)


def test_both_answers_to_both_kinds_are_equally_many():
    counts = Counter((probe.prompt.facts["kind"], probe.label) for probe in probes(20))
    assert counts == {(kind, label): 5 for kind in ("pick", "place") for label in (Verdict.GOOD, Verdict.BAD)}


def test_no_question_is_asked_twice():
    digests = [probe.prompt.digest for probe in probes(24)]
    assert len(set(digests)) == len(digests) == 24


def test_there_are_fewer_where_answers_run_out():
    assert len(probes(10_000)) == 24  # 3 objects belong at 2 of 6 places: 6 right pairs, for 2 kinds and 2 answers


@pytest.mark.parametrize("split", ["val", "test"])
def test_probes_are_about_objects_of_their_split_only(split):
    labels = small_labels()
    assert {probe.group for probe in probes(40, split=split)} <= set(labels.splits[split])


def test_a_probes_label_is_the_truth_and_its_group_its_object():
    truth = small_labels().truth
    for probe in probes(24):
        assert probe.label is verdict(probe.prompt, truth)
        assert probe.group == probe.prompt.facts["object"]


def test_random_play_is_right_in_half_of_the_picks_and_seldom_in_places():
    labels = small_labels()
    good = (0.5 + labels.train.correct.mean()) / 2
    assert random_play(labels).numbers == {Verdict.GOOD: good, Verdict.BAD: 1 - good}


def test_a_judge_that_was_fitted_is_audited_on_validation_objects_alone():
    labels = small_labels()
    known = SimpleNamespace(revision="r", digest="d")
    model = SimpleNamespace(encoder=known, calibration=known, digest="d")
    asked = probes(24) + probes(24, split="train")
    fitted = PreferenceJudge(model, "h", False, labels.splits["train"])
    assert {probe.group for probe in unseen(fitted, asked)} == set(labels.splits["val"])
    assert unseen(EnsembleJudge([OracleJudge(labels.truth, "h", "t"), fitted]), asked) == unseen(fitted, asked)
    assert unseen(OracleJudge(labels.truth, "h", "t"), asked) == asked


def test_the_same_generator_gives_the_same_probes():
    assert probes(20, seed=3) == probes(20, seed=3)
    assert probes(20, seed=3) != probes(20, seed=4)
