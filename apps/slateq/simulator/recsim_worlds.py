"""RecSim's three worlds, built from RecSim's own classes with the parameters that the command line knows.

`create_environment` of the package takes no parameters, and in long-term satisfaction not even its seed.
"""

from collections.abc import Callable
from typing import Any

from apps.slateq.config import EvolutionConfig, WorldConfig
from apps.slateq.simulator.interest_evolution import EvolutionParameters
from apps.slateq.simulator.interest_exploration import (
    check_exploration,
    exploration_chances,
    exploration_choice_model,
)
from apps.slateq.simulator.long_term_satisfaction import BUDGET
from apps.slateq.simulator.recsim_faults import mend_assertions, mend_luck
from lmgt_core.errors import UserError

CHOICE_MODELS = {
    "multinomial-proportional": "MultinomialProportionalChoiceModel",
    "multinomial-logit": "MultinomialLogitChoiceModel",
    "proportional-cascade": "ProportionalCascadeChoiceModel",
    "exponential-cascade": "ExponentialCascadeChoiceModel",
}


def make_recsim(config: WorldConfig, seed: int) -> Any:
    """RecSim's `RecSimGymEnv` of the world in `config`; its samplers begin with `seed` (32 bits)."""
    mend_assertions()
    mend_luck()
    makers: dict[str, Callable[[WorldConfig, int], Any]] = {
        "interest-evolution": _evolution,
        "interest-exploration": _exploration,
        "long-term-satisfaction": _satisfaction,
    }
    return makers[config.env](config, seed)


def _choice_model(name: str) -> Any:
    from recsim import choice_model

    return getattr(choice_model, CHOICE_MODELS[name])


def _assembled(config: WorldConfig, user_model: Any, document_sampler: Any, reward: Any) -> Any:
    from recsim.simulator import environment, recsim_gym

    world = environment.Environment(
        user_model,
        document_sampler,
        config.candidates,
        config.slate,
        resample_documents=config.resample_documents,
    )
    return recsim_gym.RecSimGymEnv(world, reward)


def _with_sampler(user_model: Any, sampler: Any) -> Any:
    """`user_model` with another sampler of users than the one that its class makes."""
    user_model._user_sampler = sampler
    user_model._user_state = sampler.sample_user()
    return user_model


def _evolution(config: WorldConfig, seed: int) -> Any:
    from recsim.environments import interest_evolution as world

    parameters = EvolutionParameters.of(config)
    given = parameters.given
    if given.quality_stddev != EvolutionConfig.quality_stddev:
        raise UserError("--evolution.quality-stddev: RecSim's is fixed at 0.1; use --simulator vectorised")
    wanted = {
        "time_budget": parameters.budget,
        "step_penalty": parameters.step_penalty,
        "score_scaling": parameters.score_scaling,
        "attention_prob": parameters.attention_prob,
        "no_click_mass": given.no_click_mass,
        "min_normalizer": given.min_normalizer,
        "user_update_alpha": parameters.user_update_alpha,
        "user_quality_factor": parameters.user_quality_factor,
        "document_quality_factor": given.document_quality_factor,
    }

    class User(world.IEvUserState):  # type: ignore[misc]
        """RecSim's user, whose parameters are those of the command line whatever its sampler says."""

        def __init__(self, **features: Any) -> None:
            super().__init__(**(features | wanted))

    users = {"utility": world.UtilityModelUserSampler, "distribution": world.IEvUserDistributionSampler}
    user_model = world.IEvUserModel(
        config.slate,
        choice_model_ctor=_choice_model(parameters.choice_model),
        user_state_ctor=User,
        seed=seed,
        alpha_x_intercept=given.alpha_x_intercept,
        alpha_y_intercept=given.alpha_y_intercept,
    )
    documents = world.UtilityModelVideoSampler(
        min_utility=given.min_utility, max_utility=given.max_utility, video_length=given.video_length, seed=seed
    )
    user_model = _with_sampler(user_model, users[config.user_model](user_ctor=User, seed=seed))
    return _assembled(config, user_model, documents, world.clicked_watchtime_reward)


def _exploration(config: WorldConfig, seed: int) -> Any:
    from recsim.environments import interest_exploration as world

    given, chosen = config.exploration, exploration_choice_model(config)
    check_exploration(given)
    chances = exploration_chances(given)
    features = {
        "min_normalizer": chances.min_normalizer,
        "attention_prob": chances.attention_prob,
        "score_scaling": chances.score_scaling,
    }
    choice_model = _choice_model(chosen.name)
    world.IEDocument.NUM_CLUSTERS = world.IEResponse.NUM_CLUSTERS = len(given.topic_distribution)
    user_model = world.IEUserModel(
        config.slate,
        no_click_mass=given.no_click_mass,
        choice_model_ctor=lambda theirs: choice_model(features | theirs),
        user_state_ctor=world.IEUserState,
        response_model_ctor=world.IEResponse,
        seed=seed,
    )
    sampler = world.IEClusterUserSampler(
        given.user_type_distribution,
        given.user_document_mean_affinity,
        given.user_document_stddev_affinity,
        world.IEUserState,
        seed=seed,
    )
    documents = world.IETopicDocumentSampler(
        given.topic_distribution, given.topic_quality_mean, given.topic_quality_stddev, seed=seed
    )
    return _assembled(config, _with_sampler(user_model, sampler), documents, world.total_clicks_reward)


def _satisfaction(config: WorldConfig, seed: int) -> Any:
    from recsim.environments import long_term_satisfaction as world

    given = config.satisfaction
    user_model = world.LTSUserModel(
        config.slate, user_state_ctor=world.LTSUserState, response_model_ctor=world.LTSResponse, seed=seed
    )
    sampler = world.LTSStaticUserSampler(
        world.LTSUserState,
        memory_discount=given.memory_discount,
        sensitivity=given.sensitivity,
        innovation_stddev=given.innovation_stddev,
        choc_mean=given.choc_mean,
        choc_stddev=given.choc_stddev,
        kale_mean=given.kale_mean,
        kale_stddev=given.kale_stddev,
        time_budget=BUDGET if config.budget is None else config.budget,
        seed=seed,
    )
    documents = world.LTSDocumentSampler(seed=seed)
    return _assembled(config, _with_sampler(user_model, sampler), documents, world.clicked_engagement_reward)
