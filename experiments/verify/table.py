"""The one table of oracles: MODEL section 15 as a list of functions."""

from __future__ import annotations

from experiments.verify import choice, delay, land, production, public, roads, shops
from experiments.verify.oracle import Oracle

ORACLES: tuple[Oracle, ...] = (
    Oracle(
        1,
        "single-district",
        "d ln rent / d ln income = 1 / (1 + eps_H), floor eps_H / (1 + eps_H)",
        "floor supply of constant elasticity",
        land.single_district,
    ),
    Oracle(
        2,
        "monocentric",
        "d ln r / d t = -kappa mu / (1 + mu (1 - beta)); mu to infinity: -kappa / (1 - beta)",
        "Alonso 1964; Muth 1969; Mills 1967",
        land.monocentric,
    ),
    Oracle(
        3,
        "pitchfork",
        "2x - 1 = tanh(mu h (2x - 1) / 2); with rents (1 + mu (1 - beta)) logit x = mu h (2x - 1)",
        "Schelling 1971; Brock & Durlauf 2001",
        land.pitchfork,
    ),
    Oracle(
        4,
        "logit",
        "flows = multinomial logit over workplace and mode where roads do not congest",
        "McFadden 1974",
        choice.logit,
    ),
    Oracle(
        4,
        "wilson",
        "ln T_ij + ke t_ij = a_i + b_j: trips of fixed totals that maximise entropy",
        "Wilson 1967; Furness 1965",
        choice.wilson,
    ),
    Oracle(
        5,
        "braess",
        "user equilibrium 92 with the bridge, 83 without, 83 with marginal-cost tolls",
        "Wardrop 1952; Braess 1968",
        roads.braess,
    ),
    Oracle(
        6,
        "sioux-falls",
        "least Beckmann objective 42.31335287107440 (100,000) and the published link flows",
        "LeBlanc, Morlok & Pierskalla 1975; Transportation Networks for Research",
        roads.sioux_falls,
    ),
    Oracle(
        7,
        "inversion",
        "an equilibrium of known productivity and amenity gives them back, up to scale",
        "Ahlfeldt, Redding, Sturm & Wolf 2015",
        production.inversion,
    ),
    Oracle(
        8,
        "shops",
        "a < 1 one interior split, a = 1 critical, a > 1 winner takes all with hysteresis",
        "Harris & Wilson 1978",
        shops.shops,
    ),
    Oracle(
        9,
        "evasion",
        "none where audit x detection x (1 + fine) >= 1; grows with the rate, shrinks with audits",
        "Allingham & Sandmo 1972",
        public.evasion,
    ),
    Oracle(
        10,
        "barro",
        "best public investment over output = its output elasticity",
        "Barro 1990",
        public.barro,
    ),
    Oracle(
        11,
        "pigou",
        "best toll on one road = x t'(x)",
        "Pigou 1920",
        choice.pigou,
    ),
    Oracle(
        12,
        "henry-george",
        "land rent = cost of a pure local public good at the best population",
        "Arnott & Stiglitz 1979",
        public.henry_george,
    ),
    Oracle(
        13,
        "queue",
        "one counter keeps 1 - u of the time for service; knee of the M/M/c queue",
        "Erlang 1917",
        delay.queue,
    ),
    Oracle(
        13,
        "lags",
        "mean of an Erlang-3 chain = its lag; all that starts arrives",
        "Erlang 1917",
        delay.lags,
    ),
    Oracle(
        14,
        "beliefs",
        "error of a constant-gain belief = (1 - g)^t",
        "Evans & Honkapohja 2001",
        delay.beliefs,
    ),
)
