"""What is worked out from the published numbers."""

import numpy as np
import pytest

import scaling
from analysis.paper import refit
from analysis.paper.published_numbers import PILE, STACK, read_published
from tests.analysis.conftest import PUBLISHED


@pytest.fixture(scope="module")
def given():
    return read_published(PUBLISHED)


@pytest.fixture(scope="module")
def inputs(given):
    fits = {
        (corpus, law): scaling.fit(law, given.corpus(corpus))
        for corpus in (STACK, PILE)
        for law in ("parallel", "dense")
    }
    return refit.Inputs(given, fits)


def test_every_law_is_fitted_to_every_corpus(monkeypatch, losses):
    asked = []
    monkeypatch.setattr(scaling, "fit", lambda law, runs: asked.append((law, set(runs["corpus"]))))
    found = refit.fit_all(losses)
    assert list(found) == [(corpus, law) for corpus in (STACK, PILE) for law in refit.LAWS]
    assert asked == [(scaling.by_name(law), {corpus}) for corpus in (STACK, PILE) for law in refit.LAWS]
    names = {law: one for law, one in scaling.REGISTRY.items() if "D" not in one.axes}
    assert set(refit.LAWS) == set(names)


def test_the_inputs_give_the_paper_s_law_by_corpus(inputs, given):
    assert list(inputs.parallel) == list(inputs.runs) == [STACK, PILE]
    assert inputs.laws[PILE] == inputs.fits[PILE, "parallel"].law
    assert inputs.runs[PILE].equals(given.corpus(PILE))


def test_equivalents_of_every_published_point_stand_beside_those_of_the_points(inputs):
    table = refit.equivalents_table(inputs)
    assert len(table) == 2 * 6 * 3
    k = inputs.laws[STACK].k
    rows = table[table["corpus"] == STACK]
    np.testing.assert_allclose(rows["multiple"], 1 + k * np.log(rows["P"]))
    assert ((rows["lower"] < rows["equivalent_N"]) & (rows["equivalent_N"] < rows["upper"])).all()
    assert 0 < rows["by_points"].notna().sum() < len(rows)  # none where no run of P = 1 is as good


def test_costs_are_those_of_four_machines(given):
    table = refit.cost_rows(given)
    assert table["hardware"].nunique() == 4
    assert table.groupby("hardware").size().nunique() == 1
    latency = table.groupby("hardware", sort=False)["latency_s"].sum()
    assert latency.iloc[0] > latency.iloc[1] > latency.iloc[2]  # A100, H100, H200
    assert latency.iloc[3] > latency.iloc[0]  # a laptop


def test_training_costs_rise_with_streams(given):
    table = refit.training_rows(given)
    assert table["P"].tolist() == [1, 1, 2, 2, 4, 4, 8, 8]
    assert table.groupby("checkpointing")["flops"].is_monotonic_increasing.all()


def test_laws_are_compared_on_each_corpus_apart(inputs, monkeypatch):
    monkeypatch.setattr(refit, "LAWS", ("parallel", "dense"))
    table = refit.comparison_table(inputs)
    assert table["corpus"].tolist() == [STACK] * 2 + [PILE] * 2
    assert next(iter(table)) == "corpus"
    assert (table.groupby("corpus")["delta_aicc"].min() == 0).all()
