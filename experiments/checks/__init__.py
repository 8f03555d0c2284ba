"""Checks of a scenario: the official checkers of every library it has a view for, and ours."""

from experiments.checks.check import Check, Subject, run
from experiments.checks.table import CHECKS

__all__ = ["CHECKS", "Check", "Subject", "run"]
