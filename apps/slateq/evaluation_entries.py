"""What stands behind the names in `--policies`: rules, run folders, and policies that are trained first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.slateq.baselines import Policy, make_baseline
from apps.slateq.config import RENAMED, WorldConfig
from apps.slateq.policies import FIXED, ONLINE, PRIVILEGED, check_policy, is_learned, learned_names
from apps.slateq.robust.user_models import name_of, same_users, world_from, world_with
from apps.slateq.simulator.protocol import Simulator
from apps.slateq.train_config import EvaluateConfig, TrainConfig
from lmgt_core.errors import UserError, check_least
from lmgt_core.files import read_json
from lmgt_core.training.run_log import RunLog, read_config

TRAINED = "trained"  # folder for the runs of policies that are given by name
SAME = ("env", "candidates", "slate")  # what a run and its evaluation must have in common
UNDER = "@"  # QL-TT-TS@cascade: the policy trained under cascade users


@dataclass(frozen=True)
class Entry:
    """One row of the table: its name, what it is, and a maker of its policy for each seed.

    `believed` is the world whose choice scores the policy serves by: the one that it was trained in; for rules, which
    are not, that of the first user model.
    """

    name: str
    kind: str
    makers: Sequence[Callable[[Simulator], Policy]]
    believed: WorldConfig
    algorithm: str = ""
    judge: str = "none"
    privileged: bool = False


def check(config: EvaluateConfig, models: Mapping[str, WorldConfig]) -> list[str]:
    """The policies' names; UserError naming the flag for what cannot be evaluated, before anything is run."""
    check_least(1, {"users": config.users, "batch": config.batch, "train-steps": config.train_steps})
    check_least(0, {"seed": config.seed})
    names = list(dict.fromkeys(name.strip() for name in config.policies.split(",") if name.strip()))
    if not names:
        raise UserError("--policies: name at least one policy, like Random,MYOP-GS")
    for name in names:
        if name not in (*FIXED, *ONLINE) and trained_under(name, config, models) is None:
            check_run(name, config)
    learned = [name for name in names if trained_under(name, config, models) is not None]
    if learned and config.out is None:
        raise UserError(f"--policies {learned[0]}: has to be trained first; name a folder for that with --out")
    return names


def trained_under(name: str, config: EvaluateConfig, models: Mapping[str, WorldConfig]) -> WorldConfig | None:
    """The world in which the policy called `name` has to be trained first; None where it is no learned policy's name.

    The first user model's, or that of NAME@MODEL; UserError for users that there are not.
    """
    base, _, model = name.partition(UNDER)
    if not is_learned(base):
        return None
    if not model:
        return next(iter(models.values()))
    return models[model] if model in models else world_with(model, world_of(config))


def check_run(name: str, config: WorldConfig) -> dict[str, Any]:
    """The settings of the run in folder `name`; UserError when it is none, or one of another world."""
    check_policy("policies", name, (*FIXED, *ONLINE, *learned_names()))
    path = Path(name)
    content = read_config(path)
    if content.get("app") != "slateq":
        raise UserError(f"{path}: a run of the app {content.get('app')}; evaluate takes runs of lmgt slateq train")
    settings: dict[str, Any] = {RENAMED.get(name, name): value for name, value in content["settings"].items()}
    for field in SAME:
        if settings[field] != getattr(config, field):
            raise UserError(
                f"{path}: was trained with --{field} {settings[field]}, not {getattr(config, field)}; "
                f"give --{field} {settings[field]} or another run"
            )
    return settings


def world_of(config: WorldConfig) -> WorldConfig:
    """The world's part of a command's config."""
    return WorldConfig(**asdict_shallow(config))


def train_missing(config: EvaluateConfig, names: Sequence[str], models: Mapping[str, WorldConfig]) -> None:
    """Trains the learned policies that were given by name, without a judge, in OUT/trained; finished ones are kept."""
    for name in names:
        world = trained_under(name, config, models)
        if world is None:
            continue
        assert config.out is not None  # check saw to it
        out = config.out / TRAINED / name
        if (out / "summary.json").exists():
            there = world_from(check_run(str(out), config))
            if config.users_model is not None and not same_users(there, world):
                raise UserError(
                    f"{out}: was trained under {name_of(there)} users, not {name_of(world)}; "
                    f"name it {name.partition(UNDER)[0]}{UNDER}{name_of(world)}, or another --out"
                )
            print(f"{name}: {out} is there already")
            continue
        from apps.slateq.train import main as train

        print(f"{name}: training {config.train_steps:,} steps for seeds {config.train_seeds}, in {out}")
        fields = asdict_shallow(replace(world, simulator="vectorised"))
        resume = (out / "config.json").exists()
        budget: dict[str, Any] = {"steps": config.train_steps, "seeds": config.train_seeds}
        train(TrainConfig(**fields, **budget, algorithm=name.partition(UNDER)[0], out=out, resume=resume))


def asdict_shallow(config: WorldConfig) -> dict[str, Any]:
    """The fields by name, nested configs as they are."""
    return {name: getattr(config, name) for name in WorldConfig.__dataclass_fields__}


def entry(name: str, config: EvaluateConfig, models: Mapping[str, WorldConfig]) -> Entry:
    """What stands behind a name in --policies."""
    if name in (*FIXED, *ONLINE):
        kind = "PRIVILEGED rule" if name in PRIVILEGED else "learns here" if name in ONLINE else "fixed rule"

        def make(simulator: Simulator) -> Policy:
            return make_baseline(name, simulator, np.random.default_rng(config.seed))

        return Entry(name, kind, [make], next(iter(models.values())), privileged=name in PRIVILEGED)
    from apps.slateq.tensorflow_setup import one_deterministic_thread

    one_deterministic_thread()
    from apps.slateq.learned import Served
    from apps.slateq.trainer import policy_folder

    learned = trained_under(name, config, models) is not None
    run = (config.out or Path()) / TRAINED / name if learned else Path(name)
    settings = check_run(str(run), config)
    with RunLog.open(run) as log:
        folders = [policy_folder(run, seed) for seed in log.seeds]
    policies = [Served.load(folder) for folder in folders]
    judge, world = settings["judge"], world_from(settings)
    kind = f"{settings['algorithm']}, {'no judge' if judge == 'none' else 'judge ' + judge}, {len(folders)} seeds"
    if config.users_model is not None:
        kind += f", trained under {name_of(world)} users"
    return Entry(
        name,
        kind,
        [lambda simulator, policy=policy: policy for policy in policies],
        world,
        settings["algorithm"],
        judge,
        was_told_the_truth(run),
    )


def was_told_the_truth(run: Path) -> bool:
    """Whether the run's judge, or a watch over it, was privileged."""
    summary = read_json(run / "summary.json") if (run / "summary.json").exists() else {}
    return "privileged" in summary.get("judge_kind", "") or "watch" in summary
