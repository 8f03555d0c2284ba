"""The tables of the city model on the command line, and the pages that they write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envs.city.dashboard import DASHBOARD
from envs.city.levers import LEVERS
from envs.city.measures.concepts import MEASURES
from envs.city.parameters import TABLE
from envs.city.shocks import EVENTS, SHOCKS
from experiments import cli, model_tables
from experiments.sheets import Sheet, markdown

ROOT = Path(__file__).parents[2]
NAMES = {
    "parameters": set(TABLE),
    "levers": set(LEVERS),
    "shocks": set(SHOCKS) | set(EVENTS),
    "indicators": set(DASHBOARD),
    "concepts": set(MEASURES),
}
PAGES: dict[str, Callable[[], model_tables.Page]] = {
    "parameters": model_tables.parameters,
    "levers": model_tables.levers,
    "shocks": model_tables.shocks,
    "indicators": model_tables.indicators,
    "concepts": model_tables.concepts,
}


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize("table", NAMES)
def test_a_table_shows_writes_and_hands_over_every_row(
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page, records = tmp_path / "page.md", tmp_path / "rows.json"
    assert command(monkeypatch, table, "--markdown", str(page), "--json", str(records)) == 0
    shown, written = capsys.readouterr().out, page.read_text()
    content = json.loads(records.read_text())
    rows = content
    if table == "concepts":
        rows = [row for concept in content for row in concept["measures"]]
    if table == "shocks":
        rows = content["shocks"] + content["events"]
    assert {row["name"] for row in rows} == NAMES[table]
    for name in NAMES[table]:
        assert name in shown, name
        assert name in written, name


@pytest.mark.parametrize("table", PAGES)
def test_the_page_in_docs_is_what_the_command_writes(table: str) -> None:
    """Renew it with the command that the page names."""
    page = PAGES[table]()
    assert page.command == table
    assert (ROOT / page.file).read_text() == page.text()


def test_one_block_of_parameters_and_an_unknown_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = tmp_path / "rows.json"
    assert command(monkeypatch, "parameters", "--block", "travel", "--json", str(records)) == 0
    assert {row["block"] for row in json.loads(records.read_text())} == {"travel"}
    assert command(monkeypatch, "parameters", "--block", "travels") == 2
    assert "travel" in capsys.readouterr().err


def test_parameters_say_what_they_rest_on() -> None:
    said = {p.name: model_tables.status(p) for p in TABLE.values()}
    assert said["eps"] == "checked"
    assert said["gain_v"] == "unchecked"
    assert said["legs"] == "assumed"
    assert said["om_far"] == "solved"
    page = model_tables.parameters()
    listed = [row for sheet in page.sheets for row in sheet.rows]
    for row in listed:
        parameter = TABLE[row[0].partition("[")[0]]
        assert row[-1].startswith(parameter.source)
        assert said[parameter.name] in row[-1]
    assert page.opening.startswith(f"{len(TABLE)} parameters")


def test_indicators_of_a_city_carry_its_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = tmp_path / "rows.json"
    words = ("indicators", "--city", "synthetic", "--json", str(records))
    assert command(monkeypatch, *words) == 0
    found = {row["name"]: row for row in json.loads(records.read_text())}
    assert 0 < found["unemployment"]["value"] < 0.2
    assert found["unemployment"]["standard"][0]["code"] == "ISO 37120 5.1"
    assert found["unemployment"]["in_state"]
    assert not found["poverty"]["in_state"]
    assert "value" in capsys.readouterr().out


def test_bad_files_are_named_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "levers", "--markdown", str(tmp_path / "no" / "page.md")) == 2
    assert "--markdown" in capsys.readouterr().err


def test_markdown_keeps_bars_in_their_cells_and_shows_identifiers_as_code() -> None:
    text = markdown([Sheet("T", ("name", ">x"), [("a_b", "1|2")], code=True)], level=2)
    assert text.splitlines()[-1] == "| `a_b` | 1\\|2 |"
    assert text.startswith("## T\n")
