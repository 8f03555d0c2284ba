"""What evaluation studies tell governors about the parameters of their city.

Parameters that are drawn (``uncertainty``) differ from what is usual in cities of the kind, and no
indicator of the first year says so: all cities start in the same balance. Appraisal, surveys of
willingness to pay and impact studies estimate them, with errors. A study of a parameter with
standard score ``z`` tells ``share z + sqrt(share (1 - share)) e`` with standard normal ``e``, the
expectation of ``z`` given a study that tells ``share`` of its variance. Shares are given by
parameter; ``all`` stands for those that are not named. The few draws that meet the end of a range
count as they are, so that of such parameters a study tells a little less.

Every governor reads all studies, in every step, whatever the information channel does to figures.
They are made before the episode: after a break they are of the city that was. Where nothing is
drawn, as in a fitted twin, they say nothing: zeros.

Shapes: B rows, C entries of the parameters studied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache

import numpy as np
import torch
from torch import Tensor

from envs.city.parameter_table import AXES, TABLE
from envs.city.parameters import Parameters
from envs.groups import Group
from envs.twin.settings import load_settings

PREFIX = "study_"
#: Stands for all parameters that are drawn.
ALL = "all"
#: Sets the errors of studies apart from the other random streams of a row.
_STREAM = (5,)


@cache
def subjects() -> tuple[str, ...]:
    """Parameters that can be studied: those that are drawn (`envs.twin.ensemble`)."""
    # kappa_w is the same in all cities
    return tuple(name for name in load_settings().widths() if name != "kappa_w")


def problems(studies: Mapping[str, float]) -> list[str]:
    """What is wrong with shares of variance by parameter, in words."""
    found: list[str] = []
    known = subjects()
    for name, share in studies.items():
        if name not in (ALL, *known):
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            found.append(f"studies: {name!r} is no parameter that is drawn; {hint}")
        elif not 0 <= share <= 1:
            found.append(f"studies.{name}={share}: expected 0 to 1, the share of variance told")
    return found


def shares(studies: Mapping[str, float]) -> dict[str, float]:
    """Shares of variance told, by parameter studied, in the order of the table."""
    if not studies:
        return {}
    found = {name: studies.get(name, studies.get(ALL, 0.0)) for name in subjects()}
    return {name: share for name, share in found.items() if share > 0}


def names(studies: Mapping[str, float]) -> tuple[str, ...]:
    """Observations of all governors, one for each entry of the parameters studied."""
    found = []
    for name in shares(studies):
        entries = AXES.get(TABLE[name].axis, ())
        found += [f"{PREFIX}{name}[{entry}]" for entry in entries] or [PREFIX + name]
    return tuple(found)


def widened(groups: Iterable[Group], studies: Mapping[str, float]) -> tuple[Group, ...]:
    """Groups whose governors read the studies too."""
    more = names(studies)
    return tuple(replace(g, observation_names=(*g.observation_names, *more)) for g in groups)


def told(
    drawn: Parameters,
    usual: Parameters,
    studies: Mapping[str, float],
    uncertainty: float,
    seeds: Sequence[int],
) -> Tensor:
    """What the studies say of every row ``[B, C]``, in standard deviations of the draws.

    Args:
        drawn: of the rows, or one set that they share. usual: what they were drawn around.
        uncertainty: of the draws, above 0.
        seeds: of the rows, each of which owns its stream of errors.
    """
    chosen = shares(studies)
    if not chosen:
        return torch.zeros(len(seeds), 0)
    widths, columns = load_settings().widths(uncertainty), []
    streams = [np.random.default_rng(np.random.SeedSequence(s, spawn_key=_STREAM)) for s in seeds]
    for name, share in chosen.items():
        ratio = drawn.values[name] / usual.values[name]
        score = ratio.reshape(len(ratio), -1).log() / widths[name]
        errors = np.stack([rng.standard_normal(score.shape[1]) for rng in streams])
        wrong = (share * (1 - share)) ** 0.5 * torch.as_tensor(errors).to(score)
        columns.append(share * score + wrong)
    return torch.cat(columns, -1)


def read(seen: dict[str, Tensor], told: Tensor) -> dict[str, Tensor]:
    """Observations ``[B, n, O]`` by group with the studies ``[B, C]`` behind them."""
    if not told.shape[1]:
        return seen
    more = told.unsqueeze(1)
    return {name: torch.cat([x, more.expand(-1, x.shape[1], -1)], -1) for name, x in seen.items()}
