"""Studies tell the parameters of a city as well as they are said to, and change nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs import studies

SMALL: dict[str, Any] = {"districts": 4, "cities": 2, "horizon": 12, "terminal": "tail"}
#: One parameter of the neutral prior with an axis, one without, and a rate.
STUDIED = {"om_service": 1.0, "g_road": 0.5, "gain_v": 0.8}
#: Standard deviations of log draws at uncertainty 1, by configs/twin.
WIDTH = {"om_service": 0.5, "g_road": 0.5, "gain_v": 0.2}


def make(rows: int = 2, scenario: str = "city_v0", **options: Any) -> Any:
    found: dict[str, Any] = {"uncertainty": 0.5, "studies": STUDIED} | SMALL | options
    return envs.make(scenario, num_envs=rows, seed=4, **found)


def read(env: Any, observed: Tensor) -> dict[str, Tensor]:
    """What the studies say ``[B]``, as the first agent of a group reads it."""
    names = env.groups[0].observation_names
    return {
        name.removeprefix(studies.PREFIX): observed[:, 0, column]
        for column, name in enumerate(names)
        if name.startswith(studies.PREFIX)
    }


def scores(env: Any, name: str) -> Tensor:
    """Standard scores of the drawn parameters, ``[B]`` or ``[B, entries]``."""
    drawn, usual = env._ground.governed.parameters.values[name], env.city.parameters.values[name]
    found: Tensor = (drawn / usual).log() / (0.5 * WIDTH[name])
    return found


def test_a_complete_study_tells_the_parameter() -> None:
    env = make(rows=8)
    observed, _ = env.reset(seed=9)
    found = read(env, observed["planning"])
    truth = scores(env, "om_service")
    for entry, service in enumerate(("education", "health", "safety", "culture")):
        told = found[f"om_service[{service}]"]
        torch.testing.assert_close(told, truth[:, entry].to(told), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["g_road", "gain_v"])
def test_an_incomplete_study_tells_its_share_and_is_its_own_best_guess(name: str) -> None:
    env = make(rows=3000)
    observed, _ = env.reset(seed=1)
    told, truth = read(env, observed["industry"])[name].double(), scores(env, name).double()
    covariance = torch.cov(torch.stack([told, truth]))
    share = float(covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1]))
    slope = float(covariance[0, 1] / covariance[0, 0])
    assert share == pytest.approx(STUDIED[name], abs=0.06)
    assert slope == pytest.approx(1.0, abs=0.07)


def test_all_governors_read_the_same_all_episode_and_another_seed_something_else() -> None:
    env = make(rows=3)
    first, _ = env.reset(seed=9)
    columns = len(studies.names(STUDIED))
    told = first["planning"][:, 0, -columns:]
    quiet = {g.name: torch.zeros(3, g.size, len(g.action_names)) for g in env.groups}
    result = env.step(quiet)
    for group in env.groups:
        assert torch.equal(result.observations[group.name][:, 0, -columns:], told)
    other, _ = env.reset(seed=900)
    assert not torch.equal(other["planning"][:, 0, -columns:], told)


def test_studies_change_what_is_seen_and_nothing_else() -> None:
    told, untold = make(), make(studies={})
    assert untold.groups[0].observation_names == told.groups[0].observation_names[:-6]
    for env in (told, untold):
        env.reset(seed=9)
    moves = {g.name: torch.full((2, g.size, len(g.action_names)), 0.3) for g in told.groups}
    for _ in range(4):
        results = [env.step(moves) for env in (told, untold)]
        for group in told.groups:
            seen = [r.info["final_observations"][group.name] for r in results]
            assert torch.equal(seen[0][..., :-6], seen[1])
            assert torch.equal(*(r.rewards[group.name] for r in results))


def test_errors_of_a_row_are_its_own() -> None:
    many, alone = make(rows=8), make(rows=1)
    seen, _ = many.reset(seed=20)
    one, _ = alone.reset(seed=25)
    row = {name: x[5] for name, x in read(many, seen["services"]).items()}
    for name, x in read(alone, one["services"]).items():
        torch.testing.assert_close(x[0], row[name])


def test_where_nothing_is_drawn_studies_say_nothing() -> None:
    env = make(uncertainty=0.0)
    observed, _ = env.reset(seed=9)
    found = read(env, observed["planning"])
    assert len(found) == 6
    assert all(not x.any() for x in found.values())


def test_mayors_of_a_region_read_the_studies_of_their_own_city() -> None:
    env = make(scenario="region_v0", studies={"gain_v": 1.0})
    observed, _ = env.reset(seed=9)
    (mayors,) = env.groups
    told = observed["mayors"][..., mayors.observation_names.index("study_gain_v")]
    truth = scores(env.cities, "gain_v").reshape(told.shape).to(told)
    assert truth.unique().numel() == truth.numel()
    torch.testing.assert_close(told, truth, rtol=1e-4, atol=1e-4)


def test_lags_are_studied_before_a_switch_shortens_them() -> None:
    slow, fast = (make(rows=8, studies={"lag_h": 1.0}, delay=delay) for delay in (1.0, 0.0))
    told = [env.reset(seed=9)[0]["planning"][:, 0, -1] for env in (slow, fast)]
    assert torch.equal(*told)
    assert float(told[0].std()) > 0.3
    lags = [env._ground.governed.parameters.values["lag_h"] for env in (slow, fast)]
    assert bool((lags[0] > 6).all())
    torch.testing.assert_close(lags[1], torch.full_like(lags[1], 3.0))


def test_all_stands_for_what_is_not_named() -> None:
    assert studies.shares({"all": 0.8, "g_road": 0.0, "gain_v": 0.5}) == {
        name: 0.5 if name == "gain_v" else 0.8 for name in studies.subjects() if name != "g_road"
    }
    env = make(studies={"all": 1.0})
    drawn = env._ground.governed.parameters.values
    varied = {name for name, x in drawn.items() if x.shape[0] == 2 and bool((x[0] != x[1]).any())}
    assert varied == set(studies.subjects())


def test_problems_come_together() -> None:
    with pytest.raises(ValueError, match="g_raod") as caught:
        make(studies={"g_raod": 0.5, "om_service": 1.5, "kappa_w": 0.5})
    text = str(caught.value)
    assert "'g_raod' is no parameter that is drawn; did you mean 'g_road'?" in text
    assert "studies.om_service=1.5: expected 0 to 1" in text
    assert "'kappa_w' is no parameter that is drawn" in text
