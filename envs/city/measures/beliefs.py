"""How wrong internal models are: what agents believed against what the month brought.

Every belief is a constant-gain internal model, ``belief' = belief + gain (realised - belief)``
(MODEL sections 5(2), (4), (5), (7), (8), (10), (11)), so that its error is its own change over
its gain: no equation of a block is repeated here.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from envs.city import tree
from envs.city.model import CityState
from envs.city.parameters import Parameters


@dataclass(frozen=True)
class Belief:
    """One internal model.

    Attributes:
        name: identifier; state: path of the belief in ``CityState``; gain: parameter.
        unit: unit of the error; holder: who believes; about: what is believed.
    """

    name: str
    state: str
    gain: str
    unit: str
    holder: str
    about: str


BELIEFS: tuple[Belief, ...] = (
    Belief("utility", "planning.perceived", "gain_v", "log points", "residents", "the worth of living in a district"),
    Belief("rent_growth", "planning.home_growth", "gain_r", "1/yr", "owners of homes", "the growth of rents"),
    Belief("returns", "industry.expected_return", "gain_f", "1/month", "firms", "the return on capital"),
    Belief("job_finding", "industry.finding", "gain_e", "share", "job seekers", "the chance of work"),
    Belief("pace", "infrastructure.pace", "gain_tau", "min/km", "drivers", "the time a km takes"),
    Belief("quality", "services.quality", "gain_q", "index", "users of services", "the quality of a service"),
    Belief("audit", "treasury.audit", "gain_audit", "probability", "taxpayers", "the chance of an audit"),
)  # fmt: skip


def error(belief: Belief, p: Parameters, before: CityState, after: CityState) -> Tensor:
    """Realised minus believed ``[B, ...]``, in the belief's unit."""
    old, new = dict(tree.leaves(before))[belief.state], dict(tree.leaves(after))[belief.state]
    gain: Tensor = getattr((p.b, p.bd, p.bdk)[min(old.dim() - 1, 2)], belief.gain)
    return (new - old) / gain


def typical_error(belief: Belief, p: Parameters, before: CityState, after: CityState) -> Tensor:
    """Root mean square error of a belief over its places and kinds ``[B]``."""
    missed = error(belief, p, before, after)
    return (missed.reshape(missed.shape[0], -1) ** 2).mean(-1).sqrt()
