"""Runs by configuration: found, named by what tells them apart, refused where worlds differ."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

import agents
from experiments import config
from experiments.cities import PRESETS
from experiments.compare.measure import WELFARE, Measure
from experiments.config import Config
from experiments.errors import InputError
from experiments.runs import Run

ENOUGH_SEEDS = 5
#: Keys of a configuration that never tell two groups apart.
APART = ("seed", "runs", "device", "threads")
Leaves = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """One run of a group with its checked configuration."""

    run: Run
    config: Config

    @property
    def seed(self) -> int:
        return self.config.settings.seed


@dataclass(frozen=True)
class Group:
    """Runs of one configuration, one a seed; `members` are in the order of their seeds."""

    name: str
    hash: str
    members: tuple[Member, ...]

    @property
    def config(self) -> Config:
        """The configuration that the members share, but for the seed."""
        return self.members[0].config

    @property
    def is_rule(self) -> bool:
        """A rule: it learns nothing, so that its runs differ in no number."""
        return self.config.kind in agents.RULES


@dataclass(frozen=True)
class Collection:
    """Groups that may be compared by a measure, and what a reader should know about them."""

    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    measure: Measure


def collect(
    places: Sequence[str],
    scenario: str | None = None,
    cities: int | None = None,
    first_seed: int | None = None,
    mix: bool = False,
    measure: Measure = WELFARE,
) -> Collection:
    """Finished runs in folders, grouped by configuration.

    Args:
        places: run folders, folders that hold some, or patterns of either (`*`).
        scenario: keeps the runs of one scenario.
        cities, first_seed: of held-out cities that all runs are scored on; None leaves each
            run's own.
        mix: allow groups whose worlds differ, where the measure has one unit in all of them.
        measure: what they are compared by.

    Raises:
        InputError: places without runs, runs that cannot be read, groups of different worlds.
    """
    runs = list(_find(places))
    unfinished = [run for run in runs if not run.finished]
    members = _members([run for run in runs if run.finished])
    if scenario is not None:
        members = [member for member in members if member.config.scenario == scenario]
    if not members:
        raise InputError([_nothing(runs, scenario), *_pending(unfinished)])
    members = [
        replace(member, config=_rescored(member.config, cities, first_seed)) for member in members
    ]
    groups = _grouped(members)
    differing = _differing(groups, measure)
    if differing and not measure.common:
        raise InputError([*differing, f"by {measure.name}, only runs of one world can be compared"])
    if differing and not mix:
        raise InputError([*differing, "add --mix to compare them all the same"])
    few = [
        f"{group.name}: {_seeds(len(group.members))}; below {ENOUGH_SEEDS} an interval over seeds "
        "says little"
        for group in groups
        if len(group.members) < ENOUGH_SEEDS and not group.is_rule
    ]
    return Collection(tuple(groups), (*_pending(unfinished), *few), measure)


def world(loaded: Config, measure: Measure) -> Leaves:
    """What decides the held-out cities, the game played there and its scores, as flat keys."""
    settings = loaded.settings
    found: Leaves = {
        f"scenario.{key}": value
        for key, value in settings.scenario.items()
        if key not in measure.ignores
    }
    found["city"] = settings.city
    if settings.city in PRESETS:
        found["districts"] = settings.districts
    evaluation = settings.experiment.evaluation
    found["experiment.evaluation.cities"] = evaluation.cities
    found["experiment.evaluation.first_seed"] = evaluation.first_seed
    return found


def _find(places: Sequence[str]) -> Iterator[Run]:
    problems: list[str] = []
    found: dict[Path, Run] = {}
    for place in places:
        paths = sorted(glob.glob(place)) if glob.has_magic(place) else [place]
        manifests = [
            path
            for folder in paths
            for path in (
                [Path(folder) / "manifest.json"]
                if (Path(folder) / "manifest.json").is_file()
                else sorted(Path(folder).rglob("seed-*/manifest.json"))
            )
        ]
        if not manifests:
            problems.append(f"{place}: no run folder")
        found |= {path.parent.resolve(): Run(path.parent) for path in manifests}
    if problems or not found:
        raise InputError(problems or "no run was given")
    yield from found.values()


def _members(runs: Sequence[Run]) -> list[Member]:
    members, problems = [], []
    for run in runs:
        try:
            content = yaml.safe_load((run.folder / "config.yaml").read_text(encoding="utf-8"))
            members.append(Member(run, config.load([], base=content)))
        except InputError as error:
            problems += [f"{run.folder}: config.yaml: {text}" for text in error.problems]
        except OSError as error:
            problems.append(f"{run.folder}: config.yaml: {error.strerror}")
    if problems:
        raise InputError(problems)
    return members


def _rescored(loaded: Config, cities: int | None, first_seed: int | None) -> Config:
    if cities is None and first_seed is None:
        return loaded
    evaluation = loaded.settings.experiment.evaluation
    first = evaluation.first_seed if first_seed is None else first_seed
    return loaded.scored_on(first, cities)


def _grouped(members: Sequence[Member]) -> list[Group]:
    by_hash: dict[str, list[Member]] = {}
    for member in members:
        by_hash.setdefault(str(member.run.manifest["hash"]), []).append(member)
    names = _names({key: found[0].config for key, found in by_hash.items()})
    groups = [
        Group(names[key], key, tuple(sorted(found, key=lambda member: member.seed)))
        for key, found in by_hash.items()
    ]
    return sorted(groups, key=lambda group: group.name)


def _names(configs: Mapping[str, Config]) -> dict[str, str]:
    """Kind of the agent, with the values that tell groups of one kind apart."""
    names = {}
    for key, loaded in configs.items():
        mine = leaves(loaded.resolved)
        others = [
            leaves(other.resolved)
            for name, other in configs.items()
            if name != key and other.kind == loaded.kind
        ]
        own = [
            f"{path.removeprefix('agent.')}={value}"
            for path, value in mine.items()
            if any(other.get(path) != value for other in others)
        ]
        names[key] = " ".join([loaded.kind, *own])
    for key, name in names.items():
        if list(names.values()).count(name) > 1:
            names[key] = f"{name} ({key})"
    return names


def leaves(node: Any, path: str = "") -> Leaves:
    """Values of nested tables by their dotted path; lists are values."""
    if not isinstance(node, Mapping):
        return {path: node}
    found: Leaves = {}
    for key, child in node.items():
        if path or key not in APART:
            found |= leaves(child, f"{path}.{key}" if path else str(key))
    return found


def _differing(groups: Sequence[Group], measure: Measure) -> list[str]:
    """One line for each key in which the worlds of groups differ, with who has which value."""
    worlds = {group.name: world(group.config, measure) for group in groups}
    lines = []
    for key in dict.fromkeys(key for found in worlds.values() for key in found):
        holders: dict[str, list[str]] = {}
        for name, found in worlds.items():
            holders.setdefault(str(found.get(key, "not set")), []).append(name)
        if len(holders) > 1:
            told = "; ".join(f"{value} in {', '.join(names)}" for value, names in holders.items())
            lines.append(f"{key} differs: {told}{_remedy(key)}")
    return lines


def _remedy(key: str) -> str:
    if key.startswith("experiment.evaluation"):
        return f" (--{key.rsplit('.', 1)[1].replace('_', '-')} scores all on one set)"
    return " (--scenario keeps one)" if key == "scenario.id" else ""


def _nothing(runs: Sequence[Run], scenario: str | None) -> str:
    kept = f" of scenario {scenario!r}" if scenario else ""
    return f"none of {len(runs)} runs is finished{kept}"


def _pending(runs: Sequence[Run]) -> list[str]:
    return [f"left out, {run.manifest.get('status')}: {run.folder}" for run in runs]


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"
