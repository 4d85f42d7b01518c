"""Columns of categories: what a table makes of them, and what in it does not fit."""

import numpy as np
import pytest

import scaling
from scaling import Arms, DenseLaw
from scaling.laws.axis import Levels
from tests.scaling.category_runs import PrecisionLaw, TwoCategoriesLaw, precisions, two_categories


def test_a_category_has_a_coefficient_a_level_with_one_level_as_reference(tmp_path):
    fit = scaling.fit(PrecisionLaw, precisions())
    assert fit.params["eff[bf16]"] == 1.0
    assert fit.params["eff[int4]"] == pytest.approx(0.53, rel=1e-5)
    assert "eff[bf16]" not in fit.intervals(method="covariance").index
    fit.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").law == fit.law


def test_two_categories_are_fitted_at_once():
    fit = scaling.fit(TwoCategoriesLaw, two_categories(), groups=False)
    assert fit.params["eff[int4]"] == pytest.approx(0.53, rel=1e-5)
    assert fit.params["gain[tuned]"] == pytest.approx(0.83, rel=1e-5)
    assert fit.params["gain[plain]"] == 1.0


def test_a_level_with_one_row_is_named():
    runs = precisions().iloc[:13]
    assert any("int4" in note for note in scaling.fit(PrecisionLaw, runs).certificate.notes)


@pytest.mark.parametrize(
    ("law", "runs", "words"),
    [
        (PrecisionLaw, precisions().drop(columns="precision"), "'precision'"),
        (PrecisionLaw, precisions().assign(precision=None), "row 1.*precision"),
        (PrecisionLaw, precisions().iloc[6:], "'bf16'"),
        (Arms("dense", "precision", own=("Z",)), precisions(), "'Z'"),
        (Arms("dense", "precision", own=("E",), shared=("A",)), precisions(), r"\bown\b.*\bshared\b"),
        (Arms("dense", "N"), precisions(), "DenseLaw"),
    ],
)
def test_what_does_not_fit_a_table_is_named(law, runs, words):
    with pytest.raises(ValueError, match=words):
        scaling.fit(law, runs)


def test_numeric_categories_are_their_own_numbers():
    rule = Levels(names=("4", "8", "16"))
    assert list(rule.codes) == [4, 8, 16]
    assert list(rule.read(np.array(["16", 4], dtype=object))) == [16, 4]
    assert rule.labels([8.0]) == ["8"]
    bits = precisions().assign(bits=lambda t: t.precision.map({"bf16": 16, "fp8": 8, "int4": 4}))
    fit = scaling.fit(Arms(DenseLaw, "bits", own=("A",)), bits)
    assert fit.law.predict(N=1e8, bits=4) > fit.law.predict(N=1e8, bits=16)
    assert list(fit.form.arms) == ["4", "8", "16"]


def test_a_number_that_names_a_category_means_no_other():
    rule = Levels(names=("16", "4", "bf16", "int4"))
    assert list(rule.codes) == [16, 4, 17, 18]
    assert rule.labels(rule.read([4, 16])) == rule.labels(rule.read(["4", "16"])) == ["4", "16"]
    with pytest.raises(ValueError, match="bf16"):
        scaling.laws.axis.clean_axes(("precision",), {"precision": 1}, {"precision": rule})
    names = {"bf16": "bf16", "fp8": "8", "int4": "4"}
    mixed = precisions().assign(precision=lambda t: t.precision.map(names))
    fit = scaling.fit(Arms(DenseLaw, "precision", own=("A",)), mixed)
    for name in ("4", "8"):
        assert fit.law.predict(N=1e8, precision=int(name)) == fit.law.predict(N=1e8, precision=name)
