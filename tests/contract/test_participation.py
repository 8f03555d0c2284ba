"""participation_v0: what a city hears, what it misses, and what panels may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs.city.indicators import INDICATORS, change
from envs.city.information import DISTRICT
from envs.governance import GovernanceEnv
from envs.groups import StepResult
from envs.scenarios.participation_v0 import rank_correlation
from experiments.participation import compare

SMALL: dict[str, Any] = {"cities": 4, "seed": 0, "terminal": "tail"}
DISTRICTS, SERVICES = 9, 4


def make(rows: int = 4, **options: Any) -> GovernanceEnv:
    return envs.make("participation_v0", num_envs=rows, **(SMALL | options))


def quiet(env: GovernanceEnv) -> dict[str, Tensor]:
    return {g.name: torch.zeros(env.num_envs, g.size, len(g.action_names)) for g in env.groups}


@pytest.fixture(scope="module")
def outcomes() -> Mapping[str, dict[str, float]]:
    return compare("synthetic", 8, 78)


def test_complaints_miss_needs_that_truthful_voices_tell(
    outcomes: Mapping[str, dict[str, float]],
) -> None:
    """Crowded districts are those where people like to live: they complain least."""
    told = outcomes["as today"]
    assert told["voices"] > 0.8
    assert told["voices_by_service"] > 0.8
    assert told["complaints"] < 0.3
    assert abs(told["exaggeration"]) < 0.02


def test_staff_that_follows_voices_reaches_more_of_those_who_do_not_complain(
    outcomes: Mapping[str, dict[str, float]],
) -> None:
    voices, complaints = outcomes["voices"], outcomes["complaints"]
    assert voices["reached_silent"] > complaints["reached_silent"] + 0.05
    assert voices["relief_silent"] > complaints["relief_silent"]
    assert voices["relief_silent"] > 0
    assert voices["overall"] > complaints["overall"]
    assert complaints["overall"] < 0


def step(env: GovernanceEnv, **changed: Tensor) -> StepResult:
    return env.step({**quiet(env), **changed})


def test_words_reach_the_city_and_change_nothing_else() -> None:
    loud, silent = make(2), make(2)
    panels = quiet(loud)["panels"]
    panels[..., :SERVICES] = 1.0
    heard, nothing = step(loud, panels=panels), step(silent)
    names = loud.groups[0].observation_names
    for column, name in enumerate(names):
        a, b = heard.observations["city"][..., column], nothing.observations["city"][..., column]
        if name.startswith("voice_"):
            assert bool((a == 1).all())
            assert bool((b == 0).all())
        else:
            assert torch.equal(a, b), name
    for group in ("city", "panels"):
        assert torch.equal(heard.rewards[group], nothing.rewards[group])
    assert bool((heard.info["measures"]["exaggeration"] > 0.9).all())


def test_words_are_forgotten_at_the_end_of_an_episode() -> None:
    env = make(2)
    panels = quiet(env)["panels"]
    panels[..., :SERVICES] = -1.0
    said = step(env, panels=panels).observations["city"]
    voices = [i for i, x in enumerate(env.groups[0].observation_names) if x.startswith("voice_")]
    assert bool((said[..., voices] == -1).all())
    env._restart([1])
    half = env._observations(env._scene())["city"][:, 0, voices]
    assert bool((half[0] == -1).all())
    assert bool((half[1] == 0).all())
    anew, _ = env.reset()
    assert bool((anew["city"][..., voices] == 0).all())


def test_panels_live_what_the_city_only_reads() -> None:
    """In a silo a panel still sees its own district as it is."""
    env = make(3, information=0.0)
    first = env._scene().start
    for _ in range(3):
        result = step(env)
    scene = env._scene()
    group = env.groups[1]
    for name in ("quality_health", "rent", "commute_time"):
        seen = result.observations["panels"][..., group.observation_names.index(name)]
        place = DISTRICT + name
        lived = change(INDICATORS[name], scene.value(place), first[place]).clamp(-10, 10)
        assert torch.equal(seen, lived), name
    city = env.groups[0].observation_names.index("quality_health")
    seen = result.observations["city"][:, 0, city]
    now = change(
        INDICATORS["quality_health"], scene.value("quality_health"), first["quality_health"]
    )
    assert not torch.allclose(seen, now)


def test_the_hotline_is_louder_where_more_people_speak_up() -> None:
    env = make(1, information=1.0)
    scene = env._scene()
    people = scene.city.start.planning.people
    speaking = (people * scene.city.parameters.bdk.voice).sum(-1) / people.sum(-1)
    torch.testing.assert_close(scene.value("district:hotline"), 0.5 * speaking)
    assert float(speaking.max() / speaking.min()) > 1.1


def test_time_given_is_paid_for_by_those_who_give_it() -> None:
    env, other = make(2, local_weight=1.0), make(2, local_weight=1.0)
    panels = quiet(env)["panels"]
    panels[:, 2, SERVICES:] = 1.0
    helped, alone = step(env, panels=panels), step(other)
    gap = helped.rewards["panels"] - alone.rewards["panels"]
    assert bool((gap[:, 2] < 0).all())
    assert bool((gap[:, [0, 1, *range(3, DISTRICTS)]] >= -1e-4).all())
    assert bool((helped.info["measures"]["hours"] > 0).all())


def test_rank_correlation_by_hand() -> None:
    a = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 5.0, 5.0, 5.0]])
    b = torch.tensor([[10.0, 30.0, 20.0, 40.0], [1.0, 2.0, 3.0, 4.0]])
    torch.testing.assert_close(rank_correlation(a, b), torch.tensor([0.8, 0.0]))
