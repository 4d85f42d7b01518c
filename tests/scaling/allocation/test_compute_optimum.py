"""The compute optimum by three estimates side by side."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest

import scaling
from tests.scaling.isoflop_runs import CHINCHILLA, EXPONENT, closed_form, isoflop_runs

ROWS = ["isoFLOP minima", "envelope", "parametric fit"]


@pytest.fixture(scope="module")
def made():
    return scaling.optimum(isoflop_runs(2e-3), flops=1e23)


@pytest.fixture(scope="module")
def near():
    """The optimum at a budget of the runs."""
    return scaling.optimum(isoflop_runs(2e-3), flops=1e21)


def test_three_estimates_hold_the_truth(made) -> None:
    table, N = made.table, closed_form(1e23)
    assert list(table.index) == ROWS
    for name, truth in (("N", N), ("D", 1e23 / 6 / N), ("a", EXPONENT), ("b", 1 - EXPONENT)):
        assert ((table[f"{name}_lower"] < truth) & (truth < table[f"{name}_upper"])).all()
        assert ((table[f"{name}_lower"] < table[name]) & (table[name] < table[f"{name}_upper"])).all()
    assert (table["N"] * table["D"] * 6).to_numpy() == pytest.approx(np.full(3, 1e23), rel=1e-6)


def test_the_loss_is_the_forecast_there(made) -> None:
    row = made.table.loc["parametric fit"]
    one = scaling.forecast(isoflop_runs(2e-3), N=row["N"], D=row["D"])
    assert tuple(row[["loss", "loss_lower", "loss_upper"]]) == pytest.approx(
        (one.loss[0], one.lower[0], one.upper[0]), rel=1e-6
    )
    assert row["loss"] == pytest.approx(
        CHINCHILLA.predict(N=closed_form(1e23), D=1e23 / 6 / closed_form(1e23)), rel=0.01
    )


def test_how_far_outside_the_runs_is_said(made) -> None:
    assert made.table["beyond"].to_numpy() == pytest.approx(np.full(3, 10.0), rel=1e-6)
    assert (made.table["outside"] == "C").all()
    assert re.search(r"10x.*C", made.verdict)
    for name in ROWS:
        assert f"{name}: " in made.verdict


def test_it_is_a_result_with_text_html_and_a_figure(made) -> None:
    assert "isoFLOP minima" in repr(made)
    assert made.verdict.split("\n")[0] in repr(made)
    assert "<table" in made._repr_html_()
    assert pickle.loads(pickle.dumps(made)).table.equals(made.table)  # noqa: S301
    left, right = made.plot().axes
    assert len(left.containers) == 6  # a minimum with its interval for each budget
    assert right.get_xscale() == right.get_yscale() == "log"
    assert {text.get_text() for text in right.get_legend().get_texts()} >= set(ROWS)
    used = made.isoflop.used
    drawn = next(line for line in left.lines if line.get_label() == "minima")
    assert list(drawn.get_xdata()) == list(used["N"])


def test_streams_are_paid_for(near) -> None:
    runs, one = isoflop_runs(2e-3), near.table
    four = scaling.optimum({**runs, "P": np.full(runs["N"].size, 4.0)}, flops=4e21).table
    assert four["N"].to_numpy() == pytest.approx(one["N"].to_numpy(), rel=1e-3)
    assert (four["N"] * four["D"] * 24).to_numpy() == pytest.approx(np.full(3, 4e21), rel=1e-6)


def test_what_the_runs_do_not_allow_is_said_with_why() -> None:
    N = np.geomspace(1e8, 1e10, 8)
    ladder = {"N": N, "D": 20 * N, "loss": CHINCHILLA.predict(N=N, D=20 * N)}
    found = scaling.optimum(ladder, flops=1e21)
    assert found.table["N"].isna().all()
    assert found.table["note"].str.len().all()
    assert "not identifiable" in found.table.loc["parametric fit", "note"]
    assert len(found.plot().axes) == 3  # two panels and the colour bar of the sizes
    few = scaling.optimum({k: v[:18] for k, v in isoflop_runs(1e-3).items()}, flops=1e21).table
    assert few["N"].notna().to_list() == [False, False, True]
    assert re.search(r"\b2\b.*\b2\b", few.loc["isoFLOP minima", "note"])


def test_compute_counted_in_another_way_is_taken_and_said(near) -> None:
    runs = isoflop_runs(2e-3)
    C = 6 * runs["N"] * runs["D"] * 1.5
    found = scaling.optimum({**runs, "C": C}, flops=1.5e21)
    assert re.search(r"C.*1\.50.*6.*N.*P.*D", found.verdict)
    assert found.table["N"].to_numpy() == pytest.approx(near.table["N"].to_numpy(), rel=1e-3)


def test_wrong_calls() -> None:
    runs = isoflop_runs(2e-3)
    frame = pd.DataFrame(runs).assign(C=6 * runs["N"] * runs["D"])
    with pytest.raises(ValueError, match='"D": "billions"'):
        scaling.optimum(frame.assign(D=frame["D"] / 1e9).drop(columns="C"), flops=1e22)
    with pytest.raises(ValueError, match=r"'streams'.*streams"):
        scaling.optimum(frame.assign(streams=np.arange(len(frame)) % 2 + 1), flops=1e22)
    with pytest.raises(ValueError, match=r"P.*=.*1.*2"):
        scaling.optimum(frame.assign(P=np.arange(len(frame)) % 2 + 1), flops=1e22)
    for wrong in (-1, float("nan"), "much"):
        with pytest.raises(ValueError, match=f"{wrong}"):
            scaling.optimum(frame, flops=wrong)
    with pytest.raises(ValueError, match="level=95"):
        scaling.optimum(frame, flops=1e22, level=95)
    with pytest.raises(ValueError, match="law="):
        scaling.optimum(frame, flops=1e22, law="parallel")


def test_tables_are_read_as_on_the_command_line(near) -> None:
    """Names, states and the units that other columns tell."""
    runs = isoflop_runs(2e-3)
    names = {"N": "num_params", "D": "tokens (B)", "loss": "eval/loss", "C": "flops"}
    C = 6 * runs["N"] * runs["D"] / 8.64e19
    frame = pd.DataFrame(runs).assign(C=C, D=runs["D"] / 1e9).rename(columns=names)
    broken = frame.iloc[:1].assign(**{"eval/loss": 99.0, "state": "crashed"})
    found = scaling.optimum(pd.concat([frame.assign(state="finished"), broken]), flops=1e21)
    assert found.table["N"].to_numpy() == pytest.approx(near.table["N"].to_numpy())
    assert found.runs.loss.size == near.runs.loss.size
    assert "PF-days" in found.runs.taken
