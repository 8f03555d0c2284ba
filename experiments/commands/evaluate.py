"""`polislab evaluate`: compare policies on cities that training never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    json: JsonOption = None,
) -> None:
    """Compare a policy with rules on held-out cities; all meet the same cities and shocks.

    Example: polislab evaluate runs/train/0123456789ab/seed-0 experiment.evaluation.cities=50
    """
    import torch

    import agents
    from experiments import config
    from experiments.errors import InputError
    from experiments.evaluate import table
    from experiments.train import compare

    check_json(json)
    inside = policy / "policy"
    folder = inside if (inside / "policy.json").is_file() else policy
    try:
        chosen = agents.load(folder)
        base = agents.provenance(folder).get("config")
    except agents.PolicyError as error:
        raise InputError([f"{folder}: {problem}" for problem in error.problems]) from None
    loaded = config.load(overrides or [], base=base)
    torch.set_num_threads(loaded.settings.threads)
    result = compare(loaded, chosen)
    show(table(result["table"], "Welfare against today's policy on held-out cities"))
    show(table(result["differences"], "The policy minus others, city by city"))
    emit(result, json)


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate)
