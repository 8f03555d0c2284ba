"""What enters equals what leaves: building chains, matching and air (see the invariants, too)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from envs.city import infrastructure
from envs.city.functions import ces_match, erlang, erlang_steady
from envs.city.model import City


@pytest.mark.parametrize("lag", [18.0, 24.0, 36.0])
def test_the_mean_delivery_lag_is_exact(lag: float) -> None:
    pipe, start = torch.zeros(1, 3, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    length = torch.tensor([lag], dtype=torch.float64)
    pipe, done = erlang(pipe, start, length)
    assert float(done) == 0
    mass = mean = 0.0
    for month in range(1, 2000):
        pipe, done = erlang(pipe, torch.zeros_like(start), length)
        mass, mean = mass + float(done), mean + month * float(done)
    assert mass == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(lag, abs=1e-9)


def test_a_steady_pipe_delivers_what_is_started() -> None:
    start, lag = torch.rand(4, 9, dtype=torch.float64), torch.tensor([[18.0]], dtype=torch.float64)
    pipe = erlang_steady(start, lag)
    after, done = erlang(pipe, start, lag)
    torch.testing.assert_close(done, start)
    torch.testing.assert_close(after, pipe)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(1, 10))
def test_matching_is_below_both_sides_and_homogeneous(a: float, b: float, factor: float) -> None:
    left, right = torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)
    matched = ces_match(left, right, 13.5)
    assert float(matched) <= min(a, b)
    torch.testing.assert_close(ces_match(factor * left, factor * right, 13.5), factor * matched)
    torch.testing.assert_close(ces_match(right, left, 13.5), matched)


def test_pollution_is_dispersed_not_made(nine: City) -> None:
    emitted = torch.rand(1, 9, dtype=torch.float64)
    felt = infrastructure.push_air(nine.geography, emitted)
    assert float(felt.sum()) == pytest.approx(float(emitted.sum()))
