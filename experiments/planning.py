"""How planners come to their policy inside a run folder: worlds and models for their settings."""

from __future__ import annotations

from typing import Any

import envs
from agents import predictive
from agents.planning.cross_entropy import CrossEntropy
from agents.planning.estimate import EstimatorFit
from agents.planning.model import Estimator, Model
from agents.planning.open_loop import OpenLoop
from agents.planning.search import PlanSearch
from agents.planning.settings import ModelSettings, MPCSettings, OpenLoopSettings, SearchSettings
from agents.policy import Policy
from agents.ppo_settings import training_seed
from experiments.cities import PRESETS, city_fault
from experiments.config import Config
from experiments.errors import InputError


def search(config: Config, part: int) -> PlanSearch:
    """A search for a plan that varies over time.

    Args:
        part: of the run, whose seed makes the environment.
    """
    agent: SearchSettings = config.agent
    seed, each = config.settings.seed, agent.cities + agent.held_out
    rows = min(agent.plans_at_once, agent.plans) * each
    options = config.environment(rows, training_seed(seed, part, each), cities=each)
    env = envs.make(config.scenario, **options)
    kind: Any = OpenLoop if isinstance(agent, OpenLoopSettings) else CrossEntropy
    found: PlanSearch = kind(agent, env, seed)
    return found


def estimator_fit(config: Config, part: int) -> EstimatorFit:
    """What model-predictive control has to learn before it governs.

    Raises:
        InputError: a city or scenario that cannot be planned on.
    """
    agent: MPCSettings = config.agent
    model = model_settings(config)
    if agent.city is not None and (fault := city_fault(agent.city)):
        raise InputError([f"agent.city: {fault}"])
    rows, seed = agent.estimate.rows, config.settings.seed
    options = config.environment(rows, training_seed(seed, part, rows))
    truth: Any = envs.make(config.scenario, **options | {"terminal": "costates"})

    def make(number: int) -> Model:
        world: Model = predictive.build(model, number, config.settings.device)
        return world

    def policy(estimator: Estimator) -> Policy:
        chosen = predictive.policy_settings(
            model, agent.horizon, truth.groups, len(estimator.bound)
        )
        return predictive.ModelPredictive(truth.groups, chosen, predictive.weights(estimator))

    try:
        return EstimatorFit(agent.estimate, truth, make, model.cities, seed, policy)
    except (TypeError, ValueError) as error:
        raise InputError([f"agent: {error}"]) from None


def model_settings(config: Config) -> ModelSettings:
    """The city that a configuration plans on: its own, or the one that the agent names."""
    agent: MPCSettings = config.agent
    city = agent.city or config.settings.city
    options = {key: value for key, value in config.settings.scenario.items() if key != "id"}
    return ModelSettings(
        scenario=config.scenario,
        city=city,
        districts=config.settings.districts if city in PRESETS else None,
        cities=agent.cities,
        options=options | agent.options,
    )
