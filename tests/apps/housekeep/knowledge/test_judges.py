from pathlib import Path

import pytest

from apps.housekeep.knowledge.common_sense import PLACES_OF
from apps.housekeep.knowledge.judges import knowledge, make_context
from lmgt_core.errors import UserError
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.registry import make_judge
from lmgt_core.testing.judge import JudgeContract
from tests.apps.housekeep.small_world import question, small_labels
from tests.apps.housekeep.test_oracle import episode
from tests.shared_data import HOUSEKEEP, needs_shared


def test_without_votes_the_table_is_what_is_known():
    labels = knowledge(None, None)
    assert labels.source == "table"
    assert labels.truth.places_of == PLACES_OF


@needs_shared
def test_votes_are_read_with_their_splits():
    labels = knowledge(HOUSEKEEP / "human_votes.npy", HOUSEKEEP / "object_splits.yaml")
    assert labels.source == "votes"
    assert labels.correct.shape == (128, 269)
    assert {split: len(names) for split, names in labels.splits.items()} == {"train": 110, "val": 27, "test": 132}
    assert ((labels.share >= 0.6 - 1e-9) == labels.correct).all()  # 6 of 10


@needs_shared
def test_a_split_object_without_votes_is_named(tmp_path):
    splits = tmp_path / "splits.yaml"
    text = (HOUSEKEEP / "object_splits.yaml").read_text()
    splits.write_text(text.replace("- apple\n", "- spaceship\n"))
    with pytest.raises(UserError, match=r"splits.yaml: test object spaceship has no votes"):
        knowledge(HOUSEKEEP / "human_votes.npy", splits)


def test_votes_without_splits_are_refused():
    with pytest.raises(UserError, match="go together"):
        knowledge(Path("data.npy"), None)


def test_the_expert_reads_the_episodes_where_there_are_some():
    labels = small_labels()
    prompt = question("place", "plate", "fridge", "kitchen")
    assert make_context(labels).oracle(prompt) is Verdict.BAD
    odd = make_context(labels, [episode(0, [[0], [1]], objects=("plate",))])
    assert odd.oracle(prompt) is Verdict.GOOD
    assert odd.oracle_id != make_context(labels).oracle_id


def test_a_question_that_the_episodes_cannot_answer_is_unreadable():
    oracle = make_judge("oracle", make_context(small_labels(), [episode(0, [[0, 1], [1, 0]])]))
    (answer,) = oracle.judge([question("place", "spaceship", "fridge", "kitchen")])
    assert answer.verdict is Verdict.UNREADABLE


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("minilm", JudgeKind.EMBEDDING),
        ("minilm:published", JudgeKind.EMBEDDING),
        ("preference", JudgeKind.TRAINED),
        ("preference:held-out", JudgeKind.TRAINED),
    ],
)
def test_a_judge_is_made_from_its_name(spec, kind):
    judge = make_judge(spec, make_context(small_labels()))
    assert judge.kind is kind
    again = make_judge(spec, make_context(small_labels()))
    prompts = [question(k, "bread_knife", "counter", "kitchen") for k in ("pick", "place")]
    assert judge.id == again.id
    assert judge.judge(prompts) == again.judge(prompts)


@pytest.mark.parametrize("spec", ["minilm:huge", "preference:mine"])
def test_an_unknown_argument_is_an_error_that_names_the_known_ones(spec):
    with pytest.raises(UserError, match=rf"--judge {spec}: use .* or "):
        make_judge(spec, make_context(small_labels()))


class HousekeepJudgeContract(JudgeContract):
    def prompts(self):
        return [
            question(k, o, r, "kitchen")
            for k in ("pick", "place")
            for o in ("fork", "novel")
            for r in ("counter", "oven")
        ]


class TestMiniLM(HousekeepJudgeContract):
    def make_judge(self):
        return make_judge("minilm", make_context(small_labels()))


class TestPreference(HousekeepJudgeContract):
    def make_judge(self):
        return make_judge("preference", make_context(small_labels()))


class TestHeldOutPreference(HousekeepJudgeContract):
    def make_judge(self):
        return make_judge("preference:held-out", make_context(small_labels()))
