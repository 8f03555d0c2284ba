"""Credit: the gain of a joint policy, split between those who hold its levers (MODEL section 9).

The policy is a game. Player g takes part to a degree m_g in [0, 1]: its levers stand at
``default + m_g (setting - default)``, so that 0 is today's setting and 1 the full policy.
From the worth of degrees follow the difference rewards, the exact Shapley values over all
coalitions (Shapley 1953) and the Aumann-Shapley values along the diagonal (Aumann & Shapley
1974; Billera & Heath 1982).

Shapes: n players, C = 2^n coalitions (player g is in coalition c where bit g of c is set), W
worlds (draws of shocks or cities), R rows of a batch. Row r belongs to world ``r % W``, so
that every coalition meets the same worlds (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from envs.city import tree, welfare
from envs.city.levers import GOVERNORS, LEVERS, Policy
from envs.city.model import City, CityState
from envs.city.shocks import Shocks
from envs.city.valuation import discount_factor, present_value

#: Policies of R rows -> worth ``[R]``.
Value = Callable[[Policy], Tensor]
#: Degrees of taking part ``[R, n]`` -> worth ``[R]``.
Worth = Callable[[Tensor], Tensor]

#: Most players whose coalitions are all played through.
MOST_PLAYERS = 12
#: Points of the quadrature that are tried until its sum is near enough to the gain.
POINTS = (8, 16, 32, 64, 128)
#: Points that one backward pass takes (bounds its memory).
AT_ONCE = 16
#: Largest gap between the sum of Aumann-Shapley values and the gain, share of the gain.
TOLERANCE = 1e-3
#: Months between two points that the backward pass starts from anew (bounds its memory).
SEGMENT = 12


def coalitions(players: int) -> Tensor:
    """Who is in which coalition ``[C, n]``, 0 or 1 in float64."""
    index = torch.arange(2**players).unsqueeze(-1)
    return ((index >> torch.arange(players)) & 1).to(torch.float64)


def dividends(values: Tensor) -> Tensor:
    """Harsanyi dividends ``[C, ...]`` of a game with values ``[C, ...]``.

    What a coalition adds that none of its parts does: ``sum_T (-1)^(|S| - |T|) v(T)`` over the
    subsets T of S. They sum to the value of all players; those of two and more are interaction.
    """
    players = values.shape[0].bit_length() - 1
    cube = values.reshape(*(2,) * players, *values.shape[1:])
    for axis in range(players):
        without, with_it = cube.unbind(axis)
        cube = torch.stack([without, with_it - without], axis)
    return cube.reshape(values.shape)


def shapley(values: Tensor) -> Tensor:
    """Shapley values ``[n, ...]`` of a game with values ``[C, ...]``: each dividend in equal parts.

    Shapley 1953, Contributions to the Theory of Games II; Harsanyi 1963, International
    Economic Review 4(2).
    """
    members = coalitions(values.shape[0].bit_length() - 1).to(values)
    share = members / members.sum(-1, keepdim=True).clamp_min(1)
    return _weighted(share.T, dividends(values))


def _weighted(weights: Tensor, values: Tensor) -> Tensor:
    """``weights`` ``[..., C]`` times ``values`` ``[C, ...]``."""
    summed: Tensor = torch.tensordot(weights, values, 1)
    return summed


def alone(values: Tensor) -> Tensor:
    """What each player earns by itself ``[n, ...]``, all others at their default."""
    players = values.shape[0].bit_length() - 1
    return values[2 ** torch.arange(players)] - values[0]


def difference_rewards(values: Tensor) -> Tensor:
    """``v(all) - v(all but g)`` ``[n, ...]``: what would be lost without each player."""
    players = values.shape[0].bit_length() - 1
    last = values.shape[0] - 1
    return values[last] - values[last - 2 ** torch.arange(players)]


def aumann_shapley(
    worth: Worth, players: int, points: int, like: Tensor, worlds: int = 1
) -> Tensor:
    """Aumann-Shapley values ``[n, W]``: ``int_0^1 dv/dm_g(t, ..., t) dt`` by Gauss-Legendre.

    One backward pass for every ``AT_ONCE`` points. ``like`` gives dtype and device.
    """
    nodes, weights = (torch.as_tensor(x).to(like) for x in np.polynomial.legendre.leggauss(points))
    total = like.new_zeros(worlds, players)
    for first in range(0, points, AT_ONCE):
        some, weight = nodes[first : first + AT_ONCE], weights[first : first + AT_ONCE]
        degree = ((some + 1) / 2).repeat_interleave(worlds).unsqueeze(-1).repeat(1, players)
        with torch.enable_grad():
            degree.requires_grad_()
            (slope,) = torch.autograd.grad(worth(degree).sum(), degree)
        total = total + _weighted(weight / 2, slope.reshape(len(some), worlds, players))
    return total.T


@dataclass(frozen=True)
class Credit:
    """A split of the gain of a joint policy, in the unit of its worth.

    names: of the players; gain: ``[W]``; alone, difference, shapley, aumann_shapley:
    ``[n, W]``; dividends: ``[C, W]``; points: of the quadrature; gap: ``[W]`` sum of the
    Aumann-Shapley values minus the gain.
    """

    names: tuple[str, ...]
    gain: Tensor
    alone: Tensor
    difference: Tensor
    shapley: Tensor
    aumann_shapley: Tensor
    dividends: Tensor
    points: int
    gap: Tensor

    @property
    def interaction(self) -> Tensor:
        """Part of the gain ``[W]`` that nobody earns alone."""
        return self.gain - self.alone.sum(0)

    def coalition(self, index: int) -> tuple[str, ...]:
        """Names of the players of a row of ``dividends``."""
        return tuple(name for bit, name in enumerate(self.names) if index >> bit & 1)


def split(
    worth: Worth,
    names: Sequence[str],
    like: Tensor,
    worlds: int = 1,
    tolerance: float = TOLERANCE,
) -> Credit:
    """Split a game's gain by every method; the quadrature is refined until its sum is the gain.

    Where the last refinement is not enough, as for a gain of nothing, ``Credit.gap`` says so.

    Raises:
        ValueError: more players than coalitions can be played through for.
    """
    players = len(names)
    if players > MOST_PLAYERS:
        raise ValueError(f"{players} players: expected at most {MOST_PLAYERS}")
    members = coalitions(players).to(like)
    with torch.no_grad():
        rows = worth(members.repeat_interleave(worlds, 0))
    values = rows.reshape(len(members), worlds)
    gain = values[-1] - values[0]
    for points in POINTS:
        along = aumann_shapley(worth, players, points, like, worlds)
        gap = along.sum(0) - gain
        if bool((gap.abs() <= tolerance * gain.abs()).all()):
            break
    return Credit(
        names=tuple(names),
        gain=gain,
        alone=alone(values),
        difference=difference_rewards(values),
        shapley=shapley(values),
        aumann_shapley=along,
        dividends=dividends(values),
        points=points,
        gap=gap,
    )


def by_governor() -> dict[str, tuple[str, ...]]:
    """The levers of each of the four governors."""
    return {
        governor: tuple(lever.name for lever in LEVERS.values() if lever.governor == governor)
        for governor in GOVERNORS
    }


def policy_game(
    policy: Policy,
    default: Policy,
    players: Mapping[str, Sequence[str]],
    value: Value,
) -> Worth:
    """The game of a policy between the holders of its levers.

    Args:
        policy, default: lever -> ``[1 or W, *lever shape]``. players: name -> levers; each
            lever that the policy moves has one holder. value: worth ``[R]`` of policies of R rows.

    Raises:
        ValueError: levers without a holder or with several, all in one message.
    """
    held = [name for levers in players.values() for name in levers]
    still = [name for name in policy if name not in held]
    problems = [
        f"lever {name!r} has no holder"
        for name in still
        if bool((policy[name] != default[name]).any())
    ]
    problems += [f"lever {name!r} has several holders" for name in policy if held.count(name) > 1]
    if problems:
        raise ValueError("; ".join(problems))
    column = {name: g for g, levers in enumerate(players.values()) for name in levers}

    def worth(degree: Tensor) -> Tensor:
        joint = {}
        for name, setting in policy.items():
            start = default[name]
            many = degree.shape[0] // start.shape[0], *(1,) * (start.dim() - 1)
            joint[name] = start.repeat(many)
            if name not in still:
                weight = degree[:, column[name]].reshape(-1, *many[1:])
                joint[name] = joint[name] + weight * (setting - start).repeat(many)
        return value(joint)

    return worth


def flow_value(
    city: City, weather: Sequence[Shocks], mode: str = "pooled", measure: str = "total"
) -> Value:
    """Worth of holding a policy through a known weather: discounted mean of monthly welfare.

    A share of the first year's income against the first year.

    Args:
        city: one row, or one a world. weather: shocks ``[W, ...]`` of each month. mode: of the
            treasury. measure: a population measure of ``welfare.Welfare``.
    """
    worlds = next(iter(weather[0].values())).shape[0]
    reference = welfare.reference(city)

    def value(policy: Policy) -> Tensor:
        rows = next(iter(policy.values())).shape[0]
        index = torch.arange(rows) % worlds
        many, ref = city.select(index), tree.take(reference, index)
        beta = discount_factor(many)

        def segment(state: CityState, total: Tensor, first: int) -> tuple[CityState, Tensor]:
            for month in range(first, min(first + SEGMENT, len(weather))):
                shocks = tree.take(weather[month], index)
                state, flows = many.step(state, policy, shocks, mode)
                now = getattr(welfare.evaluate(many, ref, flows), measure)
                total = total + beta**month * now
            return state, total

        state = many.initial(rows)
        total = torch.zeros_like(state.treasury.debt)
        for first in range(0, len(weather), SEGMENT):
            if torch.is_grad_enabled():
                state, total = checkpoint(segment, state, total, first, use_reentrant=False)
            else:
                state, total = segment(state, total, first)
        return total * (1 - beta) / (1 - beta ** len(weather))

    return value


def present_value_of(
    city: City, months: int, mode: str = "pooled", measure: str = "total"
) -> Value:
    """Worth of holding a policy for ever in a quiet world (``valuation.present_value``).

    The income for ever, as a share of the first year's, that is worth as much.
    """
    reference = welfare.reference(city)

    def value(policy: Policy) -> Tensor:
        rows = next(iter(policy.values())).shape[0]
        index = torch.arange(rows) % city.rows
        many, ref = city.select(index), tree.take(reference, index)
        state = many.initial(rows)
        found = present_value(many, state, ref, policy, months, mode, measure=measure)
        return found.welfare / ref.total * (1 - discount_factor(many))

    return value
