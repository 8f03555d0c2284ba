"""The dossier: one self-contained page, the same content as JSON, readable figures."""

import csv
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import configs
from experiments import dossier as ds
from experiments.dossier import formats, maps, scales
from experiments.dossier.page import render
from experiments.dossier.validity import scores, validity
from experiments.gate import Evidence, judge

sys.path.insert(0, str(Path(__file__).parent))
from dossier_example import example_dossier, example_evidence, without_tiles

VOID = {"meta", "br", "line", "link", "img"}


class Page(HTMLParser):
    """Collects text, tags and unbalanced elements of a page."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.tags, self.text, self.errors = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data):
        self.text += data.replace("\u00a0", " ")


@pytest.fixture(scope="module")
def example():
    return example_dossier()


@pytest.fixture(scope="module")
def page(example):
    return Page(render(example))


def test_both_files_are_written_whole_and_nothing_else(tmp_path, example):
    paths = ds.write_dossier(tmp_path / "new" / "folder", example)
    assert sorted(path.name for path in paths.html.parent.iterdir()) == [
        "dossier.html",
        "dossier.json",
    ]
    assert paths.html.stat().st_size < 3_000_000


def test_a_failed_write_leaves_the_old_dossier(tmp_path, example, monkeypatch):
    paths = ds.write_dossier(tmp_path, example)
    before = paths.html.read_bytes()
    monkeypatch.setattr("experiments.dossier.write.os.replace", _refuse)
    with pytest.raises(OSError, match="disk"):
        ds.write_dossier(tmp_path, replace(example, title="another"))
    assert paths.html.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def _refuse(*_):
    raise OSError("disk is full")


def test_json_holds_the_verdict_and_everything_shown(tmp_path, example):
    path = ds.write_dossier(tmp_path, example).json
    data = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))
    assert {key: data[key] for key in ("verdict", "reasons")} == {
        "verdict": example.verdict.verdict,
        "reasons": list(example.verdict.reasons),
    }
    keys = {"name", "status", "statistic", "threshold", "explanation"}
    assert all(keys <= set(check) for check in data["checks"])
    assert len(data["districts"]) == 33
    assert data["validity"].startswith("Valid for")


def test_page_needs_nothing_from_outside(page):
    assert not page.errors
    assert not page.stack
    outside = re.compile(r"^(https?:)?//")
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "img")
        for name in ("src", "href"):
            assert not outside.match(attributes.get(name) or "")
    style = (Path(ds.__file__).parent / "style.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_verdict_and_reasons_come_first(page, example):
    text = page.text
    assert text.index("Pilot only") < text.index("Is it better?") < text.index("The checks")
    for reason in example.verdict.reasons:
        assert reason.partition(": ")[2][1:40] in text


def test_every_check_shows_status_sentence_and_threshold(page, example):
    for check in example.verdict.checks:
        assert check.explanation in page.text
        assert check.requirement in page.text


@pytest.mark.parametrize(
    ("gain", "seeds", "verdict", "stop"),
    [(0.009, 10, "pilot", True), (0.009, 2, "refuse", False), (-0.004, 10, "refuse", False)],
)
def test_pages_of_every_verdict(gain, seeds, verdict, stop):
    dossier = example_dossier(gain, seeds)
    assert dossier.verdict.verdict == verdict
    text = Page(render(dossier)).text
    assert ("Stopping rule" in text) == stop


def test_levers_show_today_and_proposed_and_what_stays(page):
    text = " ".join(page.text.split())
    assert "£0 / entry → £1.89 / entry" in text
    assert "5 % of income → 4.7 % of income" in text
    stays = text.partition("Left as today: ")[2].partition(".")[0]
    assert "property tax" in stays
    assert "toll" not in stays.split(", ")


def test_what_hardly_differs_from_today_is_as_today():
    """A millionth of a subsidy is no proposal."""
    proposed = {row.lever: row.proposed for row in ds.lever_rows({"subsidy": 1e-8}, "GBP", 2000.0)}
    assert proposed["subsidy"] == 0.0
    told = {row.lever: row.proposed for row in ds.lever_rows({"subsidy": 1e-5}, "GBP", 2000.0)}
    assert told["subsidy"] > 0.0


def test_lever_rows_read_the_lever_table():
    rows = {row.lever: row for row in ds.lever_rows({"fare": 0.003}, "GBP", 2000.0)}
    fare = rows["fare"]
    assert (fare.today, fare.proposed, fare.unit) == (pytest.approx(1.0), 1.5, "GBP/trip")
    assert rows["property_tax"].today == 0.8
    with pytest.raises(KeyError, match="free_lunch"):
        ds.lever_rows({"free_lunch": 1.0}, "GBP", 2000.0)
    assert ds.setting(np.arange(101.0)) == pytest.approx((50, 5, 95))


def test_map_has_a_tile_for_every_borough(page):
    with (configs.root() / "city" / "london" / "districts.csv").open() as lines:
        names = {row["code"]: row["name"] for row in csv.DictReader(lines)}
    tiles = ds.read_tiles("london")
    assert set(tiles) == set(names)
    assert len({place[:2] for place in tiles.values()}) == 33
    assert len({place[2] for place in tiles.values()}) == 33
    assert all(f"{name}: " in page.text for name in names.values())


def test_tiles_lie_as_the_boroughs_do():
    with (configs.root() / "city" / "london" / "districts.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    tiles = ds.read_tiles("london")
    x, y = ([float(row[key]) for row in rows] for key in ("x_km", "y_km"))
    row, column = ([tiles[r["code"]][axis] for r in rows] for axis in (0, 1))
    assert np.corrcoef(x, column)[0, 1] > 0.9
    assert np.corrcoef(y, row)[0, 1] < -0.9


def test_other_cities_get_points_where_they_lie(example):
    bare = without_tiles(example)
    drawn = str(maps.map_svg(bare.districts, bare.tiles))
    assert drawn.count("<circle") == 33
    assert "<rect" not in drawn
    assert ds.read_tiles("nowhere") == {}


def test_uncertain_districts_have_a_dashed_edge():
    rows = [
        ds.DistrictEffect("a", "A", 0.01, 0.002, 0.02, 0, 0),
        ds.DistrictEffect("b", "B", 0.01, -0.002, 0.02, 5, 5),
    ]
    assert str(maps.map_svg(rows, {})).count("stroke-dasharray") == 1


def test_fans_hold_the_observed_points(example, page):
    circles = [t for t, a in page.tags if t == "circle" and a.get("class") == "seen"]
    assert len(circles) == sum(len(fan.observed) for fan in example.fans)


def test_fan_quantiles_and_missing_figures():
    members = np.linspace(0, 100, 1001)[:, None] * np.ones(3)
    fan = ds.fan("jobs", "job", [2001, 2002], [5.0, np.nan], [2002, 2003, 2004], members)
    assert fan.observed == (5.0,)
    assert (fan.low90[0], fan.low50[0], fan.median[0]) == pytest.approx((5, 25, 50))
    assert (fan.high50[0], fan.high90[0]) == pytest.approx((75, 95))


def test_nothing_but_the_required_parts_still_makes_a_page(tmp_path):
    bare = ds.Dossier("A plan", "Nowhere", "Nothing yet.", "no years", judge(Evidence()), ())
    page = Page(render(bare))
    assert not page.errors
    assert "not tried on past years" in page.text
    assert ds.write_dossier(tmp_path, bare).json.is_file()


def test_names_from_outside_cannot_break_the_page(example):
    wicked = '<script>alert("x")</script>'
    district = replace(example.districts[0], name=wicked, code="zz")
    changed = replace(example, title=wicked, districts=(district, *example.districts[1:]))
    text = render(changed)
    assert wicked not in text
    assert "script" not in {tag for tag, _ in Page(text).tags}


def test_loosened_thresholds_are_marked():
    verdict = judge(replace(example_evidence(), margin=0.05))
    text = Page(render(replace(example_dossier(), verdict=verdict))).text
    assert "loosened from 0.005" in text
    assert "1 of the thresholds" in text


def test_validity_is_scoped(example):
    words = validity(scores(example.scorecard))
    assert "population" in words.split("Not valid")[0]
    assert words.endswith("Not valid for house price.")
    unsure = [replace(row, crps_skill_low=None) for row in example.scorecard]
    assert "without proof" in validity(scores(unsure))


def test_summary_pairs_policies_on_the_same_draws():
    evidence = example_evidence()
    rollouts = evidence.rollouts
    first = ds.group_effects(evidence)[0]
    paired = rollouts.by_group[2, ..., 0] - rollouts.by_group[0, ..., 0]
    assert first.estimate == pytest.approx(paired.mean(), abs=3e-4)
    assert first.high - first.low < 4 * paired.std()
    assert ds.comparison_effects(evidence)[0].estimate == pytest.approx(0.0084, abs=5e-4)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (31234.0, "GBP/year", "£31,200 / year"),
        (1.9, "GBP/trip", "£1.90 / trip"),
        (-5.0, "GBP", "−£5"),
        (8_174_100.0, "person", "8,170,000 people"),
        (4.25, "percent", "4.25 %"),
        (0.0, "job", "0 jobs"),
        (0.00234, "", "0.00234"),
    ],
)
def test_figures_read_well(value, unit, words):
    assert formats.with_unit(value, unit) == words


def test_percentages_have_no_negative_zero():
    assert formats.signed_percent(-0.00001) == "0.00 %"
    assert formats.signed_percent(-0.0123) == "−1.23 %"
    assert formats.signed_percent(float("inf")) == "unbounded"


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 0.4), (1e6, 9e6), (0.001, 0.0017)])
def test_ticks_are_inside_and_few(low, high):
    marks = scales.ticks(low, high)
    assert 2 <= len(marks) <= 7
    assert min(marks) >= low - 1e-9
    assert max(marks) <= high + 1e-9
