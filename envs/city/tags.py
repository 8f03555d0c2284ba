"""Tags: what marks household types, sectors and places, and who goes with whom.

A tag is a position on four axes (``sizes.TAG_NAMES``). Types and sectors carry fixed tags from
the parameter table; the city as a whole carries a drift of its tags, a state of industry that
the talent policy and the pay of sectors move (MODEL sections 2, 5(2), 5(11) and 11). Three
things follow from tags: which sectors a type takes to, whom a type feels at home with, and which
types the city draws.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.city.functions import mix, plus, push
from envs.city.parameters import Parameters
from envs.city.sizes import KNOWLEDGE, PRIVATE, SECTOR_NAMES


def of_types(p: Parameters) -> Tensor:
    """Tags of the household types ``[b, K, Q]``, linear from the least to the most skilled."""
    kinds = p.bd.efficiency.shape[-1]
    step = torch.linspace(0, 1, kinds, dtype=p.bd.tag_low.dtype, device=p.bd.tag_low.device)
    low, high = p.bd.tag_low.unsqueeze(1), p.bd.tag_high.unsqueeze(1)
    return low + step.reshape(1, -1, 1) * (high - low)


def of_sectors(p: Parameters) -> Tensor:
    """Tags of the sectors ``[b, S, Q]``."""
    rows: list[Tensor] = [getattr(p.bd, f"tag_{name}") for name in SECTOR_NAMES]
    return torch.stack(rows, 1)


def of_places(people: Tensor, types: Tensor) -> Tensor:
    """Tags of districts ``[B, D, Q]``: the mean tag of those who live there.

    Args:
        people: ``[B, D, K]``; types: ``[b, K, Q]``.
    """
    return mix(people, types) / people.sum(-1, keepdim=True)


def kinship(p: Parameters) -> Tensor:
    """How much a type feels at home with another ``[b, K, K]``; each row sums to one.

    A softmax over the other's tag of the match of both tags less half the squared length of
    the other's, so that nobody is closer to a type than itself. At a great ``kin_focus`` only
    one's own kind counts and the matrix is the identity.
    """
    tags = of_types(p)
    length = (tags * tags).sum(-1)
    match = torch.matmul(tags, tags.transpose(1, 2)) - 0.5 * length.unsqueeze(1)
    return torch.softmax(p.bdk.kin_focus * match, -1)


def first_affinity(p: Parameters) -> Tensor:
    """Shares of the sectors in the choice of each type ``[b, K, S]`` in the first year."""
    kinds = p.bd.efficiency.shape[-1]
    step = torch.linspace(0, 1, kinds, dtype=p.bd.efficiency.dtype, device=p.bd.efficiency.device)
    low, high = p.bd.affinity_low.unsqueeze(1), p.bd.affinity_high.unsqueeze(1)
    raw = low + step.reshape(1, -1, 1) * (high - low)
    return raw / raw.sum(-1, keepdim=True)


def match(tags: Tensor, drift: Tensor) -> Tensor:
    """What a drift ``[B, Q]`` adds to the match with each of ``tags`` ``[b, n, Q]``: ``[B, n]``."""
    return push(tags.mT, drift)


def affinity(first: Tensor, gained: Tensor) -> Tensor:
    """Shares of the sectors in the choice of each type ``[B, K, S]``.

    The softmax over sectors of ``<tag_k + drift, tag_s> + residual_ks`` (MODEL section 2), where
    the residual is what the first year's log affinity has beyond ``<tag_k, tag_s>``: without
    drift it is the first affinity exactly.

    Args:
        first: ``[b, K, S]``; gained: ``[B, S]``, see ``match``.
    """
    weight = first * torch.exp(gained).unsqueeze(1)
    return weight / weight.sum(-1, keepdim=True)


def centred(types: Tensor, people: Tensor) -> Tensor:
    """Tags of types ``[b, K, Q]`` less those of the mean resident; people ``[b, K]``."""
    share = (people / people.sum(-1, keepdim=True)).unsqueeze(-1)
    return types - (share * types).sum(1, keepdim=True)


def pull(p: Parameters, types: Tensor, drift: Tensor) -> Tensor:
    """Log points by which the city's tags draw each type ``[B, K]`` from elsewhere.

    Recruiting acts on who moves in and is no comfort to those who live here; it draws the mean
    resident of the first year neither here nor there.

    Args:
        types: ``[b, K, Q]`` centred; drift: ``[B, Q]``.
    """
    return p.bd.tag_pull * match(types, drift)


def courted(p: Parameters, sectors: Tensor) -> Tensor:
    """Drift ``[b, Q]`` of the city's tags per log of spending on talent."""
    return p.bd.tag_reach * sectors[:, KNOWLEDGE] / _length(sectors)


def sector_gain(p: Parameters, sectors: Tensor, gained: Tensor) -> Tensor:
    """Log productivity ``[B, P]`` that tags which match a private sector's work bring.

    Scaled so that ``el_talent`` is the long-run elasticity of the knowledge sector's
    productivity to spending on talent.
    """
    return p.bd.el_talent / (p.bd.tag_reach * _length(sectors)) * gained[:, :PRIVATE]


def _length(sectors: Tensor) -> Tensor:
    """Length ``[b, 1]`` of the knowledge sector's tags."""
    length: Tensor = torch.linalg.vector_norm(sectors[:, KNOWLEDGE], dim=-1, keepdim=True)
    return length


def drifted(p: Parameters, sectors: Tensor, drift: Tensor, talent: Tensor, wage: Tensor) -> Tensor:
    """Next month's drift of the city's tags ``[B, Q]``, at a constant gain.

    The talent policy moves tags towards the knowledge sector's; by themselves they move towards
    the tags of sectors that pay more than others (replicator).

    Args:
        talent: ``[B]`` log spending over baseline, as far as its returns diminish; wage:
            ``[B, D, S]``.
    """
    paid = torch.log(wage).mean(1)
    relative = paid - paid.mean(-1, keepdim=True)
    target = courted(p, sectors) * talent.unsqueeze(-1)
    target = plus(target, (p.bd.mutation, push(sectors, relative)))
    return torch.lerp(drift, target, p.bd.rate_tag)
