"""`lmgt slateq log`: sessions of a policy that sometimes shows a random slate, and the chance of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.slateq.baselines import make_baseline
from apps.slateq.config import WorldConfig, check_world
from apps.slateq.evaluation_entries import world_of
from apps.slateq.features import Features, features
from apps.slateq.history import SessionHistory
from apps.slateq.logs.config import LogConfig
from apps.slateq.logs.lists import list_array
from apps.slateq.logs.schema import NOTHING, arrow, arrow_schema
from apps.slateq.logs.writer import parquet_writer
from apps.slateq.off_policy.distributions import Mixture, SlateDistribution
from apps.slateq.off_policy.policies import policy_of_run
from apps.slateq.policies import FIXED, ONLINE, check_policy
from apps.slateq.simulator.make import make_simulator
from apps.slateq.simulator.protocol import Feedback, Simulator
from lmgt_core.errors import UserError, check_least
from lmgt_core.files import plain
from lmgt_core.terminal.progress import progress
from lmgt_core.training.provenance import git_revision

PENALTY = 0.5  # minutes that a slate without a click takes in interest evolution, unless the config says otherwise
EXPLORES = 7  # of the generator that draws random slates, beside the simulator's
EXTRA = ("propensities", "marginals", "context", "features", "history", "choice_scores")

MakeDistribution = Callable[[Features], SlateDistribution]
Columns = dict[str, np.ndarray[Any, Any]]  # [row, ...], sessions one after the other


@dataclass(frozen=True)
class Written:
    """What a log holds."""

    slates: int
    sessions: int
    reward: float


def main(config: LogConfig) -> Written:
    """Writes the log and says what is in it."""
    world = check(config)
    arrow()
    simulator = make_simulator(world, 1 if config.simulator == "recsim" else min(config.batch, config.sessions))
    serve = _serving(config, simulator)

    epsilon = 1.0 if config.policy == "Random" else config.epsilon

    def shows(seen: Features) -> Mixture:
        return Mixture(serve(seen), epsilon, np.full(len(seen), config.candidates))

    about = {"world": plain(world), "policy": config.policy, "epsilon": epsilon, "seed": config.seed}
    written = write_log(config.out, world, simulator, shows, config.sessions, config.seed, about)
    mean = written.reward / written.sessions
    print(
        f"{config.out}: {written.slates:,} slates in {written.sessions:,} sessions of {config.policy}, {mean:.1f} each"
    )
    if epsilon == 0:
        print(
            "without --epsilon the log holds one slate where it could hold any: other policies cannot be judged by it"
        )
    return written


def check(config: LogConfig) -> WorldConfig:
    """The world to serve in; UserError naming the flag for what cannot be, before anything is written."""
    world = world_of(config)
    check_world(world)
    check_least(1, {"sessions": config.sessions, "batch": config.batch})
    check_least(0, {"seed": config.seed})
    if not 0 <= config.epsilon <= 1:
        raise UserError(f"--epsilon {config.epsilon:g}: a share lies between 0 and 1")
    if config.policy in ONLINE:
        raise UserError(f"--policy {config.policy}: changes while it serves; log a policy that is settled")
    check_policy("policy", config.policy, FIXED)
    return world


def write_log(
    path: Path,
    world: WorldConfig,
    simulator: Simulator,
    shows: MakeDistribution,
    sessions: int,
    seed: int,
    about: dict[str, Any],
) -> Written:
    """Writes `sessions` of `simulator`'s users, served by draws of `shows`, to `path`: a row group for each batch."""
    pa = arrow()
    about = {**about, "revision": git_revision()}
    schema = arrow_schema(about, pa.int64(), pa.int64(), dict.fromkeys(EXTRA))
    slates, reward, begin = 0, 0.0, 0
    with parquet_writer(path, schema) as writer, progress("sessions", sessions) as bar:
        for number, begin in enumerate(range(0, sessions, simulator.users)):
            columns = serve_sessions(simulator, shows, seed + number, clock_of(world))
            wanted = min(simulator.users, sessions - begin)
            columns = {name: values[columns["session"] < wanted] for name, values in columns.items()}
            columns["session"] = columns["session"] + begin
            writer.write_table(table_of(columns, schema))
            slates, reward = slates + len(columns["session"]), reward + float(columns["reward"].sum())
            bar.advance(wanted)
    return Written(slates, sessions, reward)


def serve_sessions(
    simulator: Simulator, shows: MakeDistribution, seed: int, minutes: Callable[[Feedback], Any]
) -> Columns:
    """One session of each of the simulator's users, a column an array; `session` is the user's row.

    `minutes` gives how long each user [B] took over a slate.
    """
    observation, rng = simulator.reset(seed), np.random.default_rng([seed, EXPLORES])
    history, clock = SessionHistory(simulator.users), np.zeros(simulator.users)
    active, pieces = np.ones(simulator.users, bool), []
    while active.any():
        on = np.flatnonzero(active)
        seen = features(simulator, observation, history.features()).of(on)
        policy = shows(seen)
        slates = np.tile(np.arange(simulator.slate_size), (simulator.users, 1))  # for users whose session is over
        slates[on] = policy.draw(rng.random((len(on), simulator.candidates + 1)))
        feedback = simulator.step(slates)
        prefix = policy.prefixes(slates[on])
        clicked = feedback.clicked[on]
        pieces.append({
            "session": on,
            "step": observation.step[on],
            "time": clock[on],
            "candidates": seen.topic.astype(np.int64),
            "slate": slates[on],
            "propensity": prefix[:, -1],
            "click": np.where(clicked == simulator.slate_size, NOTHING, clicked),
            "reward": feedback.reward[on].astype(np.float64),
            "propensities": np.c_[prefix[:, :1], prefix[:, 1:] / prefix[:, :-1]],
            "marginals": policy.items(slates[on]),
            "context": seen.user,
            "features": seen.documents.reshape(len(on), -1),
            "history": seen.history,
            "choice_scores": seen.scores,
        })  # fmt: skip
        clock += minutes(feedback)
        history.add(feedback)
        active &= ~feedback.done
        observation = feedback.observation
    order = np.argsort(np.concatenate([piece["session"] for piece in pieces]), kind="stable")
    return {name: np.concatenate([piece[name] for piece in pieces])[order] for name in pieces[0]}


def clock_of(world: WorldConfig) -> Callable[[Feedback], Any]:
    """How long users [B] take over a slate: minutes in interest evolution, one for each slate in the other worlds."""
    if world.env != "interest-evolution":
        return lambda feedback: np.ones(len(feedback.reward))
    given = world.evolution.step_penalty
    penalty = (PENALTY if world.user_model == "utility" else 1.0) if given is None else given
    return lambda feedback: np.where(feedback.clicked < feedback.shown_quality.shape[1], feedback.reward, penalty)


def table_of(columns: Columns, schema: Any) -> Any:
    """An Arrow table with the columns of `schema`."""
    pa = arrow()

    def arrays() -> Iterator[Any]:
        for field in schema:
            values = columns[field.name]
            if pa.types.is_list(field.type):
                yield list_array(values, type_=field.type.value_type)
            else:
                yield pa.array(values, field.type, mask=values == NOTHING if field.name == "click" else None)

    return pa.Table.from_arrays(list(arrays()), schema=schema)


def _serving(config: LogConfig, simulator: Simulator) -> Callable[[Features], Any]:
    if config.policy in FIXED:
        return make_baseline(config.policy, simulator, np.random.default_rng(config.seed)).serve
    return policy_of_run(Path(config.policy), world_of(config), config.train_seed).serve
