"""`polislab scenario`: the worlds that policies are trained in."""

from __future__ import annotations

from typing import Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

app = typer.Typer(
    help="Scenarios: who governs, what they see and which levers they hold.", no_args_is_help=True
)


@app.command("list")
def list_scenarios(json: JsonOption = None) -> None:
    """List scenarios with their groups of governors.

    Example: polislab scenario list
    """
    from rich.table import Table

    from envs.registry import DEFAULT_DISTRICTS, scenarios, synthetic

    check_json(json)
    city = synthetic(0, 1, DEFAULT_DISTRICTS)
    records: list[dict[str, Any]] = [
        {
            "scenario": name,
            "group": group.name,
            "agents": len(group.agents),
            "observations": list(group.observation_names),
            "levers": list(group.action_names),
            "costs": list(group.cost_names),
        }
        for name, kind in sorted(scenarios().items())
        for group in kind().groups(city)
    ]
    shown = Table(title="Scenarios on a synthetic city of 9 districts")
    for head in ("scenario", "group", "agents", "observations", "levers"):
        shown.add_column(head)
    for row in records:
        counts = [str(row["agents"]), str(len(row["observations"]))]
        shown.add_row(row["scenario"], row["group"], *counts, ", ".join(row["levers"]))
    show(shown)
    emit(records, json)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="scenario")
