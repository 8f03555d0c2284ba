"""Port coupling: how much a small disturbance of one block's ports moves the other blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from envs.city import tree
from envs.city.model import City, CityState
from envs.city.shocks import no_shocks
from envs.city.steady import typical_values
from envs.city.wiring import BLOCKS, Held, ports_of

#: Numbers of ports that are logs, utilities or growth: a disturbance is added, not multiplied.
LOGS = frozenset(
    {
        "residents.home_growth",
        "residents.work_growth",
        "roads.frequency",
        "offers.productivity",
        "offers.price",
        "market.skill",
        "market.pull",
        "energy.price",
        "shopping.price_index",
        "services.proximity",
        "services.education",
        "services.utility",
        "value.utility",
        "value.welfare",
    }
)
#: States in money that may be zero.
BALANCES = ("treasury.debt", "treasury.dividend")
SIZE = 1e-6


def port_coupling(
    city: City, state: CityState, months: int = 12, draws: int = 8, seed: int = 0
) -> Tensor:
    """Sensitivity of blocks to each other's ports ``[from, to]`` in the order of ``BLOCKS``.

    Every number in the ports of one block is shifted up or down at random by a small share,
    the same for all months, while that block itself is replayed; the entry is the root mean
    square relative change of the other block's state after ``months``, over the size of the
    disturbance. 1 means that a disturbance of one per cent moves the other block by one per
    cent. The diagonal is NaN: a replayed block does not move.

    Args:
        city: one row; run in float64 (finite differences of size ``SIZE``).
        state: from where, one row; today's policy, a quiet world.
        draws: random sign patterns, run as rows of one batch.
    """
    begin = tree.expand(tree.take(state, torch.zeros(1, dtype=torch.long)), draws)
    quiet = no_shocks(draws, city.districts, begin.planning.home_rent)

    def after(disturbed: Mapping[str, Any]) -> tuple[CityState, list[Any]]:
        now, record = begin, []
        for month in range(months):
            held = {name: Held(values[month]) for name, values in disturbed.items()}
            now, flows = city.step(now, {}, quiet, held=held)
            record.append(flows)
        return now, record

    with torch.no_grad():
        base, record = after({})
        found = torch.full((len(BLOCKS), len(BLOCKS)), torch.nan, dtype=torch.float64)
        for row, source in enumerate(BLOCKS):
            shift = {
                name: random_signs(getattr(record[0], name), draws, seed + row)
                for name in ports_of((source,))
            }
            disturbed = {
                name: [shifted(getattr(flows, name), signs, name, SIZE) for flows in record]
                for name, signs in shift.items()
            }
            moved, _ = after(disturbed)
            for column, block in enumerate(BLOCKS):
                if block != source:
                    found[row, column] = _distance(city, base, moved, block) / SIZE
    return found


def random_signs(port: Any, draws: int, seed: int) -> Any:
    """Random signs of the shape of every number of a port, ``[draws, ...]``."""
    generator = torch.Generator().manual_seed(seed)

    def draw(x: Tensor) -> Tensor:
        ones = torch.randint(0, 2, (draws, *x.shape[1:]), generator=generator)
        return (2 * ones - 1).to(x)

    return tree.tree_map(draw, port)


def shifted(port: Any, signs: Any, name: str, size: float | Tensor) -> Any:
    """The port called ``name`` with every number moved by ``size``, relative or, where it is
    one of ``LOGS``, absolute."""
    names = iter(tree.leaves(port, name))

    def shift(x: Tensor, sign: Tensor) -> Tensor:
        path, _ = next(names)
        return x + size * sign if path in LOGS else x * (1 + size * sign)

    return tree.tree_map(shift, port, signs)


def _distance(city: City, base: CityState, moved: CityState, block: str) -> Tensor:
    """Root mean square change of a block's state: relative, absolute for logs and expected
    growth, over a month's budget for debt and dividend."""
    typical = typical_values(city)
    pairs = zip(tree.leaves(base), tree.leaves(moved), strict=True)
    changes = []
    for (name, old), (_, new) in pairs:
        if not name.startswith(f"{block}.") or name.startswith("treasury.policy."):
            continue
        scale = old.abs() if name not in typical else torch.ones_like(old)
        if name in BALANCES:
            scale = torch.as_tensor(typical[name]).to(old).expand_as(old)
        changes.append((((new - old) / scale) ** 2).mean())
    return torch.stack(changes).mean().sqrt()
