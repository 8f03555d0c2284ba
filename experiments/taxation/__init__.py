"""The tax sub-game of the AI-Economist: a learned schedule against Saez's formula.

Zheng et al. 2020, arXiv 2004.13332 (MODEL section 17), with the residents of the city model, who
adapt by hours, evasion and migration, and the elasticity of taxable income estimated in each city
that is taxed.
"""

from __future__ import annotations

from experiments.taxation.effort import EFFORTS, Effort, effort
from experiments.taxation.results import Taxation, measure, units
from experiments.taxation.study import Study

__all__ = ["EFFORTS", "Effort", "Study", "Taxation", "effort", "measure", "units"]
