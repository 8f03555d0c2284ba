"""What must not matter: company in the batch of an environment, and land (see the invariants)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

import envs
from envs.city.cities import build, with_parameters
from envs.city.dynamics import Dynamics
from envs.city.model import City
from envs.city.panel import Panel
from envs.city.synthetic import synthetic_panel
from envs.priors import SYNTHETIC, read

STEPS = 12


def calibrated(panel: Panel, overrides: Mapping[str, float] | None = None) -> City:
    """A panel inverted, with the neutral prior."""
    return with_parameters(build(panel, overrides), read(SYNTHETIC))


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("row", [0, 37])
def test_a_row_of_sixty_four_is_the_same_alone(
    many: City, dtype: torch.dtype, close: float, row: int
) -> None:
    def make(rows: int, seed: int) -> envs.governance.GovernanceEnv:
        return envs.make("city_v0", city=many, num_envs=rows, seed=seed, dtype=dtype, horizon=36)

    crowd, alone = make(64, 0), make(1, row)
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        actions = {
            group.name: 2 * torch.rand(64, 1, len(group.action_names), generator=generator) - 1
            for group in crowd.groups
        }
        many_rows = crowd.step(actions)
        one_row = alone.step({name: a[row : row + 1] for name, a in actions.items()})
        for name, seen in one_row.observations.items():
            together = many_rows.observations[name][row : row + 1]
            assert torch.allclose(together, seen, rtol=close, atol=10 * close)
        for name, reward in one_row.rewards.items():
            together = many_rows.rewards[name][row : row + 1]
            assert torch.allclose(together, reward, rtol=close, atol=10 * close)
        for name, value in one_row.info["indicators"].items():
            together = many_rows.info["indicators"][name][row : row + 1]
            size = float(value.abs().max())
            assert torch.allclose(together, value, rtol=close, atol=close * max(size, 1.0))


def test_the_weather_of_a_row_is_its_own_to_the_bit() -> None:
    like = torch.zeros(1, dtype=torch.float32)
    crowd = Dynamics("crisis", 64, 9, 36, like)
    for row in range(64):
        crowd.seed(row, 100 + row)
    crowd.reset(range(64))
    for row in (0, 37, 63):
        alone = Dynamics("crisis", 1, 9, 36, like, chance=1)
        alone.seed(0, 100 + row)
        alone.reset([0])
        other = Dynamics("crisis", 64, 9, 36, like, chance=1)
        for each in range(64):
            other.seed(each, 100 + each)
        other.reset(list(reversed(range(64))))
        for _ in range(36):
            one = alone.advance()
            again = other.advance()
            for name, value in one.items():
                assert torch.equal(value[0], again[name][row]), name
    crowd.reset([5])
    before = [s["outside"].clone() for s in (crowd.advance(), crowd.advance())]
    assert float((before[0] - before[1]).abs().max()) > 0


def test_land_alone_changes_trips_within_a_district_and_nothing_at_the_start() -> None:
    panel = synthetic_panel([3], 9)
    wide = calibrated(replace(panel, land=4 * panel.land))
    city = calibrated(panel)
    inner = torch.diagonal(wide.geography.distance[0]) / torch.diagonal(city.geography.distance[0])
    assert torch.allclose(inner, torch.full_like(inner, 2))
    torch.testing.assert_close(wide.start.planning.people, city.start.planning.people)
