"""`polislab recommend`: check trained policies against the twin and write the dossier."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show
from experiments.commands.twin import MembersOption

_MARKS = {"pass": "[green]pass[/]", "fail": "[red]fail[/]", "untested": "[yellow]untested[/]"}


def verdict_table(verdict: Any) -> Any:
    """Checks of a verdict for the terminal."""
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"Verdict: {verdict.verdict.upper()}", show_lines=True)
    table.add_column("check", no_wrap=True)
    table.add_column("status")
    table.add_column("why", overflow="fold")
    for check in verdict.checks:
        mark = Text.from_markup(_MARKS[check.status])
        table.add_row(f"{check.number} {check.name}", mark, escape(check.explanation))
    return table


def recommend(
    policies: Annotated[list[Path], typer.Argument(help="Policy folders, one a training seed.")],
    city: Annotated[str, typer.Option(help="Name or folder of a city package.")] = "london",
    scenario: Annotated[str, typer.Option(help="Scenario that the policies govern.")] = "city_v0",
    out: Annotated[Path, typer.Option(help="Folder for the dossier.")] = Path("dossier"),
    draws: Annotated[int, typer.Option(min=4, help="Posterior draws.")] = 32,
    members: MembersOption = None,
    json: JsonOption = None,
) -> None:
    """Judge policies on posterior draws that training never saw, and write the dossier.

    Example: polislab recommend runs/train/*/seed-*/policy --city london --out dossier
    """
    from envs.twin.packages import find_city, read_package
    from experiments.commands.twin import fitted, scored, usual_origins
    from experiments.progress import progress
    from experiments.recommend import Candidate, gate_environment, steps
    from experiments.recommend import recommend as judge

    check_json(json)
    candidate = Candidate.read(policies, scenario)
    twin = fitted(city, members)
    rows = scored(twin, usual_origins(twin), [1, 3])
    package = read_package(find_city(city))
    env = gate_environment(twin, candidate, draws)
    with progress("rolling out", steps(candidate, env), "steps") as tick:
        result = judge(
            twin, package, rows, candidate, env, out, "polislab " + " ".join(sys.argv[1:]), tick
        )
    show(verdict_table(result.verdict))
    for reason in result.verdict.reasons:
        typer.echo(f"- {reason}")
    typer.echo(f"Dossier: {result.html}")
    emit(result.verdict.to_json() | {"dossier": str(result.html)}, json)


def register(app: typer.Typer) -> None:
    app.command("recommend")(recommend)
