"""Worlds: cities, their governors, and views on them for every common learner.

Names are loaded at their first use: importing `envs` (as Gymnasium programs do to get the ids)
loads neither torch nor Stable-Baselines3. Views on libraries that are extras say which to install.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from envs.adapters.gymnasium_env import register
from envs.adapters.optional import needs_extra

if TYPE_CHECKING:
    from envs.adapters.benchmarl_task import benchmarl_task as benchmarl_task
    from envs.adapters.mo_parallel import mo_aec_env as mo_aec_env
    from envs.adapters.mo_parallel import mo_parallel_env as mo_parallel_env
    from envs.adapters.parallel import aec_env as aec_env
    from envs.adapters.parallel import parallel_env as parallel_env
    from envs.adapters.sb3 import sb3_vec_env as sb3_vec_env
    from envs.adapters.torchrl_env import torchrl_env as torchrl_env
    from envs.registry import make as make
    from envs.registry import scenario_ids as scenario_ids

_HOMES = {
    "make": "envs.registry",
    "scenario_ids": "envs.registry",
    "parallel_env": "envs.adapters.parallel",
    "aec_env": "envs.adapters.parallel",
    "sb3_vec_env": "envs.adapters.sb3",
    "torchrl_env": "envs.adapters.torchrl_env",
    "benchmarl_task": "envs.adapters.benchmarl_task",
    "mo_parallel_env": "envs.adapters.mo_parallel",
    "mo_aec_env": "envs.adapters.mo_parallel",
}

__all__ = [
    "aec_env",
    "benchmarl_task",
    "make",
    "mo_aec_env",
    "mo_parallel_env",
    "parallel_env",
    "sb3_vec_env",
    "scenario_ids",
    "torchrl_env",
]

register()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'envs' has no attribute {name!r}")
    with needs_extra():
        return getattr(import_module(_HOMES[name]), name)
