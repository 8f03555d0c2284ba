"""The accounts of a city's month under a policy, for `polislab model accounts`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from envs.city.accounts import Accounts, accounts
from envs.city.shocks import no_shocks
from experiments.worlds import World


def balance(world: World, settings: Sequence[str], months: int, mode: str) -> Accounts:
    """Accounts of the last of some months under a policy in a quiet world.

    Args:
        settings: like ``toll=0.002``; none leaves every lever at today's. mode: of the treasury.

    Raises:
        InputError: a bad setting.
    """
    city = world.city
    policy = world.policy(settings, city.rows)
    after = city.initial()
    quiet = no_shocks(city.rows, city.districts, after.planning.home_rent)
    with torch.no_grad():
        for _ in range(months):
            before = after
            after, flows = city.step(before, policy, quiet, mode)
    return accounts(city, before, flows, quiet, mode)
