"""Tuning of any agent by Optuna, on cities that neither evaluation nor the gate ever sees."""

from experiments.tune import report
from experiments.tune.space import Range, read_space
from experiments.tune.study import Study, Trial, tune

__all__ = ["Range", "Study", "Trial", "read_space", "report", "tune"]
