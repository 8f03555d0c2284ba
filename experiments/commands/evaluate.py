"""`polislab evaluate`: compare policies on cities that training never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show


def evaluate(
    policy: Annotated[Path, typer.Argument(help="A run folder or a policy folder.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Overrides of the run's configuration (of configs/train.yaml for a bare policy).",
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Another run or policy, on the same cities."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Compare a policy with rules on held-out cities; all meet the same cities and shocks.

    Example: polislab evaluate runs/train/0123456789ab/seed-0 experiment.evaluation.cities=50

    Example: polislab evaluate RUN --beside OTHER_RUN
    """
    import torch

    from experiments import config
    from experiments.evaluate import table
    from experiments.policies import load_policy
    from experiments.train import compare, held_out

    check_json(json)
    chosen, made = load_policy(policy)
    others: dict[str, Any] = {}
    for folder in beside or []:
        other, provenance = load_policy(folder)
        others[_label(other.kind, provenance, others)] = other
    loaded = config.load(overrides or [], base=made.get("config"))
    torch.set_num_threads(loaded.settings.threads)
    result = compare(loaded, held_out(loaded), chosen, others)
    show(table(result["table"], "Welfare against today's policy on held-out cities"))
    show(table(result["differences"], "The policy minus others, city by city"))
    emit(result, json)


def _label(kind: str, provenance: dict[str, Any], taken: dict[str, Any]) -> str:
    """A name for another policy: its agent and seed, numbered where that is taken."""
    name = str(provenance.get("agent", kind))
    if "seed" in provenance:
        name += f" (seed {provenance['seed']})"
    numbered = [name, *(f"{name} {i}" for i in range(2, len(taken) + 3))]
    return next(label for label in numbered if label not in taken)


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate)
