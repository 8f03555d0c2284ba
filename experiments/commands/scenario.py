"""`polislab scenario`: the worlds that policies are trained in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, complain, emit, show

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


@app.command("show")
def show_scenario(
    name: Annotated[str, typer.Argument(help="A scenario of `scenario list`.")],
    city: Annotated[
        str, typer.Option(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    json: JsonOption = None,
) -> None:
    """Show one scenario: its governors and levers, its constraint costs with budgets, its options.

    "today" is the cost of the status quo in a steady world; a cost counts as kept while its mean
    over an episode stays within the budget.

    Example: polislab scenario show city_v0 --city london
    """
    from experiments import scenarios as worker

    check_json(json)
    found = worker.describe(name, city)
    for title, records in found.items():
        show(_table(f"{name}: {title}", records))
    emit(found, json)


@app.command("check")
def check_scenario(
    name: Annotated[str, typer.Argument(help="A scenario of `scenario list`.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION=VALUE]...", help="Options of `scenario show`."),
    ] = None,
    city: Annotated[
        str, typer.Option(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    json: JsonOption = None,
) -> None:
    """Run every checker on a scenario: those of other libraries, and ours; exit code 1 on failure.

    Episodes have ten steps unless the option horizon says otherwise. A library that is not
    installed is reported and no failure. Scenarios of other packages are checked alike.

    Example: polislab scenario check city_v0 --city london

    Example: polislab scenario check districts_v0 dynamics=crisis information=0
    """
    import torch

    from experiments import checks
    from experiments import scenarios as worker
    from experiments.checks.check import FAILED
    from experiments.progress import progress

    check_json(json)
    torch.set_num_threads(1)
    subject = worker.subject(name, city, settings or [])
    with progress(f"checking {name}", len(checks.CHECKS), "checks") as tick:
        records = checks.run(subject, checks.CHECKS, tick)
    show(_table(f"{name} on {city}", records))
    emit({"scenario": name, "city": city, "checks": records}, json)
    failed = sum(record["result"] == FAILED for record in records)
    if failed:
        complain([f"{failed} of {len(records)} checks failed"])
        raise typer.Exit(1)


def _table(title: str, records: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    shown = Table(title=title)
    for head, value in records[0].items():
        shown.add_column(head, justify="right" if isinstance(value, float) else "left")
    for record in records:
        shown.add_row(*[_text(value) for value in record.values()])
    return shown


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{round(value, 6):.3g}" if isinstance(value, float) else str(value)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="scenario")
