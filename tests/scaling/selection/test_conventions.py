"""One law under several ways to count N: each count, what cannot be counted, and the truth under its own count."""

import json

import numpy as np
import pandas as pd
import pytest

import scaling
from parscale.cli.fit import fit_command
from scaling.accounting import Shape
from scaling.selection.conventions import AS_GIVEN, BOTH, NO_STREAMS, ONE_MATRIX
from tests.scaling.command_line import run


def shapes(streams=(1, 2, 4)):
    """Runs of five shapes, whose loss follows N with one vocabulary matrix counted."""
    rows = []
    for width, layers in ((64, 2), (96, 3), (160, 4), (256, 6), (384, 8)):
        for P in streams:
            shape = Shape(width, 3 * width, layers, width // 16, width // 32, 2048, P, 16)
            prefix = 16 if P > 1 else 0
            rows.append({"N": shape.N, "P": P, "width": width, "layers": layers, "heads": width // 16, "vocab": 2048,
                         "kv_heads": width // 32, "prefix_tokens": prefix, "own": shape.parscale_parameters})  # fmt: skip
    table = pd.DataFrame(rows)
    truth = scaling.ParallelLaw(E=1.7, A=6e5, alpha=0.31, k=0.2)
    loss = truth.predict(N=table.N + table.vocab * table.width, P=table.P)
    return table.assign(loss=loss * np.exp(1e-3 * np.random.default_rng(4).standard_normal(len(table))))


@pytest.fixture(scope="module")
def table():
    return shapes()


@pytest.fixture(scope="module")
def made(table):
    return scaling.conventions("parallel", table, method=scaling.Covariance())


def test_each_count_is_what_the_shapes_say(table, made):
    matrix = table.vocab * table.width
    expected = {
        AS_GIVEN: table.N,
        NO_STREAMS: table.N - table.own,
        ONE_MATRIX: table.N + matrix,
        BOTH: table.N + 2 * matrix,
    }
    assert list(made.fits) == list(expected)
    for name, N in expected.items():
        np.testing.assert_allclose(made.fits[name].axes["N"], N)


def test_the_exponent_moves_with_the_count_and_is_right_under_its_own(made):
    alpha = made.table.xs("alpha", level="parameter")
    assert alpha.lower[ONE_MATRIX] < 0.31 < alpha.upper[ONE_MATRIX]
    assert alpha.upper[AS_GIVEN] < 0.31 < alpha.lower[BOTH]
    assert all(name in repr(made) for name in made.fits)


@pytest.mark.parametrize(("change", "gone"), [
    ({"vocab": None, "tied": False}, {ONE_MATRIX, BOTH}), ({"kv_heads": None}, {NO_STREAMS}), ({"tied": True}, {BOTH}),
])  # fmt: skip
def test_what_cannot_be_counted_is_named(table, change, gone):
    drop = [name for name, value in change.items() if value is None]
    some = table.drop(columns=drop).assign(**{n: v for n, v in change.items() if v is not None})
    found = scaling.conventions("parallel", some, method=scaling.Covariance())
    assert {AS_GIVEN, NO_STREAMS, ONE_MATRIX, BOTH} - set(found.fits) == gone
    assert all(name in found.verdict for name in gone)


def test_the_exponent_of_the_optimum_is_told_of_a_law_of_N_and_D(table):
    one = table[table.P == 1]
    runs = pd.concat([one.assign(D=D, loss=one.loss + 300 / D**0.3) for D in (1e8, 1e9, 1e10)])
    found = scaling.conventions("chinchilla", runs, "least-squares", method=scaling.Covariance())
    law = found.fits[ONE_MATRIX].law
    assert found.table.loc[(ONE_MATRIX, "a"), "estimate"] == pytest.approx(law.beta / (law.alpha + law.beta))
    with pytest.raises(ValueError, match=r"\bN\b"):
        scaling.conventions("fine-tuning", runs)


def test_the_flag_prints_them_and_saves_nothing(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.to_csv("runs.csv", index=False)
    asked = {"law": "dense", "where": "P=1", "objective": "least-squares", "conventions": True, "json": True}
    body = json.loads(run(fit_command, runs="runs.csv", **asked))
    assert {row["N counted"] for row in body["all"]["parameters"]} == {AS_GIVEN, ONE_MATRIX, BOTH}
    assert {path.name for path in tmp_path.iterdir()} == {"runs.csv"}
