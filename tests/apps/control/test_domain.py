"""What a control task lends to guidance."""

import numpy as np
import pytest

from apps.control.cartpole_variants import cartpole
from apps.control.domain import ControlDomain, make_domain
from apps.control.worlds import WORLDS
from lmgt_core.errors import UserError
from lmgt_core.testing.domain import DomainContract


class TestCartPole(DomainContract):
    env = "CartPole-v1"

    def make_domain(self) -> ControlDomain:
        return make_domain(self.env)


class TestPendulum(TestCartPole):
    env = "Pendulum-v1"


class TestBlackjack(TestCartPole):
    env = "Blackjack-v1"


class TestAcrobot(TestCartPole):
    env = "Acrobot-v1"


class TestMountainCar(TestCartPole):
    env = "MountainCar-v0"


class TestPocketWatch(TestCartPole):
    env = "PocketWatch-v0"


def test_probes_are_drawn_by_a_generator_of_their_own() -> None:
    """So audits of before the domains are repeated to the last digit."""
    domain, rng = make_domain("Blackjack-v1"), np.random.default_rng(3)
    domain.probes(domain.template("zero-shot").render, rng)
    assert rng.random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("name", WORLDS)
def test_every_task_has_an_expert_with_a_name_of_its_own(name: str) -> None:
    contexts = [make_domain(n).context() for n in (name, name, *(n for n in WORLDS if n != name))]
    assert contexts[0].oracle_id == contexts[1].oracle_id
    assert contexts[0].oracle_id not in {c.oracle_id for c in contexts[2:]}


def test_a_variant_of_cartpole_is_judged_as_the_original() -> None:
    variant, original = ControlDomain(cartpole("CartPole-moon")), make_domain("CartPole-v1")
    assert variant.name == original.name and variant.context().oracle_id == original.context().oracle_id


def test_what_a_user_types_is_described() -> None:
    description = make_domain("Blackjack-v1").read("sum 16, dealer 10, no ace", "hit")
    assert description.facts["sum"] == "16" and description.action.startswith("hit")
    assert make_domain("PocketWatch-v0").read("brand 2", "0").facts["brand"] == "brand 2"


def test_an_unknown_task_and_an_unknown_state_are_named() -> None:
    with pytest.raises(UserError, match="--env Chess: no such control task"):
        make_domain("Chess")
    with pytest.raises(UserError, match="dealer is missing"):
        make_domain("Blackjack-v1").read("sum 16", "hit")
