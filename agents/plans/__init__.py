"""Plans found by gradient through the city: constant, open-loop, clairvoyant, with feedback.

Many searches climb side by side as rows of one batch (MODEL sections 17 and 22.7): several
starts, single governors, single districts, single draws of the future.
"""

from __future__ import annotations

from agents.plans.futures import Futures, draw_futures
from agents.plans.layout import Layout
from agents.plans.plan_set import Outlook, PlanSet, Seat
from agents.plans.search import Pace, Search, Slope, best_copies, climb
from agents.plans.world import MEASURES, World

__all__ = [
    "MEASURES",
    "Futures",
    "Layout",
    "Outlook",
    "Pace",
    "PlanSet",
    "Search",
    "Seat",
    "Slope",
    "World",
    "best_copies",
    "climb",
    "draw_futures",
]
