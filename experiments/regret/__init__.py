"""What a regime change costs a policy that does not learn, and what one that does wins back.

The first policy is the frozen one. All meet the same held-out cities and shocks twice, with and
without the break; welfare is the monthly flow against the status quo, which meets the break too.
"""

from experiments.regret.chart import chart
from experiments.regret.entries import Entry, gather
from experiments.regret.estimates import Regret, Row, estimate
from experiments.regret.play import Break, Flow, flows

__all__ = ["Break", "Entry", "Flow", "Regret", "Row", "chart", "estimate", "flows", "gather"]
