"""Laws over what a model is made of: their contract on their own axes, and the published tables."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.laws import OTHER_AXES, Category, by_name
from scaling.laws import model_axes as laws
from scaling.laws.data_axes import DataConstrainedLaw, FineTuningLaw, RepeatedDataLaw
from scaling.laws.rivals import BrokenLaw

TABLES = Path(__file__).parents[3] / "results/published/tables"
TRUTHS = {
    "experts": laws.ExpertsLaw(E=1.41, A=4.3e8, alpha=0.173, gamma=0.391),
    "routed": laws.RoutedLaw(a=-0.083, b=-0.117, c=0.0093, d=1.13, start=2.3, room=130.0),
    "routed-floor": laws.RoutedFloorLaw(E=1.31, a=-0.171, b=-0.103, c=0.0031, d=1.53, start=2.6, room=117.0),
    "sparsity": laws.SparsityLaw(E=1.43, A=0.71, alpha=0.331, gamma=0.147, c=-0.013),
    "bits": laws.BitsLaw(E=1.67, A=410.0, alpha=0.343, gamma=2.7, B=570.0, beta=0.291),
    "shape": laws.ShapeLaw(E=1.13, A=29.0, a=0.71, B=0.93, b=0.53, F=510.0, g=0.31),
    "vocabulary": laws.VocabularyLaw(E=1.23, A=410.0, alpha=0.34, B=520.0, beta=0.29, V=31.0, v=0.47),
    "recurrence": laws.RecurrenceLaw(E=1.57, A=61.0, alpha=0.253, phi=0.459, B=151.0, beta=0.267),
    "repeated-data": RepeatedDataLaw(E=1.71, A=520.0, alpha=0.353, B=1480.0, beta=0.341, R=15.4),
    "data-constrained": DataConstrainedLaw(E=1.87, A=521.0, B=1488.0, alpha=0.353, R_N=5.3, R_D=15.4),
    "fine-tuning": FineTuningLaw(E=0.31, B=187.0, D_l=43.0, beta=0.317),
    "broken": BrokenLaw(E=1.31, A=41.0, alpha=0.173, N_break=2.3e8, change=0.19, width=0.37),
}
GRIDS = {
    "N": np.geomspace(1.7e7, 2.3e9, 5), "D": np.geomspace(1.3e9, 1.1e11, 4), "experts": np.array([1, 2, 8, 32, 128.0, 512]),
    "expansion": np.array([1.0, 2, 4, 8, 16]), "bits": np.array([2.0, 3, 4, 8, 16]), "width": np.array([256.0, 512, 1024, 2048]),
    "depth": np.array([4.0, 9, 19, 37]), "vocabulary": np.array([4e3, 1.6e4, 6.4e4]), "r": np.array([1.0, 2, 4, 8]),
    "N_once": np.array([3e6, 1e7]), "N_recurrent": np.array([7e6, 2e7, 9e7]), "unique": np.array([3e8, 3e9, 3e10]),
}  # fmt: skip


def grid(law) -> dict:
    """A full grid of a law's axes, or many values of a single axis."""
    if len(law.axes) == 1:
        ends = {"N": (1e6, 1e11), "D": (1.0, 2e6)}[law.axes[0]]
        return {law.axes[0]: np.geomspace(*ends, 30)}
    columns = zip(*itertools.product(*(GRIDS[a] for a in law.axes)), strict=True)
    return dict(zip(law.axes, map(np.array, columns), strict=True))


def test_every_law_has_truths_a_source_and_limits_in_words():
    assert set(TRUTHS) | {"precision"} == set(OTHER_AXES)
    for law in OTHER_AXES.values():
        assert law.source
        assert "L = " in law.__doc__ or "log10 L = " in law.__doc__


@pytest.mark.parametrize("name", TRUTHS)
def test_the_gradient_is_the_central_difference(name):
    law = TRUTHS[name]
    axes = grid(law)
    found = law.gradient(**axes)
    for i, field in enumerate(law.names()):
        step = 1e-5 * abs(getattr(law, field))
        up, down = (replace(law, **{field: getattr(law, field) + s}) for s in (step, -step))
        numeric = (up.predict(**axes) - down.predict(**axes)) / (2 * step)
        np.testing.assert_allclose(found[:, i], numeric, rtol=2e-4, atol=1e-6 * np.abs(numeric).max())


@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_recovered_without_noise(name):
    law = TRUTHS[name]
    axes = grid(law)
    one = scaling.fit(by_name(name), {**axes, "loss": law.predict(**axes)}, scaling.LeastSquares())
    assert one.status == scaling.Status.CONVERGED
    np.testing.assert_allclose(one.law.predict(**axes), law.predict(**axes), rtol=1e-6)
    np.testing.assert_allclose(one.law.vector, law.vector, rtol=2e-3)


def rows(name: str, **columns: str) -> pd.DataFrame:
    """A published table with our names."""
    return pd.read_csv(TABLES / name).rename(columns={theirs: ours for ours, theirs in columns.items()})


@pytest.fixture(scope="module")
def routed():
    """Clark et al.: one expert a token, every other layer routed, and the dense runs too."""
    table = rows("routing.csv", N="dense_parameter_count", experts="num_experts", loss="loss_validation")
    table = table[(table.k == 1) & (table.routing_frequency == 0.5) & (table.flop_increase == 1)]
    return table[(table.seed == 42) | (table.router_type == "Dense")]


def test_experts_of_clark_et_al(routed):
    """c of S-Base falls from the published 0.009 to 0.001 once there is an irreducible loss."""
    fits = {}
    for name, rmse in (("routed", 0.0179), ("routed-floor", 0.0086), ("experts", 0.0140)):
        fits[name] = one = scaling.fit(name, routed, scaling.LeastSquares())
        assert one.status == scaling.Status.CONVERGED
        assert one.rmse == pytest.approx(rmse, rel=5e-3)
    assert fits["routed"].law.c == pytest.approx(0.01021, abs=2e-5)
    assert abs(fits["routed-floor"].law.c) < 0.003


@pytest.fixture(scope="module")
def quest():
    return rows("precision.csv", N="non_embedding_parameters", D="tokens", precision="level")


def test_precision_of_quest_reaches_the_published_cost(quest):
    """Published: cost 7.38431448e-10, alpha 0.062727, beta 0.241288, eff(4) 0.6918 (arXiv 2502.05003's notebook)."""
    one = scaling.fit("precision", quest, scaling.LeastSquares(log=True))
    cost = 0.5e-6 * float((np.log(one.loss / one.predicted) ** 2).sum())
    assert cost < 7.3844e-10
    assert one.law.E == 0.0  # at its bound: published .0014
    assert one.certificate.at_bound == ("E",)
    assert "eff[16]" not in one.form.free()
    found = [one.law.alpha, one.law.beta, one.params["eff[4]"], one.params["eff[2]"]]
    np.testing.assert_allclose(found, [0.0627, 0.2413, 0.6918, 0.1519], rtol=5e-3)


def test_a_precision_of_known_worth_is_found():
    """Off-centre truths, E held by name: the reference is the highest precision, not the one with most rows."""
    N, D = (v.ravel() for v in np.meshgrid(GRIDS["N"], GRIDS["D"]))
    eff = {"bf16": 1.0, "fp8": 0.83, "4": 0.57, "4sparse": 0.41}
    parts = [pd.DataFrame({"N": N, "D": D, "precision": p, "loss": 1.31 + 57 * (N * e) ** -0.231 + 710 * D**-0.327})
             for p, e in eff.items()]  # fmt: skip
    runs = pd.concat([*parts, parts[2]], ignore_index=True)
    one = scaling.fit("precision:E=1.31", runs, "least-squares")
    assert one.status == scaling.Status.CONVERGED
    assert {p: round(float(one.params[f"eff[{p}]"]), 6) for p in eff} == eff


@pytest.mark.parametrize(("levels", "reference"), [
    (["4", "8", "8", "16NOH", "16"], "16"), (["fp8", "bf16", "fp8"], "bf16"), (["low", "high", "low"], "low"),
])  # fmt: skip
def test_the_reference_of_a_precision_is_the_highest(levels, reference):
    assert Category("eff", highest=True).reference_of(sorted({*levels}), levels) == reference


def test_sparsity_of_liew_et_al_is_the_published_fit():
    """Published: gamma 0.03279, alpha 0.29712, c -0.00910, Huber sum 3.16380e-4, N in 1e9 (arXiv 2502.03009's notebook)."""
    table = rows("sparsity.csv", expansion="P").assign(N=lambda t: t.N_active * 1e9)
    one = scaling.fit("sparsity", table[np.isclose(table.D1, table.D2)])
    assert one.loss.size == 34
    assert one.objective_value == pytest.approx(3.163798e-4, rel=1e-6)
    found = [one.law.gamma, one.law.alpha, one.law.c, np.log(one.law.E)]
    np.testing.assert_allclose(found, [0.03279177, 0.29711684, -0.00910326, 0.86190213], rtol=1e-3)


def test_width_and_depth_of_gemstones():
    """770 runs of McLeish et al.: width and depth say more than N."""
    runs = pd.read_csv(TABLES.parent / "runs/gemstones_hot_100bplus.csv")
    shape = scaling.fit("shape", runs, scaling.LeastSquares())
    chinchilla = scaling.fit("chinchilla", runs, scaling.LeastSquares())
    assert shape.rmse == pytest.approx(0.0245, rel=5e-3)
    assert shape.aicc < chinchilla.aicc - 100


def test_two_levels_of_recurrence_and_one():
    axes = grid(TRUTHS["recurrence"])
    keep = axes["r"] == 1
    once = {a: v[keep] for a, v in axes.items()}
    loss = TRUTHS["recurrence"].predict(**once) * np.exp(
        1e-3 * np.random.default_rng(1).standard_normal(keep.sum())
    )
    one = scaling.fit("recurrence", {**once, "loss": loss})
    assert one.status == scaling.Status.FLAT
    assert "phi" in one.undetermined
