"""The table of checks: a row is whose check, what it looks at, and the function."""

from __future__ import annotations

from experiments.checks import official, ours
from experiments.checks.check import Check

CHECKS = (
    Check("polislab", "is made as its groups say", ours.made),
    Check("PettingZoo", "parallel_api_test", official.pettingzoo_parallel),
    Check("PettingZoo", "api_test (AEC)", official.pettingzoo_aec),
    Check("PettingZoo", "seed tests", official.pettingzoo_seeds),
    Check("PettingZoo", "max_cycles_test", official.pettingzoo_max_cycles),
    Check("PettingZoo", "render_test", official.pettingzoo_render),
    Check("PettingZoo", "state_test", official.pettingzoo_state),
    Check("Gymnasium", "check_env (central agent)", official.gymnasium_central),
    Check("SB3", "check_env (central agent)", official.sb3_central),
    Check("SB3", "VecCheckNan, rows in their space", official.sb3_vector),
    Check("TorchRL", "check_env_specs", official.torchrl_specs),
    Check("MOMAland", "api_test (reward vectors)", official.momaland_api),
    Check("polislab", "row i of 64 equals alone", ours.row_alone),
    Check("polislab", "another environment changes nothing", ours.neighbours),
    Check("polislab", "same seed, same numbers", ours.same_seed),
    Check("polislab", "gradients flow to every group", ours.gradients),
    Check("polislab", "finite at the bounds, costs >= 0", ours.bounds),
    Check("polislab", "unknown options are refused", ours.unknown_options),
)
