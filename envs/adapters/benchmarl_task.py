"""BenchMARL task: any scenario in `benchmarl.experiment.Experiment`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from benchmarl.environments.common import TaskClass
from torchrl.data import Composite
from torchrl.envs import EnvBase

from envs.adapters.torchrl_env import torchrl_env


class GovernanceTask(TaskClass):  # type: ignore[misc]
    """A scenario as a BenchMARL task: `name` is its id, `config` the options of `envs.make`.

    Levers are continuous. Critics that ask for it get the global state. BenchMARL gives its
    evaluation the seed of its training, so it evaluates on the cities that it trained on; judge
    a policy on other seeds than the experiment's.
    """

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """Maker of the batched environment; ValueError if discrete actions are asked for."""
        if not continuous_actions:
            raise ValueError("levers are continuous: choose an algorithm for continuous actions")
        options = copy.deepcopy(self.config)
        return lambda: torchrl_env(
            self.name, num_envs=num_envs, seed=seed or 0, device=device, **options
        )

    def supports_continuous_actions(self) -> bool:
        return True

    def supports_discrete_actions(self) -> bool:
        return False

    def has_render(self, env: EnvBase) -> bool:
        return False

    def max_steps(self, env: EnvBase) -> int:
        """Steps of an episode."""
        return int(env.core.steps_per_episode)

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """Group -> names of its agents."""
        return dict(env.group_map)

    def state_spec(self, env: EnvBase) -> Composite:
        """The global state [S]."""
        return Composite(state=env.full_observation_spec_unbatched["state"].clone())

    def action_mask_spec(self, env: EnvBase) -> None:
        return None

    def observation_spec(self, env: EnvBase) -> Composite:
        """group -> observation [n, O]."""
        return _of_groups(env, "observation")

    def info_spec(self, env: EnvBase) -> Composite:
        """group -> info: its constraint costs [n, 1] by name."""
        return _of_groups(env, "info")

    def action_spec(self, env: EnvBase) -> Composite:
        """group -> action [n, A]."""
        return env.full_action_spec_unbatched

    @staticmethod
    def env_name() -> str:
        return "polislab"


def _of_groups(env: EnvBase, entry: str) -> Composite:
    """One entry of the observations of every group that has it."""
    whole = env.full_observation_spec_unbatched
    return Composite(
        {
            group: Composite({entry: whole[group, entry].clone()}, shape=(len(agents),))
            for group, agents in env.group_map.items()
            if entry in whole[group].keys()  # noqa: SIM118
        }
    )


def benchmarl_task(scenario: str, **options: Any) -> GovernanceTask:
    """BenchMARL task of a scenario; options as in `envs.make`, without rows, seed and device.

    Example: `Experiment(task=envs.benchmarl_task("city_v0", city="synthetic"),
    algorithm_config=MappoConfig.get_from_yaml(), ...)`.
    """
    return GovernanceTask(scenario, options)
