"""What a regime change costs a policy that does not learn, and what one that does wins back.

The first policy is the frozen one. All meet the same held-out cities and shocks, without a break
and with each; welfare is against the status quo, which meets the break too. The self-tuning planner
takes over from the frozen policy where it notices a break. The oracle, who knows every city, says
what could be earned.
"""

from experiments.regret.chart import chart
from experiments.regret.entries import Entry, gather
from experiments.regret.estimates import Regret, Row, Study, estimate
from experiments.regret.oracle import Climb
from experiments.regret.play import Break, Course, Flow, flows, work
from experiments.regret.tuner import Tuning

__all__ = [
    "Break",
    "Climb",
    "Course",
    "Entry",
    "Flow",
    "Regret",
    "Row",
    "Study",
    "Tuning",
    "chart",
    "estimate",
    "flows",
    "gather",
    "work",
]
