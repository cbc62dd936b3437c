"""The user models that `lmgt slateq evaluate --users-model` names: worlds that differ only in how users behave.

`NAME`, or `NAME:drawn` for users whose parameters differ from one to the next (`--users-ranges`). Equal seeds give
equal interests, candidates and luck under all of them.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, get_args

from apps.slateq.config import ChoiceModelName, EvolutionConfig, ExplorationConfig, SatisfactionConfig, WorldConfig
from apps.slateq.simulator.make import make_simulator
from apps.slateq.user_ranges import DEFAULT
from lmgt_core.errors import UserError

SHORT: Mapping[str, ChoiceModelName] = MappingProxyType(
    {
        "proportional": "multinomial-proportional",
        "logit": "multinomial-logit",
        "cascade": "proportional-cascade",
        "exp-cascade": "exponential-cascade",
    }
)
DISTRIBUTION = "distribution"  # RecSim's other users: sessions of 30 minutes, which quality does not lengthen
DRAWN = ":drawn"
OWN_CHOICE = {"interest-evolution": "multinomial-proportional", "interest-exploration": "multinomial-logit"}
BEHAVIOUR = ("user_model", "choice_model", "users_ranges", "evolution", "exploration", "satisfaction", "budget")


def user_models(text: str, world: WorldConfig) -> dict[str, WorldConfig]:
    """{name as given: the world with these users} of a list like `proportional,cascade,logit:drawn`.

    UserError naming the entry that is none, or that gives no world.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UserError(f"--users-model: name at least one, like proportional; there are {_known()}")
    if world.choice_model is not None or world.user_model != "utility":
        flag = "--choice-model" if world.choice_model is not None else "--user-model"
        raise UserError(f"{flag}: --users-model names how users choose already; give one of the two")
    if world.users_ranges and not any(name.endswith(DRAWN) for name in names):
        raise UserError(f"--users-ranges: name a user model that draws from them, like {names[0]}{DRAWN}")
    return {name: world_with(name, world) for name in names}


def world_with(name: str, world: WorldConfig) -> WorldConfig:
    """`world` with the users called `name`; UserError when there are no such users, or not in this world."""
    base, drawn = name.removesuffix(DRAWN), name.endswith(DRAWN)
    if base != DISTRIBUTION and base not in {**SHORT, **dict.fromkeys(get_args(ChoiceModelName))}:
        raise UserError(f"--users-model {name}: no such users; there are {_known()}, each also as NAME{DRAWN}")
    ranges = (world.users_ranges or (DEFAULT,)) if drawn else ()
    users: dict[str, Any] = {"users_ranges": ranges}
    if base == DISTRIBUTION:
        users["user_model"] = DISTRIBUTION
    else:
        users["choice_model"] = SHORT.get(base, base)
    changed = replace(world, **users)
    try:
        make_simulator(changed, 1)
    except UserError as error:
        raise UserError(f"--users-model {name}: {error}") from error
    return changed


def name_of(world: WorldConfig) -> str:
    """What the world's users are called here; parameters that were set by hand are not told."""
    drawn = DRAWN if world.users_ranges else ""
    if world.user_model == DISTRIBUTION:
        return DISTRIBUTION + drawn
    choice = world.choice_model or OWN_CHOICE.get(world.env, "first")
    return next((short for short, long in SHORT.items() if long == choice), choice) + drawn


def same_users(one: WorldConfig, other: WorldConfig) -> bool:
    """Whether the users of both worlds behave alike."""
    return all(_spelled(one, name) == _spelled(other, name) for name in BEHAVIOUR)


def world_from(settings: Mapping[str, Any]) -> WorldConfig:
    """The world of a run, from its settings in config.json; what an older run does not say stands at its default."""
    known = {field.name: settings[field.name] for field in fields(WorldConfig) if field.name in settings}
    for name, kind in (
        ("evolution", EvolutionConfig),
        ("exploration", ExplorationConfig),
        ("satisfaction", SatisfactionConfig),
    ):
        if name in known:
            known[name] = kind(**{key: _tuples(value) for key, value in known[name].items()})
    known["users_ranges"] = tuple(known.get("users_ranges", ()))
    return WorldConfig(**{**known, "simulator": "vectorised"})


def _spelled(world: WorldConfig, name: str) -> Any:
    """A setting with its default spelled out."""
    if name == "choice_model":
        return world.choice_model or OWN_CHOICE.get(world.env, "first")
    return getattr(world, name)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _known() -> str:
    return ", ".join([*SHORT, DISTRIBUTION])
