"""R2D2 as a whole: burn-in, what the shift touches, resuming, and a memory task that asks for memory."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from apps.atari_vision.memory_tasks import BlindCartPole, TMaze
from apps.atari_vision.r2d2.agent import R2D2Agent
from apps.atari_vision.r2d2.config import SMALL, R2D2Config, without_memory
from apps.atari_vision.r2d2.network import RecurrentQNetwork
from apps.atari_vision.r2d2.run import Schedule, Trainer, Worlds
from lmgt_core.training.run_log import RunLog, read_rows

TINY = replace(
    SMALL, actors=3, length=6, period=3, burn_in=3, capacity=64, warm_up=4, batch_size=4, hidden_size=8,
    decisions_per_update=12, target_every=3,
)  # fmt: skip
SCHEDULE = Schedule(steps=600, evaluate_every=200, checkpoint_every=300, evaluation_episodes=2)


class FixedSource:
    """Shifts every decision by the same number, and keeps what it was asked."""

    weight = 1.0

    def __init__(self, delta: float) -> None:
        self.delta = np.float32(delta)
        self.asked: list[Any] = []

    def submit(self, observations: list[Any], actions: list[Any]) -> NDArray[np.int64]:
        self.asked.append((np.array(observations), np.array(actions)))
        return np.arange(len(actions))

    def resolve(self, tickets: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.full(len(tickets), self.delta)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        pass


def run(out: Path, config: R2D2Config = TINY, **options: Any) -> tuple[Trainer, list[dict[str, str]]]:
    trainer = Trainer(BlindCartPole, config, SCHEDULE, 0, **options)
    trainer.train(RunLog.create(out, {}))
    return trainer, [{**row} for table in ("episodes", "evaluations") for row in read_rows(out, table)]


def weights(trainer: Trainer) -> NDArray[np.float32]:
    return torch.cat([p.detach().flatten() for p in trainer.agent.online.parameters()]).numpy()


def test_burning_in_is_the_same_as_having_lived_through_it() -> None:
    torch.manual_seed(0)
    network = RecurrentQNetwork((2,), 1, 3, 8)
    seen, told = torch.randn(1, 9, 2), torch.randn(1, 9, 1)
    whole, _ = network(seen, told, network.initial_state(1))
    _, warm = network(seen[:, :4], told[:, :4], network.initial_state(1))
    assert torch.allclose(network(seen[:, 4:], told[:, 4:], warm)[0], whole[:, 4:], atol=1e-6)


def test_a_stored_state_burned_in_is_the_state_that_the_actor_had() -> None:
    trainer = idle(replace(TINY, actors=1), steps=120)  # one actor, so a sequence's successor lies beside it
    fields, compared = trainer.replay.fields, 0
    batch = trainer.replay.batch_of([{n: f[i] for n, f in fields.items()} for i in range(len(trainer.replay))], 0)
    for i in range(len(trainer.replay) - 1):
        if batch.burned[i] and batch.burned[i + 1]:  # the successor begins where this one's burn-in ends
            seen, told = (torch.from_numpy(a[[i], : TINY.burn_in]) for a in (batch.observation, batch.inputs))
            state = tuple(torch.from_numpy(a[[i]]) for a in (batch.hidden, batch.cell))
            _, (hidden, _) = trainer.agent.online(seen, told, state)
            assert hidden[0].tolist() == pytest.approx(batch.hidden[i + 1].tolist(), abs=1e-5)
            compared += bool(batch.hidden[i].any())
    assert compared > 3


def test_rows_before_an_episode_are_not_burned_in() -> None:
    trainer = idle(TINY, steps=60)
    batch = trainer.replay.sample(np.random.default_rng(0), 0)
    assert not batch.burned.all() and not batch.hidden[~batch.burned].any()
    noisy = batch.observation.copy()
    noisy[~batch.burned, : TINY.burn_in] = 1e6
    agent = trainer.agent
    assert np.array_equal(agent.priorities(batch), agent.priorities(replace(batch, observation=noisy)))


def idle(config: R2D2Config, steps: int, **options: Any) -> Trainer:
    """A trainer whose actors have acted while it never learned, so that no stored state is stale."""
    trainer = Trainer(BlindCartPole, replace(config, warm_up=config.capacity), SCHEDULE, 0, **options)
    for _ in range(steps):
        trainer.step()
    return trainer


def test_a_neutral_judge_changes_nothing(tmp_path: Path) -> None:
    (silent, rows), (neutral, same) = run(tmp_path / "a"), run(tmp_path / "b", source=FixedSource(0))
    assert np.array_equal(weights(silent), weights(neutral)) and rows == same


def test_the_shift_teaches_but_is_never_shown(tmp_path: Path) -> None:
    source = FixedSource(0.5)
    (plain, _), (shifted, rows) = run(tmp_path / "a"), run(tmp_path / "b", source=source)
    assert not np.array_equal(weights(plain), weights(shifted))
    assert set(np.unique(shifted.replay.fields["reward"])) <= {0, 1}  # CartPole's own; 0 beyond an episode's end
    shown = np.unique(shifted.replay.fields["inputs"][..., -1])
    assert shown.tolist() == pytest.approx([0, 2**0.5 - 1 + 1e-3])  # h(0), h(1): the last reward without shift
    assert all(float(r["return"]) == float(r["length"]) for r in rows)
    assert sum(len(actions) for _, actions in source.asked) == shifted.decisions  # once a decision


def test_rewards_are_clipped_before_they_are_shifted() -> None:
    config, source = replace(TINY, clip_rewards=True), FixedSource(0.1)
    trainer = Trainer(TMaze, config, SCHEDULE, 0, source)  # type: ignore[arg-type]
    for _ in range(40):
        trainer.step()
    batch = trainer.replay.sample(np.random.default_rng(0), 1.0)
    rewards = np.unique(batch.reward[batch.mask]).tolist()
    assert rewards and all(min(abs(r - c) for c in (-0.9, 0.1, 1.1)) < 1e-6 for r in rewards)


def test_a_killed_run_resumes_and_ends_with_the_same_numbers(tmp_path: Path) -> None:
    whole, rows = run(tmp_path / "whole")
    broken = RunLog.create(tmp_path / "broken", {})
    first = Trainer(BlindCartPole, TINY, SCHEDULE, 0)
    first._resume(broken)
    first.evaluate(broken)
    last: dict[str, Any] = {}
    while first.decisions < 450:  # past the checkpoint at 300, then killed
        before = first.decisions
        first.step(broken)
        if first._crossed(before, 200):
            last = first.evaluate(broken)
        if first._crossed(before, 300):
            broken.save_checkpoint(0, first._checkpoint(last))
    broken.close()
    second = Trainer(BlindCartPole, TINY, SCHEDULE, 0)
    second.train(RunLog.create(tmp_path / "broken", {}, resume=True))
    assert np.array_equal(weights(whole), weights(second))
    again = [{**row} for table in ("episodes", "evaluations") for row in read_rows(tmp_path / "broken", table)]
    assert rows == again


@pytest.mark.parametrize("memory", [True, False])
def test_images_are_learned_from_in_bfloat16(memory: bool) -> None:
    agent = R2D2Agent(replace(TINY, memory=memory, bfloat16=True), (4, 84, 84), 3, seed=0)
    acting = agent.start(2)
    images = np.random.default_rng(0).integers(0, 255, (2, 4, 84, 84), np.uint8)
    agent.act(acting, images, 0.0, np.random.default_rng(0))
    assert acting.hidden.dtype == torch.float32 and bool(acting.hidden.any()) is memory


def learned(worlds: Worlds, config: R2D2Config, decisions: int, episodes: int) -> float:
    """The best mean return of five evaluations, as a policy that slips for a while has solved the task before."""
    trainer = Trainer(worlds, config, Schedule(decisions, decisions, decisions, episodes), seed=0)
    returns = []
    while trainer.decisions < decisions:
        trainer.step()
        if trainer.decisions % (decisions // 5) == 0:
            returns.append(float(trainer.evaluate()["return"] or 0))
    return max(returns)


@pytest.mark.slow
def test_r2d2_solves_the_t_maze_and_the_same_agent_without_memory_does_not() -> None:
    assert learned(TMaze, SMALL, 16_000, 100) > 0.9
    assert learned(TMaze, without_memory(SMALL), 16_000, 100) < 0.4


@pytest.mark.slow
def test_r2d2_keeps_up_a_pole_without_seeing_velocities_for_longer_than_the_same_agent_without_memory() -> None:
    worlds = partial(BlindCartPole, limit=200)
    assert learned(worlds, SMALL, 20_000, 20) > 150  # one of three seeds of the benchmark never came to 195 of 200
    assert learned(worlds, without_memory(SMALL), 20_000, 20) < 100
