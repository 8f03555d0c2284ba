"""The optimal linear income tax: a rate for all, and the same sum back to everybody.

Saez 2001, Review of Economic Studies 68(1); Piketty & Saez 2013, Handbook of Public Economics 5,
section 4.1. With ``g`` the social value of a unit of income of each taxpayer over its mean,
``gbar`` its mean weighted with declared income, and ``e`` the elasticity of declared income to the
net-of-tax rate,

    t / (1 - t) = (1 - gbar) / e.

Shapes: C cities, K household types.
"""

from __future__ import annotations

from torch import Tensor

from envs.city.levers import LEVERS

RATE = LEVERS["income_tax"]


def social_weights(income: Tensor, people: Tensor, aversion: float) -> Tensor:
    """Social value of a unit of income of each type ``[C, K]``, its mean over people one.

    Of Atkinson's social welfare: ``income ** -aversion``.

    Args:
        income: ``[C, K]`` per head; people: ``[C, K]``.
    """
    value = income**-aversion
    return value * people.sum(-1, keepdim=True) / (people * value).sum(-1, keepdim=True)


def mean_weight(weights: Tensor, income: Tensor, people: Tensor) -> Tensor:
    """Social weights averaged over income ``[C]``: how little the rate takes from the needy."""
    earned = people * income
    return (weights * earned).sum(-1) / earned.sum(-1)


def linear_rate(mean: Tensor, elasticity: Tensor) -> Tensor:
    """The optimal rate ``[C]`` for a mean weight and an elasticity, which must be positive."""
    return (1 - mean) / (1 - mean + elasticity)


def feasible(rate: Tensor) -> Tensor:
    """The rate within what the city may do.

    Revenue beyond today's services comes back by head, but nobody can be taxed by head: an
    optimum below today's rate, which would need that, becomes today's.
    """
    return rate.clamp(RATE.default, RATE.high)


def raw(rate: Tensor) -> Tensor:
    """Action that asks for a rate of at least today's."""
    return (rate - RATE.default) / (RATE.high - RATE.default)
