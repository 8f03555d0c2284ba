"""A compiled step is the step: the same figures, rows on their own, and plain words where not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs.city import tree
from envs.compiled import library
from envs.compiled.trace import carried, told
from envs.errors import CompileError
from envs.scenarios.city_v0 import CityV0
from envs.view import View
from experiments import config, learning
from experiments.errors import InputError
from experiments.train import train

ROWS = 20
#: Scenarios that can be compiled as they stand.
SCENARIOS = (
    "city_v0",
    "districts_v0",
    "industry_v0",
    "infrastructure_v0",
    "planning_v0",
    "services_v0",
    "taxation_v0",
)
SHORT: dict[str, Any] = {"months_per_step": 1, "horizon": 3, "cities": 5}
#: A compiled figure may miss float64 by this multiple of what torch's float32 misses it by, by this
#: share of the largest figure of its name, and by a rounding or two of a share of one.
TIMES, SHARE, ROUNDING = 5.0, 2e-5, 2e-7


def make(scenario: str = "city_v0", rows: int = ROWS, **options: Any) -> Any:
    """A world of short episodes on a few different cities."""
    return envs.make(scenario, num_envs=rows, **(SHORT | options))


def actions(env: Any, source: torch.Generator) -> dict[str, Tensor]:
    """Random actions of all rows."""
    return {
        group.name: 2
        * torch.rand(ROWS, group.size, len(group.action_names), generator=source)[: env.num_envs]
        - 1
        for group in env.groups
    }


def figures(env: Any, result: Any) -> dict[str, Tensor]:
    """All that a step tells and carries on."""
    found = {"told": told(result), "carried": carried(env)}
    return {name: x.to(torch.float64) for name, x in tree.leaves(found)}


def compare(worlds: list[Any], steps: int) -> None:
    """Step three worlds alike: compiled, by torch in float32, and by torch in float64."""
    source = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = actions(worlds[0], source)
        results = [world.step(chosen) for world in worlds]
        found, single, exact = (figures(*pair) for pair in zip(worlds, results, strict=True))
        assert list(found) == list(exact)
        for name, x in exact.items():
            if not x.numel():
                continue
            expected = x.expand_as(found[name])
            missed = float((found[name] - expected).abs().amax())
            usual = float((single[name] - x).abs().amax())
            largest = float(expected.abs().amax())
            allowed = TIMES * usual + SHARE * largest + ROUNDING
            assert missed <= allowed, (name, missed, usual, largest)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_compiled_step_is_as_exact_as_torch(scenario: str) -> None:
    """Of different cities, under shocks and random actions, over the end of an episode: every
    figure that a step tells or carries on, beside the same in float64."""
    worlds = [make(scenario, compiled=True), make(scenario), make(scenario, dtype=torch.float64)]
    with torch.no_grad():
        compare(worlds, 5)


def test_credit_life_cycle_and_drawn_cities_are_compiled_too() -> None:
    options = {"credit": "difference", "life_cycle": True, "uncertainty": 1.0, "chance": 1.0}
    options |= {"studies": {"all": 0.8}, "coupling": 0.5, "dynamics": "crisis"}
    worlds = [make(**options, **how) for how in ({"compiled": True}, {}, {"dtype": torch.float64})]
    with torch.no_grad():
        compare(worlds, 2)
        for world in worlds:
            world.reset(1000)
        compare(worlds, 2)


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """A compiled world, and the same by torch."""
    return make(compiled=True), make()


def close(found: Any, expected: Any) -> None:
    """Two trees of figures of order one."""
    for (name, x), (_, y) in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-4, msg=name)


def test_rows_do_not_know_of_each_other(pair: tuple[Any, Any]) -> None:
    """To the bit, in tiles that are full and in one that is not."""
    full, few = pair[0], make(rows=3, compiled=True)
    full.reset(0)
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(2):
            chosen = actions(full, source)
            many = told(full.step(chosen))
            some = told(few.step({name: x[:3] for name, x in chosen.items()}))
            for (name, x), (_, y) in zip(tree.leaves(many), tree.leaves(some), strict=True):
                assert torch.equal(x[:3], y), name


def test_tiles_of_the_same_cities_share_their_numbers() -> None:
    """Each row still steps its own city, under its own shocks."""
    rows = 3 * library.lanes(library.compiler())
    worlds = [make(rows=rows, cities=2, compiled=how) for how in (True, False)]
    with torch.no_grad():
        found, expected = (world.step(world._quiet_actions()) for world in worlds)
    assert len(worlds[0]._program._cities[0]) == 1
    close(found.rewards, expected.rewards)
    close(found.observations, expected.observations)


def test_some_rows_start_anew_while_others_go_on(pair: tuple[Any, Any]) -> None:
    source = torch.Generator().manual_seed(2)
    chosen = [actions(pair[0], source) for _ in range(3)]
    found = []
    with torch.no_grad():
        for world in pair:
            world.reset(7)
            world.step(chosen[0])
            observations, _ = world.restart([1, 17])
            found.append([observations, told(world.step(chosen[1]))])
    close(found[0][0], found[1][0])
    close(found[0][1]["observations"], found[1][1]["observations"])
    close(found[0][1]["rewards"], found[1][1]["rewards"])


def test_rows_that_start_anew_change_nothing_for_the_others(pair: tuple[Any, Any]) -> None:
    """To the bit: what is opened for a few rows is what the others went on with."""
    world, found = pair[0], []
    with torch.no_grad():
        for anew in ([], [1, 17]):
            source = torch.Generator().manual_seed(6)
            world.reset(7)
            world.step(actions(world, source))
            world.restart(anew)
            found.append(told(world.step(actions(world, source))))
    others = [row for row in range(ROWS) if row not in (1, 17)]
    for (name, x), (_, y) in zip(*map(tree.leaves, found), strict=True):
        assert torch.equal(x[others], y[others]), name
    assert not torch.equal(found[0]["rewards"]["planning"], found[1]["rewards"]["planning"])


def test_a_world_goes_back_to_a_moment_and_forward_again(pair: tuple[Any, Any]) -> None:
    world = pair[0]
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        world.reset(3)
        world.step(actions(world, source))
        moment, chosen = world.moment(), actions(world, source)
        first = told(world.step(chosen))
        world.go_back(moment)
        again = told(world.step(chosen))
    for (name, x), (_, y) in zip(tree.leaves(first), tree.leaves(again), strict=True):
        assert torch.equal(x, y), name


def test_what_is_told_stays_as_it_was(pair: tuple[Any, Any]) -> None:
    """A result is not written over by the steps after it, in a single tile either."""
    for world in (pair[0], make(rows=1, compiled=True)):
        source = torch.Generator().manual_seed(4)
        with torch.no_grad():
            first = told(world.step(actions(world, source)))
            kept = tree.tree_map(Tensor.clone, first)
            for _ in range(2):
                world.step(actions(world, source))
        for (name, x), (_, y) in zip(tree.leaves(first), tree.leaves(kept), strict=True):
            assert torch.equal(x, y), name


def test_stocks_are_worth_the_same(pair: tuple[Any, Any]) -> None:
    found = []
    with torch.no_grad():
        for world in pair:
            world.reset(5)
            world.step(world._quiet_actions())
            found.append(world.worth())
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def test_gradients_are_refused(pair: tuple[Any, Any]) -> None:
    world = pair[0]
    chosen = {name: x.requires_grad_() for name, x in world._quiet_actions().items()}
    with pytest.raises(CompileError, match="gradients are asked of a compiled step"):
        world.step(chosen)
    with pytest.raises(CompileError, match="supposes no breaks"):
        world.suppose(torch.zeros(ROWS, world.jump_size), torch.zeros(ROWS))


def test_all_that_cannot_be_compiled_is_said_at_once() -> None:
    with pytest.raises(CompileError) as refused:
        make(
            compiled=True,
            dtype=torch.float64,
            terminal="tail",
            regime="needs",
            regime_month=1,
            information=0.5,
        )
    message = str(refused.value)
    for part in ("torch.float64", "terminal='tail'", "regime='needs'", "information=0.5"):
        assert part in message
    with pytest.raises(CompileError, match="cities of a region meet"):
        envs.make("region_v0", num_envs=2, compiled=True)


def test_without_a_compiler_the_refusal_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(CompileError, match=r"no C\+\+ compiler.*g\+\+.*CXX"):
        make(compiled=True)


def test_a_compiler_that_fails_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CompileError, match=r"refused a compiled step: .*error"):
        library.load("no program")
    assert list(library.folder().iterdir()) == []


class Remembering(CityV0):
    """Observations that hang on numbers of the cities that were there at the first look."""

    def observe(self, view: View) -> dict[str, Tensor]:
        spread = view.city.geography.xy.std(1).mean(-1) / 10
        first = _MEMORY.setdefault(len(view.elapsed), spread).reshape(-1, 1, 1)
        return {name: x + first for name, x in super().observe(view).items()}


class Deciding(CityV0):
    """Observations that hang on a decision in Python."""

    def observe(self, view: View) -> dict[str, Tensor]:
        seen = super().observe(view)
        grown = float(view.value("population", "planning").sum()) > 0
        return seen if grown else {name: -x for name, x in seen.items()}


_MEMORY: dict[int, Tensor] = {}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Remembering, "observations.planning.* would differ"), (Deciding, "cannot be compiled")],
)
def test_scenarios_that_are_no_one_graph_are_refused(
    kind: type[CityV0], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _MEMORY.clear()
    from envs import registry

    known: Callable[[], Any] = registry.scenarios
    monkeypatch.setattr(registry, "scenarios", lambda: {**known(), "odd_v0": kind})
    world = make("odd_v0", compiled=True)
    with torch.no_grad(), pytest.raises(CompileError, match=reason):
        world.step(world._quiet_actions())


def test_only_training_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a configuration is scored on is not."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(learning.envs, "make", lambda _, **options: asked.append(options))
    for text, expected in (("compiled=true", True), ("compiled=false", False)):
        chosen = config.load([text])
        learning.training_world(chosen, 2, 0)
        assert asked.pop()["compiled"] is expected
        assert "compiled" not in chosen.environment(2, 0)


def test_what_cannot_be_compiled_is_refused_before_a_run_begins(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="compiled: agent feedback climbs gradients"):
        config.load(["agent=feedback", "compiled=true"])
    chosen = ["agent=ippo", "compiled=true", "scenario.regime=needs", f"runs={tmp_path}"]
    with pytest.raises(CompileError, match="regime='needs'"):
        train(config.load(chosen), ["polislab"])
    assert not list(tmp_path.iterdir())


def test_a_trace_leaves_nothing_behind() -> None:
    """In a process of its own: what is worked out once for all was first asked for by a trace."""
    code = """
import torch, envs
from envs.city import tree
from envs.compiled.trace import told
options = {"num_envs": 2, "months_per_step": 1, "cities": 2, "districts": 4}
for compiled in (True, False):
    world = envs.make("city_v0", compiled=compiled, **options)
    with torch.no_grad():
        result = world.step(world._quiet_actions())
for name, x in tree.leaves(told(result)):
    assert not torch._is_functional_tensor(x), name
    torch.zeros_like(x).copy_(x)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
