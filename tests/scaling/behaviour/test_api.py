"""The calls that a user of statsmodels, lmfit or scikit-learn types first, on their values and types."""

import pickle
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import Bootstrap, Covariance, DenseLaw, ParallelLaw, Profile
from scaling.optimise.multi_start import FitError
from scaling.selection.paired_gains import gains as paired
from tests.scaling.nine_runs import TRUTH

ROOT = Path(__file__).parents[3]
OLD = ROOT / "tests" / "fixtures" / "version_0_1"


@pytest.fixture(scope="module")
def one(pile):
    return scaling.fit("parallel", pile, objective="huber")


def in_one_line(error: pytest.ExceptionInfo) -> str:
    """The message, checked to be one line of at most two sentences."""
    words = str(error.value)
    assert len(words.splitlines()) == 1
    assert len(words) < 300
    return words


# ---- names beside objects ------------------------------------------------------------------------
def test_a_name_is_the_object_it_names(pile, one):
    assert one.law == scaling.fit(ParallelLaw, pile, scaling.LogHuber(1e-3)).law
    squares = scaling.fit(ParallelLaw, pile, scaling.LeastSquares())
    assert scaling.fit("parallel", pile, "least-squares").law == squares.law
    for name, method in {"profile": Profile(), "covariance": Covariance(), "bootstrap": Bootstrap()}.items():
        assert one.intervals(method=name).equals(one.intervals(method=method))
    assert list(scaling.compare(["parallel", "dense"], pile).table.index) == ["ParallelLaw", "DenseLaw"]
    assert len(scaling.backtest("parallel", pile).table) > 1


def test_the_bootstrap_is_of_the_kind_that_covers_best():
    assert Bootstrap() == Bootstrap(kind="normal")


def test_many_rows_have_the_profile_of_their_cells_which_is_then_the_covariance(pile, monkeypatch):
    rng, rows = np.random.default_rng(5), pd.concat([pile[["N", "P", "loss"]]] * 1_000, ignore_index=True)
    law = scaling.fit("parallel", pile).law
    loss = law.predict(N=rows.N, P=rows.P) * np.exp(0.003 * rng.standard_normal(len(rows)))
    fit = scaling.fit("parallel", rows.assign(loss=loss), "least-squares")
    ends, plain = fit.intervals(), fit.intervals(method="covariance")
    assert isinstance(sys.modules["scaling.uncertainty.prediction"].default_method(fit), Profile)
    assert "24,000 rows in cells" in ends.attrs["method"]
    width = plain.upper - plain.lower
    for end in ("lower", "upper"):
        assert ((ends[end] - plain[end]).abs() < 0.05 * width).all()
    points = {"N": np.geomspace(1e9, 1e10, 5), "P": 2}
    whole = fit.predict(points)
    monkeypatch.setattr(sys.modules["scaling.uncertainty.profile"], "TOGETHER", 2)
    ends = ["lower", "upper"]
    np.testing.assert_allclose(fit.predict(points)[ends], whole[ends], rtol=1e-6)


# ---- parameters ----------------------------------------------------------------------------------
def test_parameters_and_their_errors(one):
    assert dict(one.params) == {n: getattr(one.law, n) for n in ("E", "A", "alpha", "k")}
    covariance = one.covariance()
    assert list(covariance.index) == list(covariance.columns) == ["E", "A", "alpha", "k"]
    np.testing.assert_allclose(one.std_errors, np.sqrt(np.diag(covariance)))
    np.testing.assert_allclose(covariance, covariance.T)
    half = one.intervals(method="covariance").loc["k"]
    assert (half.upper - half.lower) / 2 == pytest.approx(one.std_errors["k"] * 2.0859634, rel=1e-6)  # t(20)
    assert one.correlations().loc["k", "k"] == pytest.approx(1)


def test_information_criteria(pile):
    fit = scaling.fit("parallel", pile, "least-squares")
    n, q, rss = 24, 5, float((fit.residuals**2).sum())
    assert fit.n == 24
    assert fit.bic == pytest.approx(n * np.log(rss / n) + q * np.log(n), rel=1e-12)
    assert fit.aicc == pytest.approx(n * np.log(rss / n) + 2 * q + 2 * q * (q + 1) / (n - q - 1), rel=1e-12)
    assert np.isnan(scaling.fit("parallel", pile[:5]).aicc)


def test_residuals_stand_on_the_index_of_the_table(pile):
    table = pile.set_index(pile["size"] + "-" + pile["P"].astype(str)).assign(status="ok")
    table.iloc[3, table.columns.get_loc("status")] = "diverged"
    weights = np.ones(24)
    weights[5] = 0
    fit = scaling.fit("parallel", table, weights=weights)
    assert isinstance(fit.residuals, pd.Series)
    assert list(fit.residuals.index) == list(np.delete(table.index, [3, 5]))
    expected = table["loss"] - fit.law.predict(N=table["N"], P=table["P"])
    np.testing.assert_allclose(fit.residuals, expected[fit.residuals.index], rtol=1e-9)


# ---- predictions ---------------------------------------------------------------------------------
def test_predictions_of_a_table(pile, one):
    table = pile.sample(frac=1, random_state=3)
    found = one.predict(table)
    assert list(found.index) == list(table.index)
    np.testing.assert_allclose(table["loss"] - found["loss"], one.residuals[table.index], atol=1e-12)
    again = one.predict(N=table["N"], P=table["P"])
    assert found.reset_index(drop=True).equals(again)
    narrow = one.predict({"N": [1e9], "P": [4]}, level=0.5, method="covariance").iloc[0]
    wide = one.predict([{"N": 1e9, "P": 4}], level=0.95, method="covariance").iloc[0]
    assert wide.lower < narrow.lower < narrow.loss < narrow.upper < wide.upper
    assert one.predict({"N": [1e9, 2e9], "P": 4}).equals(one.predict(N=[1e9, 2e9], P=4))
    assert len(one.predict({"N": 1e9, "P": 4})) == 1
    assert list(one.predict(pile.head(3)[["N"]], P=8)["P"]) == [8, 8, 8]


def test_a_law_predicts_by_position(one):
    assert one.law.predict(2.8e9, 4) == one.law.predict(N=2.8e9, P=4)
    assert one.law.predict(2.8e9, P=4) == one.law.predict(N=2.8e9, P=4)
    assert one.law.predict(pd.DataFrame({"P": [4.0], "N": [2.8e9]}, index=["a"]))["a"] == one.law.predict(
        2.8e9, 4
    )
    for call, words in (
        (lambda law: law.predict(1e9, 2, 3), "3 values by position: ParallelLaw takes N, P"),
        (lambda law: law.predict(1e9, N=2), "N is given by position and by name"),
        (lambda law: law.predict({"N": 1e9}), "missing P"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            call(one.law)
        in_one_line(error)


def test_equivalent_sizes_have_intervals(one):
    row = one.equivalent_N(N=2.8e9, P=4).iloc[0]
    assert row.equivalent_N == pytest.approx(2.8e9 * (one.law.k * np.log(4) + 1))
    k = one.intervals().loc["k"]
    assert row.lower == pytest.approx(2.8e9 * (k.lower * np.log(4) + 1), rel=1e-4)
    assert row.upper == pytest.approx(2.8e9 * (k.upper * np.log(4) + 1), rel=1e-4)
    several = one.equivalent_N([1e9, 2e9], 8, at_P=2, level=0.5, method="covariance")
    assert list(several["multiple"]) == pytest.approx(
        [(one.law.k * np.log(8) + 1) / (one.law.k * np.log(2) + 1)] * 2
    )
    wide = one.equivalent_N([1e9, 2e9], 8, at_P=2, level=0.95, method="covariance")
    assert (wide["lower"] < several["lower"]).all()
    assert (wide["upper"] > several["upper"]).all()
    same = one.equivalent_N(1e9, 4, at_P=4).iloc[0]
    assert (same.lower, same.equivalent_N, same.upper) == pytest.approx((1e9, 1e9, 1e9))


def test_equivalent_sizes_of_a_law_with_data():
    rng = np.random.default_rng(5)
    grid = np.array(np.meshgrid([1e8, 3e8, 1e9, 3e9], [1, 2, 4, 8], [2e9, 8e9, 3e10])).reshape(3, -1)
    law = scaling.ParallelDataLaw(E=1.43, A=2.9e7, B=411.0, alpha=0.317, k=0.287, beta=0.277)
    table = dict(zip("NPD", grid, strict=True))
    table["loss"] = law.predict(**table) * np.exp(1e-3 * rng.standard_normal(grid.shape[1]))
    fit = scaling.fit("parallel-data", table, "log-least-squares")
    row = fit.equivalent_N(N=1e9, P=4, D=2e10).iloc[0]
    k = fit.intervals().loc["k"]
    assert row.lower == pytest.approx(1e9 * (k.lower * np.log(4) + 1), rel=1e-3)
    assert row.D == 2e10


# ---- for people ----------------------------------------------------------------------------------
def test_summary_and_latex(one):
    found = one.summary()
    assert list(found.table.columns) == ["estimate", "std_error", "lower", "upper", "fixed"]
    assert found.table["estimate"].to_dict() == dict(one.params)
    assert repr(found) == repr(one)
    assert found._repr_html_() == one._repr_html_()
    assert "converged" in found.verdict
    assert "90% profile" in repr(one.summary(level=0.9))
    text = one.to_latex()
    assert text.count(r"\\") == 5
    ends = one.intervals().loc["alpha"]
    assert rf"$\alpha$ & $0.1963$ & $[{ends.lower:.4f},\ {ends.upper:.4f}]$ \\" in text
    assert r"1.975 \times 10^{8}" in text


def test_plots_are_figures(pile, one, kyo):
    from matplotlib.figure import Figure

    figure = one.plot()
    assert isinstance(figure, Figure)
    top, below = figure.axes
    drawn = np.concatenate([line.get_ydata() for line in top.lines[::2]])
    assert sorted(drawn) == sorted(one.loss)
    assert sorted(np.concatenate([line.get_ydata() for line in below.lines[:4]])) == sorted(one.residuals)
    line = top.lines[1]
    assert line.get_ydata() == pytest.approx(one.law.predict(line.get_xdata(), 1))
    assert [len(one.plot_residuals().axes), len(scaling.fit("chinchilla", kyo).plot().axes)] == [3, 2]
    assert isinstance(scaling.fit("dense", pile[pile["P"] == 1]).plot(), Figure)
    ranking, report = scaling.compare(["parallel", "dense"], pile), scaling.backtest("parallel", pile)
    bars = [bar.get_width() for bar in ranking.plot().axes[0].patches]
    assert bars == pytest.approx(list(ranking.table["delta_aicc"]))
    assert sorted(report.plot().axes[1].lines[0].get_ydata()) == sorted(
        report.points.loc[report.points["up_to"] == report.points["up_to"].min(), "error"]
    )
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_matplotlib_is_loaded_by_a_plot_alone():
    code = (
        "import sys, scaling; fit = scaling.fit('parallel', scaling.published('losses'));"
        "print('matplotlib' in sys.modules, end=' '); fit.plot(); print('matplotlib' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "True"]


# ---- results: a table and a verdict --------------------------------------------------------------
def test_every_result_is_a_table_and_a_verdict(pile, one, kyo):
    chinchilla = scaling.fit("chinchilla", kyo)
    candidates = [{"N": 1e9, "P": 8, "D": 4e10}, {"N": 1e8, "P": 32, "D": 4e10}]
    for found, column in (
        (scaling.compare(["parallel", "dense"], pile), "aicc"),
        (scaling.backtest("parallel", pile), "rmse"),
        (scaling.adequacy(one), 1.0),
        (scaling.allocate(chinchilla, 1e21), "lower"),
        (scaling.suggest(one, candidates), "half_width"),
        (scaling.gains(pile), "change"),
    ):
        assert isinstance(found.table, pd.DataFrame)
        assert column in found.table
        assert found.verdict
        assert found.verdict.split("\n")[0][:20] in repr(found)
        assert "<table" in found._repr_html_()
        assert pickle.loads(pickle.dumps(found)).table.equals(found.table)  # noqa: S301


def test_an_allocation_is_a_table_of_its_fields(kyo):
    best = scaling.allocate(scaling.fit("chinchilla", kyo), 1e21)
    assert list(best.table["estimate"]) == [best.N, best.P, best.D, best.loss]
    assert best.table.loc["D", "upper"] == best.intervals.loc["D", "upper"]
    assert (
        scaling.allocate(scaling.ChinchillaLaw(1.69, 406.4, 410.7, 0.34, 0.28), 1e21)
        .table["lower"]
        .isna()
        .all()
    )


def test_gains_and_suggestions_stand_in_for_their_tables(losses, one):
    found = scaling.gains(losses)
    assert found["k"].equals(found.table["k"])
    assert len(found) == 36
    assert "36 of 36 comparisons" in found.verdict
    assert paired(losses).table.equals(found.table)
    assert len(scaling.gains(losses[losses["P"] > 1])) == 0
    assert "nothing to compare" in scaling.gains(losses[losses["P"] > 1]).verdict
    (stack, pile) = scaling.pooled_k(losses)
    assert stack.low < stack.k < stack.high
    assert pile.corpus == "pile"
    records = losses.assign(N=[f"{N:.0f}" for N in losses["N"]]).to_dict("records")
    assert scaling.gains(records).table["k"].to_numpy() == pytest.approx(found["k"].to_numpy())


# ---- fixed values and bounds ---------------------------------------------------------------------
@pytest.mark.parametrize("name", ["E", "A", "alpha", "k"])
def test_a_parameter_fixed_at_its_estimate_changes_nothing(pile, one, name):
    value = float(one.params[name])
    fit = scaling.fit("parallel", pile, fixed={name: value})
    assert fit.params[name] == value
    np.testing.assert_allclose(fit.params, one.params, rtol=1e-6)
    assert fit.degrees_of_freedom == one.degrees_of_freedom + 1
    assert fit.objective_value == pytest.approx(one.objective_value, rel=1e-9)
    assert list(fit.intervals().index) == [n for n in one.params.index if n != name]
    assert np.isnan(fit.std_errors[name])
    assert fit.summary().table["fixed"][name]
    line = next(row for row in repr(fit).splitlines() if row.startswith(f"{name} "))
    assert line.endswith("fixed")
    assert "fixed" in fit._repr_html_()
    assert f"{name}={value!r}" in fit.form.__name__


@pytest.mark.parametrize(
    ("law", "fixed"),
    [
        ("parallel", {"E": 1.2}),
        ("parallel", {"A": 1e8}),
        ("parallel", {"A": 1e8, "k": 0.3}),
        ("dense", {"E": 1.5, "A": 2e8}),
        ("diversity", {"A": 1e8}),
        ("diversity", {"rho": 0.9}),
        ("saturating", {"E": 1.2, "rho": 0.8}),
        ("additive", {"C": 0.1}),
        ("additive", {"A": 100.0, "beta": 0.5}),
    ],
)
@pytest.mark.parametrize("objective", ["huber", "least-squares"])
def test_a_constrained_fit_is_the_optimum_of_a_second_optimiser(pile, law, fixed, objective):
    from scipy.optimize import minimize

    fit = scaling.fit(law, pile, objective, fixed=fixed)
    free = list(fit.form.free())
    scale = np.array([float(fit.params[n]) for n in free])

    def objective_at(z):
        fields = dict(fixed) | dict(zip(free, z * scale, strict=True))
        predicted = type(fit.law)(**fields).predict(**fit.axes)
        with np.errstate(all="ignore"):
            residual = fit.problem.residual(predicted[None])
            value = float(fit.problem.objective.rho(residual).sum())
        return value / fit.objective_value if np.isfinite(value) else 1e9

    assert objective_at(np.ones(len(free))) == pytest.approx(1, rel=1e-9)
    bounds = [(1e-3, 1 / s if n == "rho" else None) for n, s in zip(free, scale, strict=True)]
    start = np.clip(np.full(len(free), 1.001), None, [high or np.inf for _, high in bounds])
    found = minimize(
        objective_at, start, method="Nelder-Mead", bounds=bounds, options={"maxiter": 4000, "fatol": 1e-12}
    )
    assert found.fun > 1 - 1e-6
    assert found.fun == pytest.approx(1, abs=1e-3)


def test_the_slope_of_a_constrained_problem_is_that_of_its_prediction(pile):
    for law, constraint in (
        ("parallel", {"bounds": {"A": (1e6, 1e10), "E": (0.5, 2)}}),
        ("diversity", {"bounds": {"rho": (0.2, 0.99)}}),
        ("saturating", {"fixed": {"E": 1.1}, "bounds": {"A": (1e6, 1e10)}}),
        ("additive", {"bounds": {"A": (1, 1e5), "C": (0.01, 1)}, "fixed": {"alpha": 0.25}}),
    ):
        fit = scaling.fit(law, pile, **constraint)
        theta = fit.theta[None] * (1 + 0.01 * np.arange(fit.theta.size))
        _, J = fit.problem.jacobian(theta)
        _, at_a_point = fit.problem.point(theta[0])
        np.testing.assert_allclose(J[0], at_a_point, rtol=1e-10, atol=1e-12)
        for i in np.flatnonzero(fit.problem.lower < fit.problem.upper):
            step = np.zeros(fit.theta.size)
            step[i] = 1e-6 * max(1.0, abs(theta[0, i]))
            up, down = (fit.problem.predict(theta + s * step)[0] for s in (1, -1))
            np.testing.assert_allclose(J[0, i], (up - down) / (2 * step[i]), rtol=2e-5, atol=1e-8)
        back = fit.problem.internal(fit.law)
        np.testing.assert_allclose(back, fit.theta, rtol=1e-9)


def test_bounds_hold_and_say_so(pile):
    one = scaling.fit("parallel", pile, groups=False)
    inside = scaling.fit("parallel", pile, groups=False, bounds={"k": (0, 1), "E": (1, 2), "A": (1e6, 1e10)})
    np.testing.assert_allclose(inside.params, one.params, rtol=1e-6)
    assert inside.status == "converged"
    np.testing.assert_allclose(inside.intervals(), one.intervals(), rtol=2e-3)
    low = scaling.fit("parallel", pile, bounds={"k": (0, 0.2)})
    assert low.law.k == 0.2
    assert low.status == "at bound"
    assert "k ended at the bound given" in low.certificate.detail
    assert "kept within" in repr(low)
    ends = low.intervals().loc["k"]
    assert 0 <= ends.lower < ends.upper == pytest.approx(0.2)
    high = scaling.fit("parallel", pile, bounds={"A": (None, 1e8)})
    assert high.law.A == 1e8
    assert high.certificate.at_bound == ("A",)
    assert scaling.fit("parallel", pile, bounds={"E": (1.5, None)}).law.E == 1.5
    assert scaling.fit("parallel", pile, bounds={"k": (1e-3, 1e-2)}).law.k == pytest.approx(1e-2)


def test_intervals_of_a_constrained_fit_cover(table):
    rng = np.random.default_rng(17)
    held, trials = 0, 60
    for _ in range(trials):
        noisy = table.assign(loss=table["loss"] * np.exp(2e-3 * rng.standard_normal(len(table))))
        fit = scaling.fit("parallel", noisy, "log-least-squares", fixed={"E": TRUTH.E})
        row = fit.intervals().loc["k"]
        held += row.lower <= TRUTH.k <= row.upper
    assert held >= 51  # 95% of 60 is 57, standard deviation 1.7


@pytest.mark.parametrize("method", ["profile", "bootstrap", "covariance"])
def test_every_method_gives_intervals_of_a_constrained_fit(pile, method):
    fit = scaling.fit("parallel", pile, fixed={"A": 1e8}, bounds={"k": (0, 1)})
    found = fit.intervals(method=method)
    assert list(found.index) == ["E", "alpha", "k"]
    assert (found.lower < found.estimate).all()
    assert (found.estimate < found.upper).all()
    points = fit.predict(pile, method=method)
    assert (points["lower"] < points["loss"]).all()


def test_a_constrained_fit_pickles_saves_loads_and_compares(pile, tmp_path):
    fit = scaling.fit("parallel", pile, fixed={"E": 1.2}, bounds={"k": (0, 1), "A": (1e5, None)})
    fit.save(tmp_path / "fit.json")
    for again in (pickle.loads(pickle.dumps(fit)), scaling.load(tmp_path / "fit.json")):  # noqa: S301
        assert isinstance(again, scaling.Fit)
        assert again.form == fit.form
        assert hash(again.form) == hash(fit.form)
        assert again.law == fit.law
        assert (again.theta == fit.theta).all()
        assert again.intervals().equals(fit.intervals())
        assert again.residuals.equals(fit.residuals)
        assert repr(again) == repr(fit)
    ranking = scaling.compare([fit.form, "parallel", "dense:E=1.6", "additive-half"], pile)
    assert set(ranking.table.index) == {
        fit.form.__name__, "ParallelLaw", "DenseLaw(E=1.6)", "AdditiveLaw(beta=0.5)",
    }  # fmt: skip
    assert ranking.table.loc["DenseLaw(E=1.6)", "parameters"] == 2
    assert scaling.fit(fit, pile).law == scaling.fit(fit.form, pile).law  # a fit stands for what was fitted
    assert len(scaling.backtest("parallel:E=1.2", pile).table) > 1
    assert not [law for law in all_laws(scaling.Law) if "(" in law.__name__]  # no class is made at run time


def all_laws(base):
    return [law for child in base.__subclasses__() for law in (child, *all_laws(child))]


def test_fits_saved_by_version_0_1_load():
    fit = scaling.load(OLD / "fit_beta_fixed.json")
    assert fit.form == scaling.AdditiveLaw.with_fixed(beta=0.5)
    assert fit.form.free() == ("E", "A", "alpha", "C")
    assert list(fit.intervals().index) == ["E", "A", "alpha", "C"]
    assert scaling.load(OLD / "fit.json").form is type(scaling.load(OLD / "fit.json").law)


def test_constraints_add_up():
    law = DenseLaw.with_fixed(E=1.6).with_bounds(alpha=(0.1, 0.5))
    assert law == scaling.by_name("dense:E=1.6").with_bounds(alpha=(0.1, 0.5))
    assert law.free() == ("A", "alpha")
    assert law.with_fixed(alpha=0.3).bounds == {}
    assert law(A=1e8, alpha=0.2) == DenseLaw(E=1.6, A=1e8, alpha=0.2)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"fixed": {"q": 1}}, "fixed: ParallelLaw has no parameter 'q'; it has E, A, alpha, k"),
        ({"fixed": {"E": -1}}, "fixed: E=-1 is outside"),
        ({"fixed": {"E": "low"}}, "fixed: E='low' is not a number"),
        ({"fixed": {"E": np.nan}}, "fixed: E=nan is outside"),
        ({"fixed": ["E"]}, "fixed=.* give a value a name"),
        ({"fixed": {"E": 1, "A": 1e8, "alpha": 0.2, "k": 0.3}}, "every parameter of ParallelLaw is fixed"),
        ({"bounds": {"k": (1, 0)}}, "the lower end must be below the upper"),
        ({"bounds": {"k": 1}}, "bounds: k=1: give two numbers"),
        ({"bounds": {"k": (-1, 1)}}, "reaches outside ParallelLaw's range"),
        ({"bounds": {"E": (0, 1)}, "fixed": {"E": 0.5}}, "E is fixed and bounded"),
    ],
)
def test_constraints_that_cannot_be(pile, keywords, words):
    with pytest.raises(ValueError, match=words) as error:
        scaling.fit("parallel", pile, **keywords)
    in_one_line(error)


def test_too_few_rows_counts_free_parameters(pile):
    three = pile.iloc[[0, 7, 20]]
    with pytest.raises(FitError, match="3 usable rows for the 4 parameters"):
        scaling.fit("parallel", three)
    assert scaling.fit("parallel", three, fixed={"E": 1.2, "k": 0.3}).degrees_of_freedom == 1


# ---- tables of other kinds -----------------------------------------------------------------------
class Eager:
    """What a polars frame looks like from outside."""

    def __init__(self, frame):
        self.frame, self.columns = frame, list(frame)

    def to_pandas(self):
        return self.frame


class Lazy:
    """What a lazy polars frame looks like from outside."""

    def __init__(self, frame):
        self.frame = frame

    def collect_schema(self):
        return list(self.frame)

    def collect(self):
        return Eager(self.frame)


def tables(frame):
    """The same runs in every kind of table that is read."""
    import datasets
    import pyarrow as pa
    import pyarrow.dataset

    plain = frame[["N", "P", "loss"]].reset_index(drop=True)
    kinds = {
        "mapping": {name: plain[name].to_numpy() for name in plain},
        "lists": plain.to_dict("list"),
        "series": {"N": plain["N"], "P": plain["P"].set_axis(range(24, 0, -1)), "loss": plain["loss"]},
        "records": plain.to_dict("records"),
        "structured": plain.to_records(index=False),
        "words": plain.assign(N=[f"{N / 1e9!r}B" for N in plain["N"]]),
        "pyarrow": pa.Table.from_pandas(plain),
        "pyarrow dataset": pyarrow.dataset.dataset(pa.Table.from_pandas(plain)),
        "batch": pa.RecordBatch.from_pandas(plain),
        "datasets": datasets.Dataset.from_pandas(plain),
        "datasets, streamed": datasets.Dataset.from_pandas(plain).to_iterable_dataset(),
        "eager": Eager(plain),
        "lazy": Lazy(plain),
    }
    try:
        import polars
    except ImportError:
        return kinds
    return kinds | {
        "polars": polars.DataFrame(kinds["lists"]),
        "polars lazy": polars.LazyFrame(kinds["lists"]),
    }


def test_every_kind_of_table_is_read(pile, one):
    for kind, table in tables(pile).items():
        fit = scaling.fit("parallel", table)
        assert fit.params.to_numpy() == pytest.approx(one.params.to_numpy(), rel=1e-9), kind
        assert one.predict(table)["loss"].to_numpy() == pytest.approx(one.predicted, rel=1e-9), kind


def splits(frame):
    import datasets

    return datasets.DatasetDict({"train": datasets.Dataset.from_pandas(frame)})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda runs: scaling.fit(runs, ParallelLaw), "a law where the table belongs; the law comes first"),
        (lambda runs: scaling.fit(runs, "parallel"), "table='parallel': a law where the table belongs"),
        (lambda runs: scaling.fit(runs, runs), r"a table \(DataFrame\) is no law"),
        (lambda runs: scaling.fit(runs.to_dict("records"), runs), r"a table \(list of records\) is no law"),
        (lambda runs: scaling.fit("cubic", runs), "unknown law 'cubic'"),
        (lambda runs: scaling.fit("parallel", runs, "hubert"), "objective='hubert' is none"),
        (lambda runs: scaling.fit("parallel", runs, {"E": 1.6}), "objective=.* is none"),
        (lambda runs: scaling.fit("parallel", None), "table=None: give a DataFrame"),
        (lambda runs: scaling.fit("parallel", 3), "table=3: give a DataFrame"),
        (lambda runs: scaling.fit("parallel", Path("runs.csv")), "read it first, with scaling.read_runs"),
        (lambda runs: scaling.fit("parallel", runs["loss"]), "table is one column, 'loss'"),
        (lambda runs: scaling.fit("parallel", runs.to_numpy()), "of shape"),
        (lambda runs: scaling.fit("parallel", [1.0, 2.0]), r"table=\[1.0, 2.0\]: give a DataFrame"),
        (lambda runs: scaling.fit("parallel", []), r"table=\[\]: give a DataFrame"),
        (lambda runs: scaling.fit("parallel", runs.drop(columns="P")), "no column 'P'"),
        (
            lambda runs: scaling.fit("parallel", {"N": [1, 2], "P": [1], "loss": [2, 3]}),
            "the columns make no table",
        ),
        (
            lambda runs: scaling.fit("parallel", pd.concat([runs, runs["N"]], axis=1)),
            "two columns are named 'N'",
        ),
        (lambda runs: scaling.fit("parallel", splits(runs)), "table holds the splits train"),
        (lambda runs: scaling.fit("parallel", runs.groupby("size")), r"table.*GroupBy"),
        (
            lambda runs: scaling.fit("parallel", runs, weights="size"),
            "weights='size': its values must be numbers",
        ),
        (lambda runs: scaling.fit("parallel", runs, start="many"), "start='many'"),
        (lambda runs: scaling.compare(runs, ["parallel"]), r"runs=\['parallel'\]: a law where"),
        (lambda runs: scaling.compare("parallel", runs), "give a list of laws"),
        (lambda runs: scaling.compare(4, runs), "laws=4: give a list of laws"),
        (lambda runs: scaling.backtest(runs, ParallelLaw), "runs=.*ParallelLaw.*: a law where"),
        (lambda runs: scaling.gains(DenseLaw), "runs=.*DenseLaw.*: a law where"),
        (lambda runs: scaling.gains(runs[["N", "P"]]), "no column 'loss'"),
        (lambda runs: scaling.pooled_k("runs.csv"), "read it first"),
        (lambda runs: scaling.adequacy(runs), r"fit=a table \(DataFrame\) is no fit"),
        (lambda runs: scaling.suggest(ParallelLaw, runs), "is no fit"),
        (lambda runs: scaling.allocate("chinchilla", 1e21), "give a fit, or a law with its constants"),
        (lambda runs: scaling.detectable(runs), "fit=a table .* is no fit: give what"),
        (lambda runs: scaling.optimum_estimates("runs.csv"), "runs='runs.csv': read it first"),
        (lambda runs: scaling.published("tables"), "no such table; there are losses"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(pile, call, words):
    with pytest.raises(ValueError, match=words) as error:
        call(pile)
    in_one_line(error)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda one: one.intervals(method="jackknife"),
            "method='jackknife' is none: .* profile, bootstrap, covar",
        ),
        (lambda one: one.intervals(method=Profile), "method=<class .* is none"),
        (lambda one: one.intervals(level=95), "level=95 must lie between 0 and 1"),
        (lambda one: one.predict(0.95, N=1e9, P=4), "table=0.95: give a DataFrame"),
        (lambda one: one.predict(pd.DataFrame({"N": [1e9]})), "no column 'P'"),
        (lambda one: one.predict(pd.DataFrame({"N": [1e9, np.nan], "P": 1})), "row 2, column N: nan"),
        (lambda one: one.predict(N=1e9), "missing P"),
        (lambda one: one.equivalent_N(N=-1, P=4), "N=-1"),
        (lambda one: one.equivalent_N(N=1e9, P=4, level=2), "level=2"),
    ],
)
def test_a_wrong_question_to_a_fit_is_told_in_one_line(one, call, words):
    with pytest.raises(ValueError, match=words) as error:
        call(one)
    in_one_line(error)


# ---- the package ---------------------------------------------------------------------------------
def test_published_tables_are_listed_and_read(losses, tmp_path, monkeypatch):
    listed = scaling.published()
    assert listed.index[0] == "losses"
    assert "CC-BY-4.0" in listed.loc["losses", "licence"]
    for name in listed.index:
        assert len(scaling.published(name)) > 0
    assert scaling.published("losses").equals(losses)
    published = sys.modules["scaling.data.published_tables"]
    files = [published.CHECKOUT / row[0] for row in published.TABLES.values()]
    held = {*published.CHECKOUT.rglob("*.csv")}
    assert {*files} == held, "list every table of results/published"
    assert (published.PACKAGED / "losses.csv").read_bytes() == (
        published.CHECKOUT / "losses.csv"
    ).read_bytes()
    monkeypatch.setattr(published, "CHECKOUT", tmp_path)  # as installed from a wheel
    assert scaling.published("losses").equals(losses)
    assert list(scaling.published().query("here").index) == ["losses"]
    with pytest.raises(FileNotFoundError, match="not in the installed package"):
        scaling.published("chinchilla")


def test_version_and_load(one, tmp_path):
    assert scaling.__version__ == version("parscale")
    one.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").law == one.law
    with pytest.raises(FileNotFoundError):
        scaling.load(tmp_path / "none.json")
