"""Speed of the city model, of learning on it, and of both beside other libraries.

Times are medians over repeats. Learning alternates between the city and the null core, one
rollout and its training each, and their ratio is taken pair by pair: both meet the same load.
So do our MAPPO and BenchMARL's, and the worlds of all libraries.
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import torch
from stable_baselines3 import PPO

import envs
from envs.adapters.null import NullCore
from envs.adapters.optional import MissingLibraryError, needs_extra
from envs.adapters.sb3 import GovernanceVecEnv
from envs.errors import CompileError
from experiments import config, peer_speed, speed

Tick = Callable[[], None]

#: Goal for the ratio of learning speeds, by city.
GOALS = {"synthetic": 0.8}
#: On what MAPPO is timed: whether there is nothing behind the shapes, and whether the step is
#: compiled, of ours and of BenchMARL's alike.
MARL_WORLDS = ((True, False), (False, False), (False, True))


@dataclass(frozen=True)
class Plan:
    """What is measured.

    districts, rows: sizes of the model's table. seconds: length of one repeat of it. memory:
    districts and rows whose memory is measured. device: of the model's months. worlds: scenarios
    and cities to learn on, and whether the step is compiled. environments, months, batch, epochs,
    steps: of the learner, with ``steps`` environment steps a rollout. repeats, pairs: repeats of
    the model's times, pairs of rollouts. marl, minibatch, marl_pairs: scenario on which, and on
    whose shapes with nothing behind them, MAPPO is timed beside BenchMARL's; environment steps in a
    minibatch; pairs. peers: worlds of other libraries.
    """

    districts: tuple[int, ...] = (9, 33, 100)
    rows: tuple[int, ...] = (1, 32, 256, 1024)
    seconds: float = 0.5
    repeats: int = 5
    memory: tuple[tuple[int, int], ...] = ((33, 64), (33, 256), (33, 1024))
    device: str = "cpu"
    worlds: tuple[tuple[str, str, bool], ...] = (
        ("city_v0", "synthetic", False),
        ("city_v0", "synthetic", True),
        ("districts_v0", "synthetic", True),
        ("city_v0", "london", True),
    )
    environments: int = 256
    months: int = 3
    batch: int = 2048
    epochs: int = 10
    steps: int = 10
    pairs: int = 9
    marl: str = "city_v0"
    minibatch: int = 512
    marl_pairs: int = 3
    peers: tuple[peer_speed.Peer, ...] = peer_speed.PEERS

    @property
    def work(self) -> int:
        """Units of progress."""
        sizes = len(self.districts) * len(self.rows) + len(peer_speed.sizes(self.peers, 1))
        learning = self.pairs * len(self.worlds) + len(MARL_WORLDS) * self.marl_pairs
        return self.repeats * sizes + len(self.memory) + learning

    def city(self, name: str) -> dict[str, Any]:
        """Options of an environment of a city."""
        size = {"districts": min(self.districts, default=9)} if name == "synthetic" else {}
        return {"city": name, "months_per_step": self.months, **size}


@dataclass(frozen=True)
class LearningSpeed:
    """Agent-steps a second of Stable-Baselines3's PPO on a city and on the null core."""

    scenario: str
    city: str
    compiled: bool
    districts: int
    environments: int
    agents: int
    city_steps: float
    null_steps: float
    ratio: float
    lowest: float
    highest: float
    goal: float | None
    reached: bool | None


def learning_speed(
    scenario: str, city: str, compiled: bool, plan: Plan, tick: Tick
) -> LearningSpeed:
    """Time PPO on a scenario and on a null core of the same shapes, turn by turn."""
    options = plan.city(city) | {"compiled": compiled}
    core = envs.make(scenario, num_envs=plan.environments, **options)
    worlds = [GovernanceVecEnv(core), GovernanceVecEnv(NullCore.like(core))]
    with warnings.catch_warnings():  # a last minibatch that is short costs both alike
        warnings.filterwarnings("ignore", message="You have specified a mini-batch size")
        learners = [
            PPO(
                "MlpPolicy",
                world,
                n_steps=plan.steps,
                batch_size=plan.batch,
                n_epochs=plan.epochs,
                seed=0,
                device="cpu",
            )
            for world in worlds
        ]
    samples = worlds[0].num_envs * plan.steps
    times: list[list[float]] = [[], []]
    for turn in range(plan.pairs + 1):
        for learner, spent in zip(learners, times, strict=True):
            start = time.perf_counter()
            learner.learn(samples, reset_num_timesteps=turn == 0)
            spent.append(time.perf_counter() - start)
        if turn:
            tick()
    pairs = list(zip(*(spent[1:] for spent in times), strict=True))
    ratios = [null / real for real, null in pairs]
    goal = GOALS.get(city)
    return LearningSpeed(
        scenario=core.scenario,
        city=city,
        compiled=compiled,
        districts=core.city.districts,
        environments=plan.environments,
        agents=sum(group.size for group in core.groups),
        city_steps=samples / median(real for real, _ in pairs),
        null_steps=samples / median(null for _, null in pairs),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        goal=goal,
        reached=None if goal is None else median(ratios) >= goal,
    )


def learning_speeds(plan: Plan, tick: Tick) -> Iterator[dict[str, Any]]:
    """PPO on every world of the plan, or a note that its step cannot be compiled here."""
    for scenario, city, compiled in plan.worlds:
        try:
            yield asdict(learning_speed(scenario, city, compiled, plan, tick)) | {"note": ""}
        except CompileError as error:
            yield {"scenario": scenario, "city": city, "compiled": compiled, "note": str(error)}
            for _ in range(plan.pairs):
                tick()


def marl_speeds(plan: Plan, tick: Tick) -> Iterator[dict[str, Any]]:
    """Our MAPPO beside BenchMARL's, or a note that it is not installed."""
    try:
        with needs_extra():
            from experiments import marl_speed
    except MissingLibraryError as error:
        yield {"world": plan.marl, "environments": plan.environments, "note": str(error)}
        for _ in range(len(MARL_WORLDS) * plan.marl_pairs):
            tick()
        return
    settings = config.load(
        [
            "agent=mappo",
            "agent.sharing=group",
            f"agent.num_envs={plan.environments}",
            f"agent.batch_size={plan.minibatch}",
            f"agent.epochs={plan.epochs}",
        ]
    ).agent
    for null, compiled in MARL_WORLDS:
        options = plan.city("synthetic") | {"compiled": compiled}
        try:
            found = marl_speed.marl_speed(plan.marl, null, options, settings, plan.marl_pairs, tick)
        except CompileError as error:
            yield {"world": plan.marl, "environments": plan.environments, "note": str(error)}
            for _ in range(plan.marl_pairs):
                tick()
            continue
        yield asdict(found) | {"reached": found.reached, "note": ""}


def measure(plan: Plan, tick: Tick) -> dict[str, Any]:
    """All measurements as a record for JSON: machine, plan, and the rows of every table."""
    plain = replace(plan, peers=())
    return {
        "machine": machine(),
        "plan": asdict(plain) | {"peers": [peer.world for peer in plan.peers]},
        "model": [
            asdict(speed.model_speed(d, b, plan.seconds, plan.repeats, plan.device, tick))
            for d in plan.districts
            for b in plan.rows
        ],
        "memory": list(_memory(plan, tick)),
        "agreement": None if plan.device == "cpu" else speed.agreement(33, 32, 12, plan.device),
        "learning": list(learning_speeds(plan, tick)),
        "marl": list(marl_speeds(plan, tick)) if plan.marl_pairs else [],
        "peers": [
            asdict(row)
            for row in peer_speed.peer_speeds(
                plan.peers, plan.environments, plan.seconds, plan.repeats, tick
            )
        ],
    }


def _memory(plan: Plan, tick: Tick) -> Iterator[dict[str, Any]]:
    for districts, rows in plan.memory:
        yield asdict(speed.memory(districts, rows))
        tick()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def rows_of(records: Sequence[dict[str, Any]], columns: Sequence[str]) -> Iterator[list[str]]:
    """Cells of a table, numbers with three digits and thousands marked."""
    for record in records:
        yield [_text(record.get(column)) for column in columns]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)
