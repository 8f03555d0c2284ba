"""Where gains come from, and what knowing the future is worth (MODEL section 22.7).

Five sources, each the difference of two plans on futures that neither learnt from:
coordination, differentiation, adaptation, targeting, information. And for every dynamics preset
the clairvoyant gap, which bounds what any learner can earn beyond the best plan made in advance.
"""

from __future__ import annotations

from experiments.gains.effort import EFFORTS, Effort, effort
from experiments.gains.results import Gain, Gains, Gap, measure

__all__ = ["EFFORTS", "Effort", "Gain", "Gains", "Gap", "effort", "measure"]
