"""`polislab demo`: the whole path on London's real figures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.output import JsonOption, check_json, emit, show
from experiments.commands.twin import MembersOption


def demo(
    folder: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("runs/demo"),
    env_steps: Annotated[
        int | None, typer.Option(min=1280, help="City steps that each governor trains on.")
    ] = None,
    city: Annotated[str, typer.Option(help="Name or folder of a city package.")] = "london",
    members: MembersOption = None,
    draws: Annotated[int, typer.Option(min=4, help="Posterior draws.")] = 32,
    json: JsonOption = None,
) -> None:
    """Fit a twin of a city, train governors, check them against the twin, write the dossier.

    Finished parts are kept: a second call goes on where the first stopped.

    Example: polislab demo
    """
    from envs.twin import posterior
    from envs.twin.packages import find_city, read_package
    from envs.twin.twin import posterior_city, summary
    from experiments import demo as path
    from experiments.commands.recommend import verdict_table
    from experiments.commands.twin import fitted, score_table, scored, usual_origins
    from experiments.progress import progress
    from experiments.recommend import Candidate, gate_environment, recommend, steps

    check_json(json)
    began = time.monotonic()
    typer.echo(f"1/4  Fit a twin of {city} to its figures, year by year")
    twin = fitted(city, members)
    posterior.save(posterior_city(twin), summary(twin), folder / "twin")

    years = usual_origins(twin)
    typer.echo(f"2/4  Score its forecasts from {years[0]} to {years[-1]} against what came later")
    rows = scored(twin, years, [1, 3])
    show(score_table([row for row in rows if row.part == "all"]))

    jobs = path.trainings(folder / "twin", folder, env_steps or path.ENV_STEPS)
    typer.echo(f"3/4  Train four governors on draws of the twin, {len(jobs)} seeds")
    with progress("training", len(jobs), "seeds") as tick:
        path.train_all(jobs, tick)

    typer.echo("4/4  Check what they learned on draws and shocks that training never saw")
    candidate = Candidate.read([job.run.policy for job in jobs], "city_v0")
    env = gate_environment(twin, candidate, draws)
    with progress("rolling out", steps(candidate, env), "steps") as tick:
        result = recommend(
            twin,
            read_package(find_city(city)),
            rows,
            candidate,
            env,
            folder / "dossier",
            "polislab demo",
            tick,
        )
    show(verdict_table(result.verdict))
    typer.echo(f"Verdict: {result.verdict.verdict.upper()}")
    for reason in result.verdict.reasons:
        typer.echo(f"  - {reason}")
    minutes = (time.monotonic() - began) / 60
    typer.echo(f"Dossier: {result.html.resolve()}  (open it in a browser; {minutes:.1f} minutes)")
    emit(result.verdict.to_json() | {"dossier": str(result.html)}, json)


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)
