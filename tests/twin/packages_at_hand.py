"""A small, sound city package as texts, for tests to break in one place."""

import json
from pathlib import Path

Texts = dict[str, str | bytes]

DESCRIPTOR = {
    "name": "small",
    "title": "A small city",
    "licenses": [{"name": "CC0-1.0"}],
    "sources": [
        {"title": "Census", "description": "population, jobs"},
        {"title": "Registry", "description": "house_price"},
    ],
    "resources": [
        {"name": name, "path": f"{name}.csv"}
        for name in ("districts", "variables", "observations", "actions", "links", "events")
    ],
}


def sound() -> Texts:
    """The package's files by name. Row 1 is a header, so the first figure stands in row 2."""
    return {
        "datapackage.json": json.dumps(DESCRIPTOR),
        "districts.csv": (
            "code,name,area_km2,x_km,y_km\nA,Ash,10,0,0\nB,Birch,20,5,0\nC,Cedar,9,0,7\n"
        ),
        "variables.csv": (
            "name,kind,unit,subsystem,interval,lag_months\n"
            "population,observation,person,planning,year,\n"
            "jobs,observation,job,industry,year,9\n"
            "house_price,observation,EUR,planning,month,1\n"
            "claimant_rate,observation,percent,industry,year,\n"
            "spend_education,action,EUR/year,services,year,\n"
        ),
        "observations.csv": (
            "time,district,variable,value,sd,available\n"
            "2001,A,population,1000,,\n"
            "2001,B,population,2000,50,\n"
            "2001,C,population,1500,,2003-05-20\n"
            "2001,A,jobs,400,,\n"
            "2001,B,jobs,900,,\n"
            "2001,C,jobs,500,,\n"
            "2001-01,A,house_price,90000,,\n"
            "2001-02,A,house_price,110000,,\n"
            "2001-01,B,house_price,80000,,\n"
            "2001-01,C,house_price,70000,,\n"
            "2001,A,claimant_rate,2.5,,\n"
            "2001,B,claimant_rate,3,,\n"
            "2001,C,claimant_rate,1e0,,\n"
        ),
        "actions.csv": (
            "time,district,lever,value\n"
            "2001,A,spend_education,1e6\n"
            "2001,B,spend_education,-2000\n"
            "2001,C,spend_education,3000\n"
        ),
        "links.csv": "origin,destination,mode,minutes\nA,B,car,12\nB,A,car,13.5\n",
        "events.csv": (
            "time_from,time_to,districts,name,lever,expected_sign\n"
            "2001-02,,A;C,charge,toll,-1\n"
            "2001,2002,all,school grant,staff,+\n"
        ),
    }


def write(folder: Path, texts: Texts) -> Path:
    """Write the files of a package into a folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in texts.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
    return folder
