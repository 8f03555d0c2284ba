"""Scores of every run on held-out cities, and of the rows that are always there.

Shapes: S seeds, C held-out cities.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import agents
from agents.planning.informed import steps_lived
from agents.planning.settings import SEARCHES
from agents.policy import Policy
from experiments.compare.comparison import (
    BEST_RULE,
    CLAIRVOYANT,
    INFORMED,
    RANDOM,
    STATUS_QUO,
    Comparison,
    Entry,
)
from experiments.compare.foreknowledge import clairvoyant, informed
from experiments.compare.groups import Collection, Group, Member, world
from experiments.compare.measure import Measure
from experiments.config import Config
from experiments.errors import InputError
from experiments.evaluate import Acting, evaluate
from experiments.policies import load_policy
from experiments.runs import git_state, read_json, versions
from experiments.settings import SELECTION_SEED
from experiments.statistics import interquartile_mean
from experiments.train import held_out

Floats = NDArray[np.float64]
CANDIDATES = tuple(name for name in agents.RULES if name not in (STATUS_QUO, RANDOM))
"""Rules of which the best is a row of every comparison."""
BLIND = ("plan", *SEARCHES)
"""Kinds of agents whose plans are made in advance and answer to nothing."""


@dataclass(frozen=True)
class Plan:
    """What is compared, and how often a policy must be played for it.

    fresh: no stored evaluation is used. clairvoyant: gradient steps of a plan for each held-out
    city that knows its future; informed: of each renewal of plans that know all but the future; 0
    leaves a row out.

    Raises:
        InputError: rows that know more where their plans are made for another measure, or where
            they would know of a regime change.
    """

    collection: Collection
    fresh: bool = False
    clairvoyant: int = 0
    informed: int = 0

    def __post_init__(self) -> None:
        asked = {"--clairvoyant": self.clairvoyant, "--informed": self.informed}
        problems = [
            f"{option} plans for welfare: leave out either it or --score {self.measure.name}"
            for option, steps in asked.items()
            if steps and not self.measure.climbed
        ]
        broken = {group.config.settings.scenario.get("regime", "none") for group in self.groups}
        if self.informed and broken != {"none"}:
            problems.append(
                "--informed would know of the break: expected runs with scenario.regime=none"
            )
        if problems:
            raise InputError(problems)

    @property
    def groups(self) -> Sequence[Group]:
        return self.collection.groups

    @property
    def measure(self) -> Measure:
        return self.collection.measure

    @property
    def worlds(self) -> list[tuple[dict[str, Any], list[Group]]]:
        """Different worlds with their groups."""
        found: list[tuple[dict[str, Any], list[Group]]] = []
        for group in self.groups:
            mine = world(group.config, self.measure)
            held = next((groups for known, groups in found if known == mine), None)
            if held is None:
                found.append((mine, [group]))
            else:
                held.append(group)
        return found

    @property
    def knowing(self) -> list[str]:
        """Roles of the rows that know more than policies."""
        asked = {CLAIRVOYANT: self.clairvoyant, INFORMED: self.informed}
        return [role for role, steps in asked.items() if steps]

    @property
    def episodes(self) -> int:
        """Policies to play: rules on two sets of cities for each world, and runs without scores."""
        rules = len(self.worlds) * (len(CANDIDATES) + 3)
        played = [
            member
            for group in self.groups
            for member in runs_of(group)
            if self.fresh or stored(member, self.measure) is None
        ]
        climbs = len(self.worlds) * (self.clairvoyant + 2) if self.clairvoyant else 0
        if self.informed:
            climbs += sum(_renewals(groups[0].config, self.informed) for _, groups in self.worlds)
        return rules + len(played) + climbs


def score(plan: Plan, tick: Callable[[], None]) -> Comparison:
    """Score all groups, the status quo, the random rule and the best rule.

    Args:
        plan: what is compared.
        tick: called after each episode.

    Raises:
        InputError: a run whose policy does not fit its scenario; an informed planner asked for in
            one that cannot be foreseen.
    """
    entries, worlds = [], []
    many = len(plan.worlds) > 1
    for number, (keys, groups) in enumerate(plan.worlds):
        label = chr(ord("A") + number) if many else ""
        worlds.append((label, keys))
        env = held_out(groups[0].config)
        if plan.informed and not hasattr(env, "expect"):
            raise InputError(
                f"--informed: {groups[0].config.scenario} cannot say what is to be expected; "
                "expected a scenario of one city"
            )
        learnt = [_learnt(group, label, env, plan, tick) for group in groups]
        entries += learnt
        entries += _references(groups[0].config, label, env, plan.measure, tick)
        best = max(zip(learnt, groups, strict=True), key=lambda pair: _middle(pair[0]))[1]
        entries += [_knowing(role, best, label, env, plan, tick) for role in plan.knowing]
    return Comparison(tuple(entries), tuple(worlds), plan.collection.warnings, plan.measure)


def runs_of(group: Group) -> tuple[Member, ...]:
    """Runs whose numbers can differ: of a rule, one."""
    return group.members[:1] if group.is_rule else group.members


def stored(member: Member, measure: Measure) -> Floats | None:
    """Scores on the held-out cities from a run's own evaluation: [C].

    None unless it was made by this code, for the city as it is now, on these very cities.
    """
    manifest, content = member.run.manifest, read_json(member.run.evaluation)
    evaluation = member.config.settings.experiment.evaluation
    wanted = list(range(evaluation.first_seed, evaluation.first_seed + evaluation.cities))
    state = git_state()
    same_code = manifest.get("git") == state and not state.get("changed")
    if content.get("seeds") != wanted or not same_code or manifest.get("versions") != versions():
        return None
    scores: Floats = measure.of(content)[content["policies"].index("policy")]
    return scores


def _learnt(group: Group, label: str, env: Any, plan: Plan, tick: Callable[[], None]) -> Entry:
    rows = []
    for member in runs_of(group):
        kept = None if plan.fresh else stored(member, plan.measure)
        if kept is None:
            policies = {str(member.run.folder): _policy(member, env)}
            kept = _play(member.config, env, policies, plan.measure, tick)[0]
        rows.append(kept)
    return Entry(
        name=_titled(group.name, label),
        world=label,
        scores=np.stack(rows),
        hash=group.hash,
        blind=group.config.kind in BLIND,
        seeds=() if group.is_rule else tuple(member.seed for member in group.members),
        runs=tuple(str(member.run.folder) for member in group.members),
    )


def _policy(member: Member, env: Any) -> Policy:
    policy, _ = load_policy(member.run.folder)
    problems = agents.mismatches(policy, env.groups)
    if problems:
        raise InputError([f"{member.run.folder} does not fit its scenario: {p}" for p in problems])
    return policy


def _references(
    loaded: Config, label: str, env: Any, measure: Measure, tick: Callable[[], None]
) -> list[Entry]:
    """Status quo, random and the rule that is best on other cities than the scored ones."""
    other = loaded.scored_on(SELECTION_SEED)
    trial = held_out(other)
    candidates = {name: agents.rule(name, trial.groups) for name in CANDIDATES}
    found = interquartile_mean(_play(other, trial, candidates, measure, tick), axis=1)
    best = CANDIDATES[int(np.argmax(found))]
    shown = {STATUS_QUO: "status quo", RANDOM: RANDOM, best: f"{BEST_RULE} ({best})"}
    rules = {name: agents.rule(name, env.groups) for name in shown}
    scores = _play(loaded, env, rules, measure, tick)
    roles = (STATUS_QUO, RANDOM, BEST_RULE)
    return [
        Entry(
            name=_titled(title, label),
            world=label,
            scores=scores[row : row + 1],
            role=role,
        )
        for row, (title, role) in enumerate(zip(shown.values(), roles, strict=True))
    ]


def _knowing(
    role: str, guide: Group, label: str, env: Any, plan: Plan, tick: Callable[[], None]
) -> Entry:
    """Plans that know more than policies, found from what the first run of a group does."""
    known = guide.config
    first, steps = known.settings.experiment.evaluation.first_seed, itertools.count(1)

    def step() -> None:
        if next(steps) % env.steps_per_episode == 0:
            tick()

    policy = _policy(guide.members[0], env)
    if role == CLAIRVOYANT:
        script = clairvoyant(env, first, policy, plan.clairvoyant, step)
    else:
        script = informed(env, held_out(known), first, policy, plan.informed, step)
    scores = _play(known, env, {role: script}, plan.measure, tick)
    return Entry(_titled(role, label), label, scores, role=role)


def _renewals(loaded: Config, iterations: int) -> int:
    """Episodes that an informed planner takes in a world, and one to score it."""
    scenario = loaded.settings.scenario
    steps: int = scenario["horizon"] // scenario["months_per_step"]
    return steps_lived(steps, iterations) // steps + 1


def _middle(entry: Entry) -> float:
    return float(interquartile_mean(entry.scores))


def _titled(name: str, label: str) -> str:
    return f"{name} [{label}]" if label else name


def _play(
    loaded: Config,
    env: Any,
    policies: Mapping[str, Acting],
    measure: Measure,
    tick: Callable[[], None],
) -> Floats:
    """Scores of policies on the rows of an environment: [P, C]."""
    first = loaded.settings.experiment.evaluation.first_seed
    rows: Sequence[Floats] = []
    for name, policy in policies.items():
        found = evaluate(env, {name: policy}, first, lambda: None)
        rows = [*rows, measure.of(vars(found))[0]]
        tick()
    return np.stack(rows)
