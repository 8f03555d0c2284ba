"""Agent-steps a second of our environments beside those of other libraries, under random actions.

All worlds take turns in one process and one thread. A library that does not batch steps one
environment after another: more of them in one process run no faster, so one is timed, beside ours
at a batch of one. Worlds differ in what a step computes, and the figures say nothing about that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
import torch

import envs
from envs.errors import CompileError
from experiments import speed

#: Random actions of a step that are drawn beforehand and used in turn.
POOL = 16
#: Months of a step of ours, each of the city and of its status-quo twin.
MONTHS = 3
#: Districts of our cities.
DISTRICTS = 9
#: Steps of an episode of VMAS, as BenchMARL sets it.
VMAS_STEPS = 100
EXTRA = "pip install 'polislab[peers]'"


@dataclass(frozen=True)
class Stepper:
    """A world that is ready to be stepped: agents in an environment, environments, and a step of
    all of them that starts ended episodes anew."""

    agents: int
    batch: int
    step: Callable[[], object]


@dataclass(frozen=True)
class PeerSpeed:
    """Agent-steps a second of one world; None and a note where its library is not installed."""

    world: str
    library: str
    batch: int
    agents: int | None = None
    agent_steps: float | None = None
    slowest: float | None = None
    fastest: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Peer:
    """A world to time.

    world: its name; library: distribution that brings it, "" for ours; make: the world with a
    number of environments; batches: whether it steps many environments at once; install: command;
    note: what sets it apart.
    """

    world: str
    library: str
    make: Callable[[str, int], Stepper]
    batches: bool = True
    install: str = ""
    note: str = ""


def city(scenario: str, batch: int, compiled: bool = False) -> Stepper:
    """A scenario of ours on synthetic cities."""
    core = envs.make(
        scenario,
        num_envs=batch,
        city="synthetic",
        districts=DISTRICTS,
        months_per_step=MONTHS,
        compiled=compiled,
    )
    source = torch.Generator().manual_seed(0)

    def drawn(agents: int, levers: int) -> torch.Tensor:
        return 2 * torch.rand(batch, agents, levers, generator=source) - 1

    actions = itertools.cycle(
        [{g.name: drawn(g.size, len(g.action_names)) for g in core.groups} for _ in range(POOL)]
    )

    def step() -> None:
        with torch.no_grad():
            core.step(next(actions))

    return Stepper(sum(group.size for group in core.groups), batch, step)


def compiled_city(scenario: str, batch: int) -> Stepper:
    """The same by compiled steps."""
    return city(scenario, batch, compiled=True)


def vmas(world: str, batch: int) -> Stepper:
    """A scenario of VMAS."""
    from vmas import make_env

    env = make_env(
        world,
        num_envs=batch,
        device="cpu",
        continuous_actions=True,
        max_steps=VMAS_STEPS,
        seed=0,
    )
    pool = [[env.get_random_action(agent) for agent in env.agents] for _ in range(POOL)]
    actions = itertools.cycle(pool)

    def step() -> None:
        done = env.step(next(actions))[2]
        if bool(done.all()):
            env.reset()

    return Stepper(len(env.agents), batch, step)


def citylearn(world: str, batch: int) -> Stepper:
    """A district of buildings of CityLearn, one agent a building; ``batch`` must be 1."""
    # By name: no extra can declare it, see INSTALL_CITYLEARN.
    env = import_module("citylearn.citylearn").CityLearnEnv(world, central_agent=False)
    pool = [[space.sample().tolist() for space in env.action_space] for _ in range(POOL)]
    actions = itertools.cycle(pool)

    def step() -> None:
        env.step(next(actions))
        if env.done:
            env.reset()

    env.reset()
    return Stepper(len(env.action_space), batch, step)


def mpe2(world: str, batch: int) -> Stepper:
    """A world of MPE2 through PettingZoo's parallel view; ``batch`` must be 1."""
    env: Any = import_module(f"mpe2.{world}").parallel_env(continuous_actions=True)
    env.reset(seed=0)
    source = np.random.default_rng(0)
    pool = [
        {
            agent: source.uniform(0, 1, env.action_space(agent).shape).astype(np.float32)
            for agent in env.agents
        }
        for _ in range(POOL)
    ]
    agents, actions = len(env.agents), itertools.cycle(pool)

    def step() -> None:
        env.step(next(actions))
        if not env.agents:
            env.reset()

    return Stepper(agents, batch, step)


#: CityLearn's pins hold back numpy and pandas, so that no extra can name it; this version brings
#: its data and runs without them.
INSTALL_CITYLEARN = f"{EXTRA} && pip install --no-deps citylearn==2.1.2 simplejson"
PEERS = (
    Peer("city_v0", "", city),
    Peer("city_v0", "", compiled_city, note="compiled"),
    Peer("districts_v0", "", city),
    Peer("navigation", "vmas", vmas, install=EXTRA),
    Peer("simple_spread_v3", "mpe2", mpe2, batches=False, install=EXTRA),
    Peer(
        "citylearn_challenge_2022_phase_1",
        "citylearn",
        citylearn,
        batches=False,
        install=INSTALL_CITYLEARN,
    ),
)


def sizes(peers: Sequence[Peer], batch: int) -> list[tuple[Peer, int]]:
    """Every world with the numbers of environments that it is timed with."""
    return [(peer, size) for peer in peers for size in ((batch, 1) if peer.batches else (1,))]


def peer_speeds(
    peers: Sequence[Peer],
    batch: int,
    seconds: float,
    repeats: int,
    tick: Callable[[], None],
) -> Iterator[PeerSpeed]:
    """Time every world at a batch, and those that batch also at one environment, turn by turn."""
    every = sizes(peers, batch)
    made = [_made(peer, size) for peer, size in every]
    times: list[list[float]] = [[] for _ in every]
    for _ in range(repeats):
        for stepper, spent in zip(made, times, strict=True):
            if isinstance(stepper, Stepper):
                spent.append(speed.timed(stepper.step, seconds, torch.device("cpu")))
            tick()
    for (peer, size), stepper, spent in zip(every, made, times, strict=True):
        if isinstance(stepper, str):
            yield PeerSpeed(peer.world, peer.library, size, note=stepper)
            continue
        steps = stepper.agents * stepper.batch
        yield PeerSpeed(
            peer.world,
            f"{peer.library} {version(peer.library)}" if peer.library else "polislab",
            size,
            stepper.agents,
            agent_steps=steps / median(spent),
            slowest=steps / max(spent),
            fastest=steps / min(spent),
            note=peer.note if peer.batches else "does not batch: one environment at a time",
        )


def _made(peer: Peer, size: int) -> Stepper | str:
    """The world after a first step, or what is missing for it."""
    try:
        stepper = peer.make(peer.world, size)
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed: {peer.install}"
    except CompileError as error:
        return str(error)
    stepper.step()
    return stepper
