"""What a finite world lends to guidance."""

import numpy as np
import pytest

from apps.tabular.domain import TabularDomain, make_domain
from apps.tabular.labels import oracle_labels
from apps.tabular.worlds import chain
from lmgt_core.errors import UserError
from lmgt_core.testing.domain import DomainContract


class TestChain(DomainContract):
    env = "chain"

    def make_domain(self) -> TabularDomain:
        return make_domain(self.env)


class TestWideChain(TestChain):
    env = "wide_chain"


class TestRiver(TestChain):
    env = "river"


def test_everything_but_the_ends_can_be_asked() -> None:
    domain = TabularDomain(chain(length=3))
    assert [d.facts for d in domain.questions()] == [
        {"state": str(s), "action": str(a)} for s in range(3) for a in (0, 1)
    ]
    describe = domain.describer()
    (described, ended) = describe([1, 3], [0, 0], [None, None])
    assert described is not None and described.state == "state 1" and ended is None


def test_the_expert_knows_the_best_actions_and_no_others_world() -> None:
    domain = make_domain("trap")
    truth, expert = oracle_labels(domain.mdp), domain.context().oracle
    template = domain.template("zero-shot")
    assert expert is not None
    for description in domain.questions():
        state, action = (int(description.facts[name]) for name in ("state", "action"))
        assert expert(template.render(description)).value == ("good" if truth[state, action] > 0 else "bad")
    foreign = template.render(make_domain("cliff").read("13", "0"))
    with pytest.raises(LookupError):
        make_domain("chain").context().oracle(foreign)  # type: ignore[misc]


def test_probes_are_as_often_good_as_bad() -> None:
    domain = make_domain("wide_chain")
    labels = [p.label.value for p in domain.probes(domain.template("zero-shot").render, np.random.default_rng(0))]
    assert labels.count("good") == labels.count("bad") == 8


@pytest.mark.parametrize(
    ("state", "action", "message"), [("8", "0", "0 to 7"), ("left", "0", "--state"), ("0", "2", "--action '2'")]
)
def test_what_is_not_understood_is_named(state: str, action: str, message: str) -> None:
    assert make_domain("chain").read("state 3", "1").facts == {"state": "3", "action": "1"}
    with pytest.raises(UserError, match=message):
        make_domain("chain").read(state, action)
