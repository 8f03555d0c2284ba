"""Births, deaths, ageing and social mobility (MODEL sections 5(9) and 23).

A month moves people between neighbouring household types: education and skills lift some to
the next, age and misfortune take some down. As a matrix it is tridiagonal; its rows sum to one
plus natural growth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.city.functions import plus
from envs.city.parameters import Parameters


def age(people: Tensor, p: Parameters, education: Tensor) -> Tensor:
    """People ``[B, D, K]`` a month later, at home where they were.

    Between neighbouring types go those who rise less those who fall: nobody rises from the last
    type or falls from the first.

    Args:
        education: ``[B, D]`` log perceived quality of schools over the first year's.
    """
    lift = torch.exp(p.bd.el_mobility * education).unsqueeze(-1)
    rise, fall = p.bdk.rise / p.year * lift, p.bdk.fall / p.year
    climbing = people[..., :-1] * rise[..., :-1] - people[..., 1:] * fall[..., 1:]
    nobody = torch.zeros_like(people[..., :1])
    steps = torch.cat([nobody, climbing, nobody], -1)
    born = (p.bdk.birth_rate - p.bdk.death_rate) / p.year
    return plus(people, (people, born)) + steps[..., :-1] - steps[..., 1:]


def transition(p: Parameters) -> Tensor:
    """The month at first-year schools as a matrix ``[b, K, K]``: row from, column to."""
    kinds = p.bd.birth_rate.shape[-1]
    eye = torch.eye(kinds, dtype=p.bd.birth_rate.dtype, device=p.bd.birth_rate.device)
    quiet = torch.zeros_like(p.bd.birth_rate[:, :1]).expand(-1, kinds)
    return age(eye.expand(quiet.shape[0], -1, -1), p, quiet)


def before(people: Tensor, p: Parameters) -> Tensor:
    """People ``[b, D, K]`` who become ``people`` within a month at first-year schools."""
    months: Tensor = torch.linalg.solve(transition(p).mT, people.mT)
    return months.mT


def enough_moves(people: Tensor, p: Parameters) -> Parameters:
    """Parameters with the mobility ``[b]`` that keeps every district's mix of types in place.

    Where careers change a district's mix faster than its people move, nobody could make up
    for it; the hazard of moving is raised there (MODEL section 23).
    """
    change = (1 - before(people, p) / people).amax((1, 2))
    return Parameters(p.values | {"mobility": torch.maximum(p.b.mobility, p.b.move_room * change)})
