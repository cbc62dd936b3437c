"""What is true of topics, and the expert that says so."""

import numpy as np
import pytest

from apps.slateq.config import SatisfactionConfig, WorldConfig
from apps.slateq.describe import SlateDescriber
from apps.slateq.oracle import TopicTruth, long_run, topic_values
from apps.slateq.simulator.interest_evolution import topic_means
from apps.slateq.simulator.make import make_simulator
from apps.slateq.vocabulary import load_vocabulary
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

EVOLUTION = WorldConfig()
GOOD, NEUTRAL, BAD = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD


def verdict(*names: str, spec: str = "builtin", world: WorldConfig = EVOLUTION) -> Verdict:
    values = topic_values(world)
    truth = TopicTruth(load_vocabulary(spec, world.env, len(values)), values)
    return truth.verdict(Prompt("", "", facts=SlateDescriber(()).of(names).facts))


def test_topics_are_good_and_bad_by_recsims_mean_quality() -> None:
    names = load_vocabulary("builtin", "interest-evolution", 20).names
    assert [verdict(name) for name in names] == [BAD] * 13 + [NEUTRAL] * 2 + [GOOD] * 5


def test_the_truth_is_the_simulators_own() -> None:
    np.testing.assert_allclose(make_simulator(EVOLUTION).topic_quality, topic_values(EVOLUTION), rtol=1e-6)
    assert np.array_equal(topic_values(EVOLUTION), topic_means())


def test_a_slate_is_judged_by_the_mean_of_its_topics() -> None:
    # qualities 3, -3 and 0; 3 and -2.77; -3 and 1.8
    assert verdict("science lectures", "celebrity gossip", "travel documentaries") is NEUTRAL
    assert verdict("science lectures", "conspiracy theories") is GOOD
    assert verdict("celebrity gossip", "history documentaries") is BAD


def test_probe_topics_are_judged_by_their_labels() -> None:
    audit = load_vocabulary("builtin", "interest-evolution", 20).audit
    assert all(verdict(name) is (GOOD if high else BAD) for name, high in audit.items())


def test_where_names_are_shuffled_the_truth_goes_with_the_topics() -> None:
    names = load_vocabulary("shuffled:3", "interest-evolution", 20).names
    assert [verdict(name, spec="shuffled:3") for name in names] == [BAD] * 13 + [NEUTRAL] * 2 + [GOOD] * 5


def test_what_it_does_not_know_is_a_lookup_error() -> None:
    with pytest.raises(KeyError):
        verdict("knitting")
    with pytest.raises(KeyError):
        TopicTruth(load_vocabulary("builtin", "interest-evolution", 20), topic_means()).verdict(Prompt("", ""))


def test_another_truth_has_another_digest() -> None:
    digests = {
        TopicTruth(load_vocabulary(spec, "interest-evolution", 20), topic_means()).digest
        for spec in ("builtin", "shuffled:0", "shuffled:1")
    }
    assert len(digests) == 3


def test_mass_appeal_wins_in_interest_exploration() -> None:
    values = topic_values(WorldConfig(env="interest-exploration"))
    # affinity .3 exp(.105) + .7 exp(.705) and the other way round, quality exp(.805) and exp(.205)
    first = 0.3 * np.exp(0.105) + 0.7 * np.exp(0.705) + np.exp(0.805)
    second = 0.3 * np.exp(0.705) + 0.7 * np.exp(0.105) + np.exp(0.205)
    np.testing.assert_allclose(values, [(first - second) / 2, (second - first) / 2])


def test_the_long_run_of_long_term_satisfaction_is_what_the_simulator_gives() -> None:
    config = WorldConfig(env="long-term-satisfaction", candidates=1, slate=1, budget=300)
    simulator = make_simulator(config, users=200)
    for clickbait in (0.1, 0.9):
        simulator.reset(0)
        logs = []
        for step in range(120):
            simulator.document["clickbait"][:] = clickbait  # type: ignore[attr-defined]
            reward = simulator.step(np.zeros((200, 1), np.int64)).reward
            if step >= 40:
                logs.append(np.log(reward.mean()))
        assert np.mean(logs) == pytest.approx(long_run(SatisfactionConfig(), clickbait), abs=0.03)


def test_clickbait_pays_with_recsims_parameters_and_not_where_satisfaction_matters() -> None:
    as_it_is = topic_values(WorldConfig(env="long-term-satisfaction"))
    assert (np.diff(as_it_is) > 0).all() and as_it_is[2] == 0
    sensitive = SatisfactionConfig(sensitivity=0.3)
    assert (np.diff(topic_values(WorldConfig(env="long-term-satisfaction", satisfaction=sensitive))) < 0).all()
