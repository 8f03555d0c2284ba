"""City packages: what is read, and what a broken one is told."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import frictionless
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.twin.packages import PackageError, describe, find_city, list_cities, read_package
from tests.twin.broken_packages import ACT, BROKEN, DIS, JSON, OBS, VAR, Broken, describe_as, swap
from tests.twin.packages_at_hand import DESCRIPTOR, sound, write

NOW = datetime.date(2020, 6, 15)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_package_is_told_where_and_what(broken: Broken, tmp_path: Path) -> None:
    texts = sound()
    broken.edit(texts)
    folder = write(tmp_path / "small", texts)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PackageError) as caught:
        read_package(folder, NOW)
    assert any(broken.says in problem for problem in caught.value.problems), caught.value
    assert len(caught.value.problems) == broken.count, caught.value
    assert sorted(tmp_path.rglob("*")) == before


@given(
    file=st.sampled_from(sorted(sound())),
    start=st.integers(0, 900),
    length=st.integers(0, 40),
    content=st.sampled_from([b"", b'"', b",", b"\n", b"\r", b"\0", b"\x01", b"\xff", b"inf", b"{"]),
)
def test_any_damage_ends_in_words(
    tmp_path_factory: pytest.TempPathFactory, file: str, start: int, length: int, content: bytes
) -> None:
    texts = sound()
    data = str(texts[file]).encode()
    texts[file] = data[:start] + content + data[start + length :]
    folder = write(tmp_path_factory.mktemp("damaged"), texts)
    problems = []
    try:
        assert describe(read_package(folder, NOW))["observations"] > 0
    except PackageError as error:
        problems = error.problems
    assert all("expected" in problem or "more" in problem for problem in problems)


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
