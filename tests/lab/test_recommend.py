"""From policies to a verdict on the twin of London; bad policies are refused before any work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
from envs.twin.backtest import backtest
from envs.twin.packages import find_city, read_package
from envs.twin.twin import Twin
from experiments.errors import InputError
from experiments.recommend import (
    Candidate,
    Recommendation,
    _fans,
    data_facts,
    gate_environment,
    recommend,
    steps,
)

DRAWS = 4
OPTIONS = {"horizon": 6}


@pytest.fixture(scope="module")
def result(london_twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Recommendation:
    """Two tiny policies of no learning, saved and read as trained ones are."""
    folder = tmp_path_factory.mktemp("recommend")
    empty = Candidate((), "city_v0", OPTIONS, 1)
    env = gate_environment(london_twin, empty, DRAWS)
    for name in ("proportional", "random"):
        agents.save(agents.rule(name, env.groups), folder / name)
    candidate = Candidate.read([folder / "proportional", folder / "random"], "city_v0", OPTIONS)
    ticks: list[int] = []
    found = recommend(
        london_twin,
        read_package(find_city("london")),
        backtest(london_twin, (2010, 2011), (1,)),
        candidate,
        env,
        folder / "dossier",
        "polislab recommend a b",
        lambda: ticks.append(1),
    )
    assert len(ticks) == steps(candidate, env)
    return found


@pytest.fixture(scope="module")
def content(result: Recommendation) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(result.json.read_text(encoding="utf-8"))
    return read


def test_verdict_reasons_and_checks_are_in_the_file(content: dict[str, Any]) -> None:
    assert content["verdict"] in ("recommend", "pilot", "refuse")
    assert content["reasons"]
    assert [check["number"] for check in content["checks"]] == list(range(13))
    for check in content["checks"]:
        assert {"name", "status", "statistic", "threshold", "explanation"} <= set(check)
        assert check["status"] in ("pass", "fail", "untested")
    status = {check["number"]: check["status"] for check in content["checks"]}
    assert status[0] == "pass"
    assert status[9] == "fail", "two runs of a random policy are no improvement"
    assert content["verdict"] == "refuse"


def test_page_is_self_contained_and_says_what_people_ask(result: Recommendation) -> None:
    page = result.html.read_text(encoding="utf-8")
    assert "Refuse" in page
    assert "src=" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    for words in ("What 4 governors learned", "GVA per job", "mean of districts", "city total"):
        assert words in page
    assert "gva_per_job" not in page.partition('id="thresholds"')[0]


def test_sources_are_named_once_each(content: dict[str, Any]) -> None:
    vintages = content["provenance"]["vintages"]
    makers = [row["attribution"] for row in vintages]
    assert len(makers) == len(set(makers)) == 4
    named = ", ".join(row["name"] for row in vintages)
    for name in ("population", "house price", "motor vehicle flow", "claimant rate"):
        assert name in named


def test_everything_tried_is_listed(content: dict[str, Any]) -> None:
    tried = [row["name"] for row in content["tried"]]
    assert tried[:2] == ["training run 1", "training run 2"]
    assert "simple rule: uniform" in tried


def test_money_levers_are_in_amounts_that_people_pay(content: dict[str, Any]) -> None:
    toll = next(row for row in content["levers"] if row["lever"] == "toll")
    assert toll["unit"].startswith("GBP")
    assert 1 < toll["most"] < 100


def test_fans_join_what_was_observed(content: dict[str, Any]) -> None:
    observed = read_package(find_city("london"))
    fans = {fan["variable"]: fan for fan in content["fans"]}
    assert set(fans) == set(observed.variables["name"])
    people = observed.yearly("population").sum(axis=1)
    assert fans["population"]["observed"] == pytest.approx(people.tolist())
    for fan in fans.values():
        # No jump from the last figure to the first forecast that a year could not bring.
        assert abs(np.log(fan["median"][0] / fan["observed"][-1])) < 0.6, fan["variable"]
        bands = zip(fan["low90"], fan["low50"], fan["median"], fan["high50"], fan["high90"],
                    strict=True)  # fmt: skip
        assert all(list(band) == sorted(band) for band in bands)


def test_a_district_that_stops_reporting_causes_no_jump(london_twin: Twin) -> None:
    """The dearest district's last figures go missing: it leaves the whole picture."""
    package = read_package(find_city("london"))
    data = london_twin.data
    v = data.series.index("house_price")
    panel = data.panel.copy()
    panel[-3:, v, int(np.argmax(data.first[v]))] = np.nan
    cut = replace(london_twin, data=replace(data, panel=panel))
    fan = next(fan for fan in _fans(cut, package) if fan.variable == "house_price")
    whole = next(fan for fan in _fans(london_twin, package) if fan.variable == "house_price")
    growth = np.diff(np.log(fan.observed)) - np.diff(np.log(whole.observed))
    assert np.abs(growth).max() < 0.05


def test_facts_know_yearly_from_monthly_publication() -> None:
    facts = data_facts(read_package(find_city("london")))
    assert facts.as_of_month == 12 * 2015 + 11
    assert {fact.interval_months for fact in facts.series} == {12}, "one price a year is yearly"


def test_gate_plays_on_members_that_training_never_saw(london_twin: Twin) -> None:
    from envs.twin import posterior
    from envs.twin.twin import posterior_city

    env = gate_environment(london_twin, Candidate((), "city_v0", OPTIONS, 1), DRAWS)
    whole = posterior.Posterior(posterior_city(london_twin), {})
    training = {tuple(r) for r in whole.city(posterior.TRAINING).start.planning.home_rent.tolist()}
    assert not training & {tuple(r) for r in env.city.start.planning.home_rent.tolist()}


def read(folders: Sequence[Path], scenario: str = "city_v0") -> list[str]:
    with pytest.raises(InputError) as caught:
        Candidate.read(folders, scenario)
    return caught.value.problems


def test_every_bad_folder_and_scenario_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    problems = read([tmp_path / "empty", tmp_path / "nowhere"], "city_v9")
    text = "\n".join(problems)
    for words in ("city_v9", "empty", "nowhere"):
        assert words in text
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]
    assert read([]) == ["no policy was given"]


def test_a_policy_of_another_scenario_writes_nothing(london_twin: Twin, tmp_path: Path) -> None:
    from tests.fakes import PLANNING

    env = gate_environment(london_twin, Candidate((), "city_v0", OPTIONS, 1), DRAWS)
    stranger = agents.rule("status_quo", [PLANNING])
    candidate = Candidate((stranger,), "city_v0", OPTIONS, 1)
    package = read_package(find_city("london"))
    with pytest.raises(InputError) as caught:
        recommend(london_twin, package, [], candidate, env, tmp_path / "d", "x", lambda: None)
    assert caught.value.problems
    assert list(tmp_path.iterdir()) == []
