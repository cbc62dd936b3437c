"""The names of topics: the committed ones, a user's own, and the shuffled control."""

from pathlib import Path

import numpy as np
import pytest

from apps.slateq.simulator.interest_evolution import topic_means
from apps.slateq.vocabulary import load_vocabulary
from lmgt_core.errors import UserError

EVOLUTION = "interest-evolution"


def test_the_committed_names_stand_in_the_order_of_recsims_qualities() -> None:
    names = load_vocabulary("builtin", EVOLUTION, 20).names
    assert len(set(names)) == 20
    assert names[0] == "celebrity gossip" and names[-1] == "science lectures"
    assert (np.diff(topic_means()) >= 0).all()  # so that worst first is right
    assert (topic_means()[:14] <= 0).all() and (topic_means()[14:] >= 0).all()


def test_no_probe_topic_is_served_or_fits_judges_and_audits_them() -> None:
    vocabulary = load_vocabulary("builtin", EVOLUTION, 20)
    served, train, audit = set(vocabulary.names), set(vocabulary.train), set(vocabulary.audit)
    assert not served & train and not served & audit and not train & audit
    assert len(train) == len(audit) == 40
    assert sum(vocabulary.train.values()) == sum(vocabulary.audit.values()) == 20


@pytest.mark.parametrize(("environment", "topics"), [("interest-exploration", 2), ("long-term-satisfaction", 5)])
def test_every_world_has_a_name_for_each_topic(environment: str, topics: int) -> None:
    vocabulary = load_vocabulary("builtin", environment, topics)  # type: ignore[arg-type]
    assert len(vocabulary.names) == topics and not vocabulary.audit and vocabulary.train


def test_shuffling_moves_names_and_audit_labels_but_not_what_judges_are_fitted_to() -> None:
    builtin, shuffled = (load_vocabulary(spec, EVOLUTION, 20) for spec in ("builtin", "shuffled"))
    assert sorted(shuffled.names) == sorted(builtin.names) and shuffled.names != builtin.names
    assert list(shuffled.audit) == list(builtin.audit) and shuffled.audit != builtin.audit
    assert sum(shuffled.audit.values()) == sum(builtin.audit.values())
    assert shuffled.train == builtin.train
    assert shuffled == load_vocabulary("shuffled:0", EVOLUTION, 20)
    assert shuffled.names != load_vocabulary("shuffled:1", EVOLUTION, 20).names


def test_a_file_of_ones_own_names_topics_and_may_label_others(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    lines = ["# worst first", *(f"topic {n}" for n in range(20)), "high: opera", "low: slime videos"]
    path.write_text("\n\n".join(lines), encoding="utf-8")
    vocabulary = load_vocabulary(str(path), EVOLUTION, 20)
    assert vocabulary.names == tuple(f"topic {n}" for n in range(20))
    assert vocabulary.audit == {"opera": True, "slime videos": False}


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["a", "b"], "holds 2 names, but this world has 20 topics"),
        ([f"t{n}" for n in range(21)], "holds 21 names"),
        ([f"t{n}" for n in range(19)] + ["t0"], "'t0' names two topics"),
        ([f"t{n}" for n in range(20)] + ["high: t0"], "'t0' names two topics"),
        ([f"t{n}" for n in range(19)] + ["a; b"], "'a; b' is no name"),
        ([f"t{n}" for n in range(19)] + ["x" * 81], "is no name"),
    ],
)
def test_a_file_that_names_wrongly_is_refused_in_one_line(tmp_path: Path, lines: list[str], complaint: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError, match="--vocabulary") as raised:
        load_vocabulary(str(path), EVOLUTION, 20)
    assert complaint in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_vocabulary(str(tmp_path / "none.txt"), EVOLUTION, 20)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UserError, match="UTF-8"):
        load_vocabulary(str(tmp_path / "latin.txt"), EVOLUTION, 20)
