"""An agent, its networks and its replay, from a policy's name."""

from dataclasses import dataclass

import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from apps.slateq import history
from apps.slateq.agent import Learning, SlateQAgent, experience_spec
from apps.slateq.full_slate import FullSlateAgent, FullSlateNetwork, all_slates
from apps.slateq.networks import ItemNetwork, TableNetwork
from apps.slateq.optimisers import OPTIMISERS
from apps.slateq.policies import LearnedPolicy
from apps.slateq.replay import SeededReplay
from apps.slateq.simulator.protocol import Simulator
from apps.slateq.train_config import AgentConfig

Agent = SlateQAgent | FullSlateAgent


@dataclass(frozen=True)
class World:
    """The sizes that a network is built for: N candidates, slates of K, T topics, U and D numbers of user and item."""

    candidates: int
    slate: int
    topics: int
    user: int
    document: int

    @classmethod
    def of(cls, simulator: Simulator) -> "World":
        return cls(
            simulator.candidates,
            simulator.slate_size,
            simulator.topics,
            simulator.user_size,
            simulator.document_size,
        )


def time_step_spec(world: World) -> ts.TimeStep:
    """What a policy sees, as `features.Features.as_dict` gives it."""
    n = world.candidates
    return ts.time_step_spec(
        {
            "user": tensor_spec.TensorSpec([world.user], tf.float32, "user"),
            "history": tensor_spec.TensorSpec([history.SIZE], tf.float32, "history"),
            "documents": tensor_spec.TensorSpec([n, world.document], tf.float32, "documents"),
            "topic": tensor_spec.BoundedTensorSpec([n], tf.int32, 0, world.topics - 1, "topic"),
            "scores": tensor_spec.TensorSpec([n + 1], tf.float32, "scores"),
        }
    )


def action_spec(world: World) -> types.BoundedTensorSpec:
    """A slate: places among the candidates [K]."""
    return tensor_spec.BoundedTensorSpec([world.slate], tf.int64, 0, world.candidates - 1, "slate")


def make_agent(policy: LearnedPolicy, config: AgentConfig, world: World, seed: int) -> Agent:
    """The agent that learns `policy`; UserError when the world has too many slates for full-slate.

    `config` has its defaults filled in (`train_config.agent_of`).
    """
    learning = Learning(
        target="sarsa" if policy.learner == "sarsa" else "q",
        gamma=config.gamma,
        steps=config.multi_step,
        double=config.double,
        learning_rate=config.learning_rate,
        target_rate=config.target_rate,
        loss_scale=config.value_scale,
    )
    steps, actions = time_step_spec(world), action_spec(world)
    agent: Agent
    if policy.learner == "full-slate":
        slates = all_slates(world.candidates, world.slate)
        values = FullSlateNetwork(steps.observation, len(slates), config.hidden, config.value_scale, seed)
        agent = FullSlateAgent(steps, actions, values, slates, learning, seed)
    else:
        items = _item_values(policy, config, world, steps.observation, seed)
        serve, target = OPTIMISERS[policy.serve], OPTIMISERS[policy.target]
        agent = SlateQAgent(steps, actions, items, learning, serve, target, seed)
    agent.initialize()
    return agent


def make_replay(world: World, config: AgentConfig, users: int, seed: int) -> SeededReplay:
    """The replay of `users` users."""
    length = max(config.replay // users, config.multi_step + 2)
    return SeededReplay(experience_spec(time_step_spec(world), action_spec(world)), users, length, seed)


def _item_values(
    policy: LearnedPolicy, config: AgentConfig, world: World, spec: types.NestedTensorSpec, seed: int
) -> ItemNetwork | TableNetwork:
    if policy.learner == "table":
        return TableNetwork(spec, world.topics, valued_no_click=policy.valued_no_click, value_scale=config.value_scale)
    return ItemNetwork(
        spec,
        hidden=config.hidden,
        valued_no_click=policy.valued_no_click,
        history=config.history,
        dueling=config.dueling,
        value_scale=config.value_scale,
        seed=seed,
    )
