"""Sections of a report: each says what it shows, or what it lacks."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.inference_cost import GIB, estimate
from analysis.output.html_page import Page
from analysis.report import report_sections
from analysis.sweep.results import SweepResults

SHAPE = {"width": 96, "ffn": 256, "layers": 4, "heads": 4, "kv_heads": 2, "vocab": 2048}


def sweep_of(runs, **more):
    return SweepResults("s", more.pop("table", runs), runs, None, {}, (), **more)


def runs_of(**columns):
    rows = [(f"s{N}", N, P, 0, 4 - 0.1 * P - 1e-6 * N) for N in (5e4, 2e5, 7e5) for P in (1, 2)]
    table = pd.DataFrame(rows, columns=["size", "N", "P", "seed", "loss"])
    return table.assign(corpus="made", status="ok", **columns)


@pytest.fixture
def page():
    return Page("t", "o")


@pytest.fixture
def known():
    """Draws every figure that a section may ask for. Returns the names of those drawn."""
    drawn = []

    class Known(dict):
        def __missing__(self, name):
            return lambda: (drawn.append(name), Figure(figsize=(1, 1)))[1]

        def __contains__(self, name):
            return True

    found = Known()
    found.drawn = drawn
    return found


def rows(html):
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)[1:]]


def test_gains_stand_with_both_figures_and_their_table(page, known):
    report_sections.add_gains(page, sweep_of(runs_of()), known)
    assert known.drawn == ["gains", "pair_k"]
    (table,) = [part for part in page.parts if "<table" in part]
    changes = rows(table)
    assert len(changes) == 3
    assert all("\N{MINUS SIGN}0.1000" in row or "-0.1000" in row for row in changes)


def test_runs_of_one_number_of_streams_have_no_section_of_gains(page, known):
    runs = runs_of()
    report_sections.add_gains(page, sweep_of(runs[runs["P"] == 1]), known)
    assert page.parts == []
    assert known.drawn == []


def test_what_training_took_is_told_in_gib(page):
    runs = runs_of(wall_s=12.5, peak_memory_bytes=3 * GIB)
    report_sections.add_training_costs(page, sweep_of(runs))
    assert "peak memory (GiB)" in page.html
    assert all("12.5" in row and "3.00" in row for row in rows(page.parts[-1]))


def test_runs_that_hold_no_time_are_said_to_lack_it(page):
    report_sections.add_training_costs(page, sweep_of(runs_of()))
    assert 'class="missing"' in page.parts[-1]
    assert "wall_s" in page.parts[-1]


def test_serving_costs_are_those_of_the_cost_model(page):
    runs = runs_of(**SHAPE)
    report_sections.add_serving_costs(page, sweep_of(runs))
    cost = estimate(**SHAPE, P=np.array([1, 2]), input_tokens=512, output_tokens=512)
    told = [[float(cell.replace(",", "")) for cell in row[3:]] for row in rows(page.parts[-1])]
    expected = np.tile(np.stack([1024 * cost.memory_bytes / GIB, 1e3 * cost.latency_s], axis=1), (3, 1))
    np.testing.assert_allclose(told, expected, atol=0.05)


@pytest.mark.parametrize("gone", ["ffn", "vocab"])
def test_runs_without_their_shape_have_no_serving_cost(page, gone):
    report_sections.add_serving_costs(
        page, sweep_of(runs_of(**{k: v for k, v in SHAPE.items() if k != gone}))
    )
    assert len(page.parts) == 1
    assert gone in page.parts[0]
    assert 'class="missing"' in page.parts[0]


def test_mixtures_of_experts_are_left_out_by_name_and_dense_runs_stay(page):
    runs = runs_of(**SHAPE)
    runs["N_active"] = np.where(runs["N"] == 7e5, 3e5, runs["N"])
    report_sections.add_serving_costs(page, sweep_of(runs))
    assert 'class="missing"' in page.parts[0]
    assert len(rows(page.parts[-1])) == 4


def test_curves_that_there_are_are_drawn_and_one_that_fails_is_said(page):
    def failing():
        raise ValueError("no evaluations")

    known = {"training": lambda: Figure(figsize=(1, 1)), "held-out": failing}
    report_sections.add_training_curves(page, sweep_of(runs_of()), known)
    assert [("<figure" in part, 'class="missing"' in part) for part in page.parts] == [
        (False, True),
        (True, False),
    ]


def test_averaged_streams_are_drawn(page, known):
    report_sections.add_averaged_streams(page, known)
    assert known.drawn == ["ensemble"]
    assert page.html.count("<figure") == 1
