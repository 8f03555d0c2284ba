"""Ways to break the small package, each with the message it must get."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.twin.packages_at_hand import DESCRIPTOR, Texts

OBS, ACT, VAR, DIS = "observations.csv", "actions.csv", "variables.csv", "districts.csv"
JSON = "datapackage.json"


@dataclass(frozen=True)
class Broken:
    """One way to break the small package, and the one problem that is told.

    ``count`` says of how many problems, where one mistake spoils several rows.
    """

    name: str
    edit: Callable[[Texts], Any]
    says: str
    count: int = 1


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
    Broken(
        "no resources",
        describe_as(resources=[]),
        f"{JSON}, resources: observations missing; expected districts, variables, observations",
        count=3,
    ),
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
    Broken(
        "semicolons",
        put(DIS, "code;name\nA;Ash\n"),
        f"{DIS}, row 1, column 1: 'code;name'; expected a header row code,name,area_km2,x_km,y_km",
    ),
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
        swap(ACT, "B,spend_education,-", "B,jobs,"),
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
        count=4,
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
        swap(OBS, "claimant_rate,3", "claimant_rate,1e999"),
        f"{OBS}, row 13, column value: '1e999'; expected a finite number",
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
