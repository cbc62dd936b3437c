"""A TF-Agents environment over either simulator: a batch of users, each with sessions of its own.

A session's last time step holds where it led; the next `step` of that user returns the first time step of the next user
and serves nothing, as TF-Agents' own batched environments do. Rewards are the world's, without any shift.
"""

from typing import Any

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from apps.slateq.config import WorldConfig
from apps.slateq.env import bounds, distinct
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Observation
from apps.slateq.simulator.recsim_adapter import RecSimSimulator
from apps.slateq.simulator.vectorised import VectorisedSimulator

Arrays = dict[str, np.ndarray[Any, Any]]


class SlateTFEnvironment(py_environment.PyEnvironment):  # type: ignore[misc]
    """Observations: `documents` [B, N, D] and `user` [B, U] where something is observed; actions int64 [B, K].

    Actions are made distinct by `apps.slateq.env.distinct`. `discount` is that of a step within a session; a session
    that ended by itself has 0 at its last step, one that was cut at its limit keeps it.
    """

    def __init__(
        self,
        simulator: VectorisedSimulator | RecSimSimulator,
        seed: int | None = None,
        documents: tuple[float, float] = (0.0, 1.0),
        discount: float = 1.0,
    ) -> None:
        super().__init__()
        self.simulator = simulator
        self._first_seed = seed
        self._discount_within = discount
        n, k = simulator.candidates, simulator.slate_size
        self._low, self._high = documents
        self._observation_spec: dict[str, Any] = {
            "documents": array_spec.BoundedArraySpec(
                (n, simulator.document_size), np.float32, self._low, self._high, name="documents"
            )
        }
        if simulator.user_size:
            self._observation_spec["user"] = array_spec.BoundedArraySpec(
                (simulator.user_size,), np.float32, -1.0, 1.0, name="user"
            )
        self._action_spec = array_spec.BoundedArraySpec((k,), np.int64, 0, n - 1, name="slate")
        self._ended = np.zeros(simulator.users, bool)
        self._now: Observation | None = None

    @property
    def batched(self) -> bool:
        return True

    @property
    def batch_size(self) -> int:
        return self.simulator.users

    def observation_spec(self) -> Any:
        return self._observation_spec

    def action_spec(self) -> Any:
        return self._action_spec

    def seed(self, seed: int) -> None:
        """Makes the next reset begin with this seed."""
        self._first_seed = seed

    def _reset(self) -> ts.TimeStep:
        self._now = self.simulator.reset(self._first_seed)
        self._first_seed = None
        self._ended[:] = False
        return ts.restart(self._arrays(self._now), batch_size=self.batch_size)

    def _step(self, action: Any) -> ts.TimeStep:
        if self._now is None:
            return self._reset()
        if self._ended.all():
            return self._begun()
        served = ~self._ended
        slates = distinct(np.asarray(action), self.simulator.candidates)
        if served.all():
            feedback = self.simulator.step(slates)
        else:  # only a batch has users in different states, and only the vectorised worlds have a batch
            assert isinstance(self.simulator, VectorisedSimulator)
            feedback = self.simulator.step(slates, served)
        kinds = np.where(feedback.done, ts.StepType.LAST, np.where(served, ts.StepType.MID, ts.StepType.FIRST))
        within = np.where(feedback.terminated, 0.0, np.where(served, self._discount_within, 1.0))
        self._now, self._ended = feedback.observation, feedback.done
        return ts.TimeStep(
            step_type=kinds.astype(np.int32),
            reward=feedback.reward,
            discount=within.astype(np.float32),
            observation=self._arrays(feedback.final_observation),
        )

    def _begun(self) -> ts.TimeStep:
        """The first time steps of users who all are new."""
        assert self._now is not None
        self._ended[:] = False
        return ts.restart(self._arrays(self._now), batch_size=self.batch_size)

    def _arrays(self, observation: Observation) -> Arrays:
        arrays = {"documents": np.clip(observation.documents, self._low, self._high)}
        if self.simulator.user_size:
            arrays["user"] = observation.user
        return arrays


def make_tf_environment(config: WorldConfig, users: int = 1, seed: int | None = None) -> SlateTFEnvironment:
    """The environment of `users` users of the world in `config`; UserError for a world that cannot be."""
    simulator = make_simulator(config, users)
    assert isinstance(simulator, VectorisedSimulator | RecSimSimulator)
    return SlateTFEnvironment(simulator, seed, bounds(config))
