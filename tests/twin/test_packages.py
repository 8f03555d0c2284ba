"""City packages: what is read, and what a broken one is told."""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import frictionless
import pandas as pd
import pytest

from envs.twin.packages import PackageError, describe, find_city, list_cities, read_package
from tests.twin.packages_at_hand import DESCRIPTOR, Texts, sound, write

NOW = datetime.date(2020, 6, 15)


@dataclass(frozen=True)
class Broken:
    """One way to break the small package, and what its message must hold."""

    name: str
    edit: Callable[[Texts], Any]
    says: str


def swap(file: str, old: str, new: str) -> Callable[[Texts], None]:
    """Replace one text in one file."""

    def edit(texts: Texts) -> None:
        content = texts[file]
        assert isinstance(content, str)
        assert old in content
        texts[file] = content.replace(old, new, 1)

    return edit


def put(file: str, content: str | bytes) -> Callable[[Texts], None]:
    """Replace a whole file."""
    return lambda texts: texts.update({file: content})


def describe_as(**changes: Any) -> Callable[[Texts], None]:
    """Replace keys of the descriptor."""
    return put("datapackage.json", json.dumps({**DESCRIPTOR, **changes}))


def listing(name: str, **changes: Any) -> Callable[[Texts], None]:
    """Replace keys of one resource in the descriptor."""
    resources = [
        {**entry, **changes} if entry["name"] == name else entry
        for entry in DESCRIPTOR["resources"]
    ]
    return describe_as(resources=resources)


OBS, ACT, VAR, DIS = "observations.csv", "actions.csv", "variables.csv", "districts.csv"
JSON = "datapackage.json"

BROKEN = (
    Broken("no descriptor", lambda t: t.pop(JSON), f"{JSON}: missing; expected"),
    Broken("bad JSON", put(JSON, '{\n "name": }'), f"{JSON}, row 2, column 10: Expecting value"),
    Broken("JSON list", put(JSON, "[1]"), f"{JSON}: '[1]'; expected a JSON object"),
    Broken("JSON not UTF-8", put(JSON, b'{"name": "\xff"}'), f"{JSON}: not readable as text"),
    Broken("bad name", describe_as(name="Small City"), f"{JSON}, name: 'Small City'; expected"),
    Broken("name a number", describe_as(name=3), f"{JSON}, name: '3'; expected a name"),
    Broken("bad title", describe_as(title=["a"]), f"{JSON}, title: '[\"a\"]'; expected text"),
    Broken("bad currency", describe_as(currency="euro"), f"{JSON}, currency: 'euro'; expected"),
    Broken("bad licences", describe_as(licenses="CC0"), f"{JSON}, licenses: 'CC0'; expected"),
    Broken("no resources", describe_as(resources=[]), "resources: observations missing; expected"),
    Broken(
        "path out of the folder",
        listing("observations", path="../observations.csv"),
        f"{JSON}, resource observations, path: '../observations.csv'; expected one file inside",
    ),
    Broken(
        "path on the network",
        listing("observations", path="https://example.org/a.csv"),
        "path: 'https://example.org/a.csv'; expected one file inside the package",
    ),
    Broken(
        "other encoding",
        listing("observations", encoding="latin-1"),
        f"{JSON}, resource observations, encoding: 'latin-1'; expected utf-8",
    ),
    Broken("missing file", lambda t: t.pop(OBS), f"{OBS}: missing; expected a CSV file with"),
    Broken("missing listed file", lambda t: t.pop(ACT), f"{ACT}: missing; expected a CSV file"),
    Broken("empty file", put(OBS, ""), f"{OBS}: empty; expected a header row time,district"),
    Broken("header only", put(OBS, "time,district,variable,value\n"), f"{OBS}: no usable rows"),
    Broken(
        "missing column",
        swap(OBS, "district,", "borough,"),
        f"{OBS}, row 1: column district missing; expected a header row",
    ),
    Broken(
        "column twice",
        swap(OBS, "sd,available", "sd,sd"),
        f"{OBS}, row 1, column sd: 'sd'; expected each column once",
    ),
    Broken("semicolons", put(DIS, "code;name\nA;Ash\n"), f"{DIS}, row 1: column code missing"),
    Broken(
        "too few cells",
        swap(OBS, "2001,B,population,2000,50,", "2001,B,population"),
        f"{OBS}, row 3, column value: '2001,B,population'; expected 6 cells",
    ),
    Broken(
        "too many cells",
        swap(OBS, "2001,B,population,2000,50,", "2001,B,population,2,000,50,"),
        "'2001,B,population,2,000,50,'; expected 6 cells",
    ),
    Broken(
        "figures not UTF-8",
        put(OBS, b"time,district,variable,value\n2001,A,population,5\n2001,\xff,population,5\n"),
        f"{OBS}, row 3, column district: ",
    ),
    Broken("header not UTF-8", put(OBS, b"\xff\xfet\x00"), f"{OBS}, row 1: not readable as text"),
    Broken(
        "unknown district",
        swap(OBS, "2001,B,jobs", "2001,Z,jobs"),
        f"{OBS}, row 6, column district: 'Z'; expected a code of districts.csv",
    ),
    Broken(
        "unknown variable",
        swap(OBS, "B,jobs", "B,jobbs"),
        f"{OBS}, row 6, column variable: 'jobbs'; expected a name of variables.csv",
    ),
    Broken(
        "unknown lever",
        swap(ACT, "B,spend_education", "B,spend_magic"),
        f"{ACT}, row 3, column lever: 'spend_magic'; expected a name of variables.csv",
    ),
    Broken(
        "action among observations",
        swap(OBS, "B,jobs", "B,spend_education"),
        "row 6, column variable: 'spend_education'; expected a series of kind observation; "
        "kind action belongs in actions",
    ),
    Broken(
        "observation among actions",
        swap(ACT, "B,spend_education", "B,jobs"),
        f"{ACT}, row 3, column lever: 'jobs'; expected a series of kind action",
    ),
    Broken(
        "duplicate key",
        swap(OBS, "2001,B,jobs", "2001,A,jobs"),
        f"{OBS}, row 6, column time+district+variable: '2001, A, jobs'; expected each key once",
    ),
    Broken(
        "duplicate revision",
        swap(OBS, "2001,B,population,2000,50,", "2001,C,population,2000,50,2003-05"),
        f"{OBS}, row 4, column time+district+variable: '2001, C, population'; expected each key",
    ),
    Broken(
        "duplicate action",
        swap(ACT, "2001,B", "2001,A"),
        f"{ACT}, row 3, column time+district+lever: '2001, A, spend_education'",
    ),
    Broken(
        "duplicate district",
        swap(DIS, "B,Birch", "A,Beech,20,50,0\nB,Birch"),
        f"{DIS}, row 3, column code: 'A'; expected each key once",
    ),
    Broken(
        "duplicate variable",
        swap(VAR, "jobs,", "population,observation,person,planning,year,\njobs,"),
        f"{VAR}, row 3, column name: 'population'; expected each key once",
    ),
    Broken(
        "wrong unit",
        swap(VAR, "person", "thousand persons"),
        f"{VAR}, row 2, column unit: 'thousand persons'; expected person for population",
    ),
    Broken(
        "second currency",
        swap(VAR, "EUR/year", "GBP/year"),
        f"{VAR}, row 6, column unit: 'GBP/year'; expected EUR/year for spend_education",
    ),
    Broken(
        "unit without currency",
        swap(VAR, "EUR/year", "money/year"),
        f"{VAR}, row 6, column unit: 'money/year'; expected EUR/year for spend_education",
    ),
    Broken(
        "wrong kind",
        swap(VAR, "jobs,observation", "jobs,action"),
        f"{VAR}, row 3, column kind: 'action'; expected observation for jobs",
    ),
    Broken(
        "unknown kind",
        swap(VAR, "jobs,observation", "jobs,outcome"),
        f"{VAR}, row 3, column kind: 'outcome'; expected observation or action",
    ),
    Broken(
        "unknown subsystem",
        swap(VAR, "industry", "magic"),
        f"{VAR}, row 3, column subsystem: 'magic'; expected planning or industry",
    ),
    Broken(
        "wrong interval",
        swap(VAR, "job,industry,year", "job,industry,week"),
        f"{VAR}, row 3, column interval: 'week'; expected month or year",
    ),
    Broken(
        "negative lag",
        swap(VAR, "year,9", "year,-9"),
        f"{VAR}, row 3, column lag_months: '-9'; expected a whole number of months",
    ),
    Broken(
        "month for a yearly series",
        swap(OBS, "2001,B,jobs", "2001-06,B,jobs"),
        f"{OBS}, row 6, column time: '2001-06'; expected YYYY: variables.csv says that jobs",
    ),
    Broken(
        "year for a monthly series",
        swap(OBS, "2001-01,B,house_price", "2001,B,house_price"),
        f"{OBS}, row 10, column time: '2001'; expected YYYY-MM: variables.csv says that house",
    ),
    Broken(
        "no such month",
        swap(OBS, "2001-01,B", "2001-13,B"),
        f"{OBS}, row 10, column time: '2001-13'; expected YYYY or YYYY-MM",
    ),
    Broken(
        "year of another age",
        swap(OBS, "2001,B,jobs", "0201,B,jobs"),
        f"{OBS}, row 6, column time: '0201'; expected YYYY or YYYY-MM, from 1800 to 2020-06",
    ),
    Broken(
        "time later than now",
        swap(OBS, "2001-01,B", "2020-07,B"),
        f"{OBS}, row 10, column time: '2020-07'; expected a time no later than now (2020-06)",
    ),
    Broken(
        "not a number",
        swap(OBS, "jobs,900", "jobs,many"),
        f"{OBS}, row 6, column value: 'many'; expected a number",
    ),
    Broken(
        "number with a thousands mark",
        swap(OBS, "jobs,900", "jobs,1_900"),
        f"{OBS}, row 6, column value: '1_900'; expected a number",
    ),
    Broken(
        "no value",
        swap(OBS, "jobs,900", "jobs,"),
        f"{OBS}, row 6, column value: empty; expected a number (leave the row out",
    ),
    Broken(
        "infinite",
        swap(OBS, "jobs,900", "jobs,-inf"),
        f"{OBS}, row 6, column value: '-inf'; expected a finite number",
    ),
    Broken(
        "not a number by name",
        swap(OBS, "jobs,900", "jobs,NaN"),
        f"{OBS}, row 6, column value: 'NaN'; expected a finite number",
    ),
    Broken(
        "beyond floating point",
        swap(OBS, "jobs,900", "jobs,1e999"),
        f"{OBS}, row 6, column value: '1e999'; expected a finite number",
    ),
    Broken(
        "negative",
        swap(OBS, "jobs,900", "jobs,-900"),
        f"{OBS}, row 6, column value: '-900'; expected more than 0 for jobs",
    ),
    Broken(
        "price of nothing",
        swap(OBS, "house_price,80000", "house_price,0"),
        f"{OBS}, row 10, column value: '0'; expected more than 0 for house_price",
    ),
    Broken(
        "more than all",
        swap(OBS, "claimant_rate,3", "claimant_rate,103"),
        f"{OBS}, row 13, column value: '103'; expected from 0 to 100 for claimant_rate",
    ),
    Broken(
        "bad error",
        swap(OBS, "2000,50", "2000,-5"),
        f"{OBS}, row 3, column sd: '-5'; expected a finite number above 0, or nothing",
    ),
    Broken(
        "bad publication",
        swap(OBS, "2003-05-20", "2003-02-30"),
        f"{OBS}, row 4, column available: '2003-02-30'; expected YYYY-MM or YYYY-MM-DD",
    ),
    Broken(
        "published before it happened",
        swap(OBS, "2003-05-20", "2001-11"),
        "row 4, column available: '2001-11'; expected no earlier than the end of its period "
        "(2001-12)",
    ),
    Broken(
        "published in the future",
        swap(OBS, "2003-05-20", "2020-07-01"),
        f"{OBS}, row 4, column available: '2020-07-01'; expected a time no later than now",
    ),
    Broken(
        "no area",
        swap(DIS, "20,5,0", "0,5,0"),
        f"{DIS}, row 3, column area_km2: '0'; expected more than 0 square kilometres",
    ),
    Broken(
        "bad coordinate",
        swap(DIS, "20,5,0", "20,east,0"),
        f"{DIS}, row 3, column x_km: 'east'; expected a number",
    ),
    Broken(
        "coordinate at infinity",
        swap(DIS, "20,5,0", "20,5,inf"),
        f"{DIS}, row 3, column y_km: 'inf'; expected a finite number",
    ),
    Broken(
        "metres for kilometres",
        swap(DIS, "20,5,0", "20,5000,0"),
        f"{DIS}, row 3, column x_km: '5000'; expected kilometres on a plane",
    ),
    Broken(
        "two districts in one place",
        swap(DIS, "20,5,0", "20,0,0.0"),
        f"{DIS}, row 3, column x_km+y_km: '0, 0.0'; expected a place of its own",
    ),
    Broken(
        "nameless district",
        swap(DIS, "B,Birch", "B,"),
        f"{DIS}, row 3, column name: empty; expected text",
    ),
    Broken(
        "link to nowhere",
        swap("links.csv", "B,A", "B,Q"),
        "links.csv, row 3, column destination: 'Q'; expected a code of districts.csv",
    ),
    Broken(
        "instant travel",
        swap("links.csv", "13.5", "0"),
        "links.csv, row 3, column minutes: '0'; expected more than 0 minutes",
    ),
    Broken(
        "event nowhere",
        swap("events.csv", "A;C", "A;Q"),
        "events.csv, row 2, column districts: 'A;Q'; expected codes of districts.csv",
    ),
    Broken(
        "event ends first",
        swap("events.csv", "2001,2002", "2001,2000"),
        "events.csv, row 3, column time_to: '2000'; expected no earlier than time_from",
    ),
    Broken(
        "event without a sign",
        swap("events.csv", "toll,-1", "toll,down"),
        "events.csv, row 2, column expected_sign: 'down'; expected +1, -1 or 0",
    ),
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_package_is_told_where_and_what(broken: Broken, tmp_path: Path) -> None:
    texts = sound()
    broken.edit(texts)
    folder = write(tmp_path / "small", texts)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PackageError) as caught:
        read_package(folder, NOW)
    assert any(broken.says in problem for problem in caught.value.problems), caught.value
    assert len(caught.value.problems) <= 5, caught.value
    assert sorted(tmp_path.rglob("*")) == before


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    texts = sound()
    for edit in (
        swap(OBS, "2001,A,jobs", "2001,Z,jobs"),
        swap(OBS, "jobs,900", "jobs,many"),
        swap(ACT, "1e6", "inf"),
        swap(DIS, "20,5,0", "-20,5,0"),
        swap(VAR, "person", "people"),
        describe_as(name="Small City"),
    ):
        edit(texts)
    with pytest.raises(PackageError) as caught:
        read_package(write(tmp_path, texts), NOW)
    assert len(caught.value.problems) == 6
    for file in (OBS, ACT, DIS, VAR, JSON):
        assert any(problem.startswith(file) for problem in caught.value.problems)
    assert str(caught.value).startswith(f"{tmp_path}: 6 problems\n  ")


def test_a_flood_of_one_kind_is_cut_short(tmp_path: Path) -> None:
    texts = sound()
    rows = "".join(f"{year},A,jobs,x\n" for year in range(1900, 2000))
    texts[OBS] = "time,district,variable,value\n2001,Z,jobs,1\n" + rows
    with pytest.raises(PackageError) as caught:
        read_package(write(tmp_path, texts), NOW)
    problems = caught.value.problems
    assert len(problems) == 22
    assert f"{OBS}, row 3, column value: 'x'; expected a number" in problems[1]
    assert problems[-1] == f"{OBS}, column value: ... and 80 more of this kind"


def test_rows_are_lines_of_the_file(tmp_path: Path) -> None:
    """Blank lines, quoted line ends, Windows line ends and a byte order mark shift no row."""
    lines = ['"2001","A",population,1', "", '2001,"B",jobs,"4\n4"', "2001,A", "2001,C,jobs,bad"]
    text = "\r\n".join(["time,district,variable,value", *lines]).encode()
    texts = {**sound(), OBS: b"\xef\xbb\xbf" + text}
    with pytest.raises(PackageError) as caught:
        read_package(write(tmp_path, texts), NOW)
    said = "\n".join(caught.value.problems)
    assert "row 4, column value: '4\\n4'; expected a number" in said
    assert "row 7, column value: 'bad'; expected a number" in said


def test_a_sound_package_is_read_whole(tmp_path: Path) -> None:
    package = read_package(write(tmp_path, sound()), NOW)
    assert (package.name, package.title, package.currency) == ("small", "A small city", "EUR")
    assert package.licences == ("CC0-1.0",)
    assert package.source_of("house_price") == "Registry"
    assert package.source_of("claimant_rate") == "Census; Registry"
    observations = package.observations
    assert len(observations) == 13
    first = observations.iloc[2]
    assert (first["time"], first["year"], first["district"]) == ("2001", 2001, "C")
    assert pd.isna(first["month"])
    assert pd.isna(first["sd"])
    assert first["available"] == 12 * 2003 + 4
    by_name = observations.groupby("variable", observed=True)["available"].min()
    assert by_name["population"] == 12 * 2001 + 11
    assert by_name["jobs"] == 12 * 2001 + 11 + 9
    assert by_name["house_price"] == 12 * 2001 + 0 + 1
    assert observations["sd"].iloc[1] == 50.0
    assert list(package.actions["value"]) == [1e6, -2000.0, 3000.0]
    assert package.links is not None
    assert list(package.links["minutes"]) == [12.0, 13.5]
    assert package.events is not None
    assert list(package.events["expected_sign"]) == [-1, 1]
    assert package.warnings == (f"{OBS}, house_price, 2001: 2 of 3 districts missing (B, C)",)


def test_yearly_averages_months_and_takes_the_latest_revision(tmp_path: Path) -> None:
    texts = sound()
    swap(OBS, "2001,A,jobs,400,,\n", "2001,A,jobs,400,,\n2001,A,jobs,450,,2003-01\n")(texts)
    swap(OBS, "2001,B,jobs,900,,\n", "2003,B,jobs,900,,\n")(texts)
    package = read_package(write(tmp_path, texts), NOW)
    assert package.yearly("house_price").loc[2001].tolist() == [100000.0, 80000.0, 70000.0]
    jobs = package.yearly("jobs")
    assert list(jobs.index) == [2001, 2002, 2003]
    assert list(jobs.columns) == ["A", "B", "C"]
    assert jobs.loc[2001, "A"] == 450.0
    assert jobs.loc[2002].isna().all()
    assert package.yearly("spend_education").loc[2001, "B"] == -2000.0
    with pytest.raises(KeyError, match="no series 'rain'; small has claimant_rate, house_price"):
        package.yearly("rain")


def test_what_is_odd_but_allowed_is_a_warning(tmp_path: Path) -> None:
    texts = sound()
    swap(VAR, "claimant_rate,observation,percent", "happiness,observation,smile")(texts)
    for _ in range(3):
        swap(OBS, "claimant_rate", "happiness")(texts)
    swap(OBS, "time,district,variable,value,sd", "time,district,variable,value,note")(texts)
    swap(OBS, "2001,B,jobs,900,,\n", "")(texts)
    describe_as(
        sources=[], licenses=[], resources=[*DESCRIPTOR["resources"][:3], {"name": "photos"}]
    )(texts)
    package = read_package(write(tmp_path, texts), NOW)
    said = "\n".join(package.warnings)
    for expected in (
        "happiness: not known to the model, kept but not used",
        f"{OBS}, column note: not known, left out",
        f"{OBS}, jobs, 2001: 1 of 3 districts missing (B)",
        "actions.csv: not listed in datapackage.json, left out",
        "variables.csv, spend_education: no figure given",
        "sources: none given",
        "licenses: none given",
        "resource photos: not known, left out",
    ):
        assert expected in said
    assert package.actions.empty
    assert package.links is None
    assert "happiness" in set(package.observations["variable"])


def test_the_hash_follows_the_content(tmp_path: Path) -> None:
    texts = sound()
    first = read_package(write(tmp_path / "one", texts), NOW).content_hash
    assert read_package(write(tmp_path / "two", texts), NOW).content_hash == first
    swap(OBS, "jobs,900", "jobs,901")(texts)
    assert read_package(write(tmp_path / "two", texts), NOW).content_hash != first


def test_odd_folder_names_and_the_descriptor_itself_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "a [1] *city's?", sound())
    assert len(read_package(folder, NOW).observations) == 13
    assert len(read_package(folder / JSON, NOW).observations) == 13
    with pytest.raises(PackageError, match="no such folder; expected a city package"):
        read_package(tmp_path / "nowhere", NOW)


def test_london_is_what_it_says() -> None:
    package = read_package(find_city("london"))
    assert len(package.observations) == 3922
    assert len(package.districts) == 33
    assert package.currency == "GBP"
    assert package.actions.empty
    assert len(package.warnings) == 3
    description = describe(package)
    assert json.loads(json.dumps(description)) == description
    assert len(description["series"]) == 8
    assert all(series["known"] for series in description["series"])
    salary = next(s for s in description["series"] if s["variable"] == "median_salary")
    assert (salary["first_year"], salary["last_year"], salary["figures"]) == (2001, 2015, 490)
    assert salary["missing"] == pytest.approx(5 / 495)
    assert list(package.checked()["variable"]) == [s["variable"] for s in description["series"]]
    population = package.yearly("population")
    assert population.shape == (15, 33)
    raw = pd.read_csv(package.folder / OBS, dtype={"time": str})
    totals = raw[raw["variable"] == "population"].groupby("time")["value"].sum()
    assert population.sum(axis=1).tolist() == totals.tolist()
    assert "Open Government Licence" in (package.folder / JSON).read_text()


def test_london_is_a_data_package_to_frictionless() -> None:
    report = frictionless.validate(str(find_city("london") / JSON))
    assert report.valid, report.flatten(["type", "message"])


def test_rich_london_is_read(rich_london: Path) -> None:
    package = read_package(rich_london)
    assert len(package.observations) == 23757
    assert len(package.actions) == 2112
    assert package.observations["variable"].nunique() == 18
    assert package.actions["lever"].nunique() == 10
    assert package.yearly("crimes").shape == (15, 33)
    assert package.yearly("council_tax_band_d").loc[2001, "E09000001"] == 547.73


def test_cities_are_found_by_name_and_by_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "mine" / "anything", sound())
    monkeypatch.delenv("POLISLAB_CITY_PATH", raising=False)
    assert find_city(folder) == folder
    assert [city.name for city in list_cities()] == ["london"]
    with pytest.raises(PackageError, match=r"'lodnon'.*did you mean london"):
        find_city("lodnon")
    broken = write(tmp_path / "other" / "broken", {**sound(), OBS: "time\n"})
    write(broken, {JSON: json.dumps({**DESCRIPTOR, "name": "broken"})})
    monkeypatch.setenv("POLISLAB_CITY_PATH", os.pathsep.join([str(folder.parent), str(broken)]))
    assert find_city("small") == folder
    cities = {city.name: city for city in list_cities()}
    assert list(cities) == ["broken", "london", "small"]
    assert (cities["london"].districts, cities["london"].series) == (33, 8)
    assert (cities["london"].first_year, cities["london"].last_year) == (2001, 2015)
    assert (cities["small"].districts, cities["small"].series) == (3, 5)
    assert "column district missing" in cities["broken"].problem
    assert json.loads(json.dumps(cities["small"].as_dict()))["title"] == "A small city"


def test_two_packages_of_one_name_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = write(tmp_path / "one", sound()), write(tmp_path / "two", sound())
    monkeypatch.setenv("POLISLAB_CITY_PATH", str(tmp_path))
    for ask in (lambda: find_city("small"), list_cities):
        with pytest.raises(PackageError, match="two packages of one name") as caught:
            ask()
        assert str(one) in str(caught.value)
        assert str(two) in str(caught.value)
    assert find_city(one) == one


def test_a_million_rows_load_in_bounded_memory(tmp_path: Path) -> None:
    """Peak memory is measured in a process of its own, which writes only to a pipe."""
    folder = write(tmp_path, sound())
    (folder / "variables.csv").write_text(
        "name,kind,unit,subsystem,interval\nhouse_sales,observation,sale/month,planning,month\n"
    )
    districts = [f"D{number:04d}" for number in range(600)]
    (folder / DIS).write_text(
        "code,name,area_km2,x_km,y_km\n"
        + "".join(f"{code},{code},1,{place},0\n" for place, code in enumerate(districts))
    )
    months = [f"{year}-{month:02d}" for year in range(1870, 2010) for month in range(1, 13)]
    with (folder / OBS).open("w") as file:
        file.write("time,district,variable,value\n")
        for time in months:
            file.writelines(f"{time},{code},house_sales,12.5\n" for code in districts)
    write(folder, {JSON: json.dumps({**DESCRIPTOR, "resources": DESCRIPTOR["resources"][:3]})})
    program = (
        "import resource, sys\n"
        "from envs.twin.packages import read_package\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = used()\n"
        "package = read_package(sys.argv[1])\n"
        "print(len(package.observations), used() - before,\n"
        "      package.observations.memory_usage(deep=False).sum())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    rows, growth_kb, frame_bytes = map(int, done.stdout.split())
    assert rows == len(months) * len(districts) == 1_008_000
    assert frame_bytes < 40 * rows
    assert growth_kb < 400_000
