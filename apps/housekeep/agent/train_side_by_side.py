"""Training by skills in several homes at once: they act while the network learns.

A round is one decision in each home: the network acts on all of them in one batch, the judge is asked about all in one,
and while the homes act the skills out, the network learns from the rounds before. So the numbers differ from those of
one home, and are the same every time.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.agent.episode_row import EpisodeRow
from apps.housekeep.agent.homes import Choice, alive, side_by_side
from apps.housekeep.agent.train_skills import SkillsTrainer
from lmgt_core.training.run_log import RunLog


class Running:
    """What the trainer adds up over the running episode of one home."""

    def __init__(self, shift: float = 0.0, losses: Sequence[float] = ()) -> None:
        self.begun, self.shift, self.losses = time.perf_counter(), shift, list(losses)

    @property
    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return {"shift": self.shift, "losses": self.losses}


class SideBySideTrainer(SkillsTrainer):
    """One seed's training in `config.envs` homes."""

    def __init__(self, *args: Any, **changes: Any) -> None:
        super().__init__(*args, **changes)
        self.homes = side_by_side(self.config, self.episodes, self.vocabulary, self.seed)
        self.running = [Running() for _ in range(self.config.envs)]
        self._choices: Sequence[Choice] = ()

    def close(self) -> None:
        """Ends the homes' processes and the simulator of evaluations."""
        self.homes.close(terminate=True)  # they hold nothing to save, and may be in the middle of a step
        super().close()

    def play(self, log: RunLog) -> None:
        """Trains for a round; records the episodes that end in it, at the end of training all."""
        t, choices = self.skills, self._begun()
        advice = self._advice(choices)
        epsilons = [self.agent.epsilon(t + home) for home in range(len(choices))]
        chosen = self.agent.act([choice.observation for choice in choices], epsilons, self.act_rng, advice, t)
        tickets = None
        if advice is None and self.source is not None:
            taken = list(zip(choices, chosen, strict=True))
            tickets = self.source.submit([c.decisions[i] for c, i in taken], [c.skills[i] for c, i in taken])
        with alive():
            self.homes.step_async(np.array(chosen))
        losses = self._learn(self.hyper.updates_per_skill * len(choices), t)
        with alive():
            self._choices, rewards, terminated, truncated, info = self.homes.step_wait()
        shifts = self._shifts(chosen, advice, tickets)
        self.skills += len(choices)
        done = self.skills >= self.config.steps
        over = terminated | truncated
        for home, (choice, index) in enumerate(zip(choices, chosen, strict=True)):
            reward, said = float(rewards[home]), None if advice is None else advice[home]
            self.replay.add(choice.observation, index, reward, float(shifts[home]), bool(over[home]) or done, said)
            self.running[home].shift += float(shifts[home])
            self.running[home].losses += losses
        unfinished = self.homes.get_attr("row") if done else ()
        for home in range(len(choices)):
            if over[home]:
                self._record(log, home, info["final_info"]["row"][home])
            elif done:
                self._record(log, home, unfinished[home])

    def _begun(self) -> Sequence[Choice]:
        """[home] what is to be decided now."""
        if not self._choices:
            self._choices, _ = self.homes.reset()
        return self._choices

    def _advice(self, choices: Sequence[Choice]) -> list[NDArray[np.float32]] | None:
        """[home][candidate] the shift that each would have, all asked at once; None where the rule asks for none."""
        if self.adviser is None:
            return None
        decisions = [decision for choice in choices for decision in choice.decisions]
        skills = [skill for choice in choices for skill in choice.skills]
        ends = np.cumsum([len(choice.skills) for choice in choices])
        return np.split(self.adviser(decisions, skills).delta, ends[:-1])

    def _shifts(self, chosen: list[int], advice: list[NDArray[np.float32]] | None, tickets: Any) -> NDArray[np.float32]:
        """[home] the shifts of the candidates that were taken."""
        if advice is not None:
            return np.array([said[index] for said, index in zip(advice, chosen, strict=True)], np.float32)
        if self.source is None:
            return np.zeros(len(chosen), np.float32)
        return self.source.resolve(tickets)

    def _record(self, log: RunLog, home: int, row: EpisodeRow) -> None:
        """Records an episode, and begins to add up the next one of its home."""
        running, self.running[home] = self.running[home], Running()
        log.record_episode(self.seed, self._counted(row, running.shift, running.losses, running.begun))

    def _homes_state(self) -> dict[str, Any]:
        return {"states": self.homes.get_attr("state"), "running": [running.state for running in self.running]}

    def _load_homes(self, state: dict[str, Any]) -> None:
        self.running = [Running(**of) for of in state["running"]]
        self.homes.set_attr("state", state["states"])
