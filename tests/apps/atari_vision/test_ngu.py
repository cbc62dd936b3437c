"""Golden values of novelty, by hand, and NGU's learning step."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.atari_vision.memory_tasks import LockedChain
from apps.atari_vision.ngu.config import SMALL, NGUConfig
from apps.atari_vision.ngu.embedding import ActorEmbeddings, Embedding
from apps.atari_vision.ngu.family import exploration_weights, member_discounts
from apps.atari_vision.ngu.novelty import kernel_novelty
from apps.atari_vision.ngu.rnd import RunningMoments, curiosity
from apps.atari_vision.ngu.run import make_trainer
from apps.atari_vision.r2d2 import config as r2d2
from apps.atari_vision.r2d2.run import Schedule, Trainer
from lmgt_core.training.run_log import RunLog

TINY = NGUConfig(
    actors=4, processes=False, members=2, burn_in=2, length=4, period=2, capacity=64, warm_up=2,
    batch_size=4, decisions_per_update=8, hidden_size=8, device="cpu",
)  # fmt: skip


def test_kernel_novelty_by_hand() -> None:
    config = NGUConfig()
    # within the cluster distance all kernels are 1: 1 / (sqrt(4) + .001)
    assert kernel_novelty(np.zeros(4), 1.0, config) == pytest.approx(1 / 2.001)
    # (.0083 / 1 - .008) = .0003: the kernel is .0001 / .0004
    assert kernel_novelty(np.array([0.0083]), 1.0, config) == pytest.approx(1 / 0.501)
    assert kernel_novelty(np.zeros(64), 1.0, config) == 0.0  # sqrt(64) + .001 is above 8


def test_curiosity_lies_between_one_and_its_maximum() -> None:
    assert curiosity(np.array([1.0, 4.0, 99.0]), mean=2.0, deviation=1.0, most=5.0).tolist() == [1.0, 3.0, 5.0]


def test_running_moments_are_those_of_all_numbers() -> None:
    moments, numbers = RunningMoments(), np.array([1.0, 2.0, 4.0, 9.0, 4.0])
    for part in (numbers[:2], numbers[2:]):
        moments.add(part)
    assert (moments.mean, moments.deviation) == pytest.approx((numbers.mean(), numbers.std()))


def test_the_family_goes_from_exploiting_to_exploring() -> None:
    assert exploration_weights(4, 0.3).tolist() == pytest.approx([0, 0.15, 0.3 / (1 + np.exp(-10)), 0.3])
    assert member_discounts(3, 0.99, 0.9).tolist() == pytest.approx([0.99, 1 - 0.1**1.5, 0.9])


def test_only_exploring_members_are_paid_for_novelty() -> None:
    trainer = make_trainer(lambda n: LockedChain(n, 6), TINY, Schedule(400, 400, 400, 2), seed=0)
    for _ in range(40):
        trainer.step()
    assert trainer.agent.updates > 10
    paid = trainer.replay.fields["intrinsic"][: len(trainer.replay)].sum(axis=1)
    exploits = trainer.replay.fields["inputs"][: len(trainer.replay), 3, -2] == 1
    assert not paid[exploits].any() and paid[~exploits].any()


@pytest.mark.parametrize("shape", [(6,), (4, 84, 84)])
def test_an_actor_measures_a_whole_episode_with_the_embedding_of_its_beginning(shape: tuple[int, ...]) -> None:
    network = Embedding(shape, TINY)
    embeddings = ActorEmbeddings(network, 2)
    seen = torch.randint(0, 255, (2, *shape), dtype=torch.uint8)
    before = embeddings(seen)
    assert before == pytest.approx(network(seen).detach().numpy(), abs=1e-5)
    with torch.no_grad():
        network.linear.bias += 1  # the learner moves on
    assert np.array_equal(embeddings(seen), before)
    embeddings.take(np.array([False, True]))  # the second actor's next episode
    assert embeddings(seen) - before == pytest.approx(np.repeat([[0.0], [1.0]], TINY.embedding_size, axis=1), abs=1e-5)


def test_a_resumed_ngu_ends_with_the_same_numbers(tmp_path: Path) -> None:
    ends = []
    for folder, stops in (("whole", [800]), ("broken", [400, 800])):
        for i, steps in enumerate(stops):
            trainer = make_trainer(lambda n: LockedChain(n, 6), TINY, Schedule(steps, 400, 400, 2), seed=0)
            trainer.train(RunLog.create(tmp_path / folder, {}, resume=i > 0))
        networks = (trainer.agent.online, trainer.agent.dynamics, trainer.agent.rnd)  # type: ignore[attr-defined]
        ends.append(torch.cat([p.detach().flatten() for network in networks for p in network.parameters()]))
        ends.append(torch.from_numpy(trainer.agent.memory.rows))  # type: ignore[attr-defined]
    assert torch.equal(ends[0], ends[2]) and torch.equal(ends[1], ends[3])


@pytest.mark.slow
def test_ngu_enters_three_times_as_many_cells_of_a_locked_chain_as_r2d2() -> None:
    schedule = Schedule(40_000, 40_000, 40_000)
    ours, theirs = (replace(c, decisions_per_update=64, learning_rate=1e-3) for c in (SMALL, r2d2.SMALL))
    entered = []
    for trainer in (make_trainer(LockedChain, ours, schedule, 1), Trainer(LockedChain, theirs, schedule, 1)):
        while trainer.decisions < schedule.steps:
            trainer.step()
        chain = trainer.actors.envs
        assert isinstance(chain, LockedChain)
        entered.append(int(chain.visited.sum()))
    assert entered[0] >= 3 * entered[1]
