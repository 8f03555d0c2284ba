"""The gate: evidence in, a verdict with reasons out."""

from experiments.gate.check import Check, Measure
from experiments.gate.evidence import (
    BacktestRow,
    DataFacts,
    Evidence,
    EvidenceError,
    Rollouts,
    SeriesFact,
)
from experiments.gate.thresholds import Threshold, ThresholdError, Thresholds, load
from experiments.gate.verdict import Verdict, aggregate, judge

__all__ = [
    "BacktestRow",
    "Check",
    "DataFacts",
    "Evidence",
    "EvidenceError",
    "Measure",
    "Rollouts",
    "SeriesFact",
    "Threshold",
    "ThresholdError",
    "Thresholds",
    "Verdict",
    "aggregate",
    "judge",
    "load",
]
