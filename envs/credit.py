"""Credit in rewards: whose reward owes how much to the welfare of the whole (MODEL section 9).

Counterfactual copies of every row run beside it for the whole episode, as the status-quo twin
does: the same city, the same shocks, and the actions as they were played, but counted only to a
degree that the copy gives each agent (0: today's settings, 1: as played). A step's reward is a
weighted sum of the flows of welfare in the row, its copies and its twin, so that what a copy has
become through earlier steps is in it: the sum of an agent's rewards is its share in what the
episode gained, not in what a single step did. Others do not react to an agent's absence: their
actions stay as played.

- ``shared``: all agents earn the gain over the twin, ``W(a) - W(0)``.
- ``difference``: ``W(a) - W(a without the agent)``; one copy an agent (Wolpert & Tumer 2002).
- ``shapley``: mean marginal gain over all orders (Shapley 1953); 2^n - 2 copies. Sums exactly to
  ``W(a) - W(0)``.
- ``aumann_shapley``: marginal gains along ``t a`` (Aumann & Shapley 1974), which also splits what
  agents do more of the same. The path is cut into ``SEGMENTS``; in each, an agent's part is its
  central difference at the middle (the midpoint rule; a known game is met within a few parts in a
  thousand). What the parts lack of the gain, about as much, is dealt out equally, so that they sum
  exactly. 2 n copies a segment: 32 for four agents, 17 times the rows of ``shared``.

Shapes: n agents of all groups in order, C copies, B rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city import credit
from envs.errors import ScenarioError

CREDITS = ("shared", "difference", "shapley", "aumann_shapley")
#: Most agents between whom coalitions and paths are played through.
MOST_AGENTS = 6
#: Pieces of the path from today's settings to the actions.
SEGMENTS = 4

#: Degrees of the agents in a copy -> weight of its welfare in each agent's reward ``[n]``.
Weights = dict[tuple[float, ...], Tensor]


@dataclass(frozen=True)
class Scheme:
    """How credit is worked out.

    degrees: ``[C, n]`` to which a copy counts each agent's actions; weights: ``[n, 2 + C]`` of
    the welfare of the governed row, of the copies and of the twin; None: everybody earns the
    gain of the governed row over its twin.
    """

    degrees: Tensor
    weights: Tensor | None = None

    @property
    def copies(self) -> int:
        """Number of copies C of each row."""
        return self.degrees.shape[0]

    def split(self, values: Tensor) -> Tensor:
        """Rewards ``[n or 1, B]`` of the agents from values ``[2 + C, B]``."""
        if self.weights is None:
            return (values[0] - values[-1]).unsqueeze(0)
        summed: Tensor = torch.tensordot(self.weights.to(values), values, 1)
        return summed


def scheme(name: str, agents: int) -> Scheme:
    """A method of ``CREDITS`` between some agents.

    Raises:
        ScenarioError: too many agents for the method, saying which method would do.
    """
    if name == "shared":
        return Scheme(torch.zeros(0, agents, dtype=torch.float64))
    if name != "difference" and agents > MOST_AGENTS:
        raise ScenarioError(
            f"credit={name!r}: {agents} agents, expected at most {MOST_AGENTS}; "
            "between more, credit='difference' or 'shared'"
        )
    weights = _METHODS[name](agents)
    played, absent = (1.0,) * agents, (0.0,) * agents
    none = torch.zeros(agents, dtype=torch.float64)
    between = {
        degrees: weight
        for degrees, weight in weights.items()
        if degrees not in (played, absent) and bool(weight.any())
    }
    columns = [weights[played], *between.values(), weights.get(absent, none)]
    degrees = torch.tensor(list(between), dtype=torch.float64).reshape(-1, agents)
    return Scheme(degrees, torch.stack(columns, -1))


def _difference(agents: int) -> Weights:
    one = torch.eye(agents, dtype=torch.float64)
    weights = {tuple((1 - one[g]).tolist()): -one[g] for g in range(agents)}
    return weights | {(1.0,) * agents: torch.ones(agents, dtype=torch.float64)}


def _shapley(agents: int) -> Weights:
    members = credit.coalitions(agents)
    columns = credit.shapley(torch.eye(2**agents, dtype=torch.float64))
    return dict(zip(map(tuple, members.tolist()), columns.unbind(-1), strict=True))


def _aumann_shapley(agents: int) -> Weights:
    one = torch.eye(agents, dtype=torch.float64)
    weights: Weights = {}
    for segment in range(SEGMENTS):
        middle, half = (segment + 0.5) / SEGMENTS, 0.5 / SEGMENTS
        for g in range(agents):
            for side in (1, -1):
                degrees = tuple((middle + side * half * one[g]).tolist())
                weights[degrees] = weights.get(degrees, 0) + side * one[g]
    none = torch.zeros(agents, dtype=torch.float64)
    ends = {(1.0,) * agents: 1.0, (0.0,) * agents: -1.0}
    weights = dict.fromkeys(ends, none) | weights
    return {key: w + (ends.get(key, 0.0) - w.sum()) / agents for key, w in weights.items()}


_METHODS: dict[str, Callable[[int], Weights]] = {
    "difference": _difference,
    "shapley": _shapley,
    "aumann_shapley": _aumann_shapley,
}
