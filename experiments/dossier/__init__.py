"""The dossier: one page for people and one file for machines, from the same data."""

from experiments.dossier.content import (
    CostRow,
    DistrictEffect,
    Dossier,
    Effect,
    Fan,
    LeverRow,
    Provenance,
    Tried,
    Vintage,
)
from experiments.dossier.levers import lever_rows, setting
from experiments.dossier.summary import (
    comparison_effects,
    cost_rows,
    district_effects,
    fan,
    group_effects,
    read_tiles,
    reversal_plan,
    stopping_rule,
)
from experiments.dossier.write import DossierPaths, to_json, write_dossier

__all__ = [
    "CostRow",
    "DistrictEffect",
    "Dossier",
    "DossierPaths",
    "Effect",
    "Fan",
    "LeverRow",
    "Provenance",
    "Tried",
    "Vintage",
    "comparison_effects",
    "cost_rows",
    "district_effects",
    "fan",
    "group_effects",
    "lever_rows",
    "read_tiles",
    "reversal_plan",
    "setting",
    "stopping_rule",
    "to_json",
    "write_dossier",
]
