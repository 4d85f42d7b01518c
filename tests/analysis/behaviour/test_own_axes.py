"""A user's own law over axes of its own, none of them N, P or D, goes everywhere that a law of the package goes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from analysis import explorer
from analysis.report.sweep_report import write_report
from scaling import Axis, Law, Range

TEXT = '''"""A law of a user's own."""

from dataclasses import dataclass

from scaling import Axis, Law, Range


@dataclass(frozen=True)
class MixtureLaw(Law):
    """L = E + A / (width experts^g)^a + B / depth^b."""

    E: float
    A: float
    a: float
    g: float
    B: float
    b: float

    axes = ("width", "depth", "experts")
    axis_rules = {"experts": Axis(lowest=1, reached=True), "depth": Axis(lowest=2, reached=True, unit="layers")}
    nonlinear = {"a": Range(0.1, 2), "g": Range(0.05, 1.0, 6), "b": Range(0.1, 2)}

    @staticmethod
    def terms(width, depth, experts, a, g, b):
        return 1.0, (width * experts**g) ** -a, depth**-b
'''


@dataclass(frozen=True)
class NoExpertsLaw(Law):
    """The same law without experts, the rival."""

    E: float
    A: float
    a: float
    B: float
    b: float

    axes = ("width", "depth")
    axis_rules = {"depth": Axis(lowest=2, reached=True)}  # noqa: RUF012
    nonlinear = {"a": Range(0.1, 2), "b": Range(0.1, 2)}  # noqa: RUF012

    @staticmethod
    def terms(width, depth, a, b):
        return 1.0, width**-a, depth**-b


@pytest.mark.slow
def test_an_own_law_of_three_own_axes_goes_everywhere(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mixture.py").write_text(TEXT)
    own = scaling.by_name("mixture.py:MixtureLaw")
    truth = own(E=1.7, A=19.0, a=0.62, g=0.31, B=1.4, b=0.83)
    width, depth, experts = (v.ravel() for v in np.meshgrid([128, 256, 512, 1024], [4, 8, 16], [1, 4, 16]))
    runs = pd.DataFrame({"width": width, "config.depth": depth, "num_experts": experts, "P": "bf16"})
    noise = np.exp(0.002 * np.random.default_rng(3).standard_normal(len(runs)))
    runs["val_loss"] = truth.predict(width=width, depth=depth, experts=experts) * noise
    runs.to_csv("shapes.csv", index=False)

    fit = scaling.fit(own, scaling.read_runs("shapes.csv", law=own))
    assert fit.status == "converged"
    ends = fit.intervals(0.99)
    assert ((ends.lower < fit.law.kind.from_vector(truth.vector).vector) & (truth.vector < ends.upper)).all()
    ranking = scaling.compare([own, NoExpertsLaw], runs, holdout="experts")
    assert ranking.table.index[0] == "MixtureLaw"
    assert ranking.table.delta_aicc["NoExpertsLaw"] > 10
    along = {axis: scaling.backtest(own, runs, by=axis).table for axis in ("width", "experts")}
    assert all(table.rmse.iloc[-1] < 0.02 for table in along.values())
    far = {"width": 4096, "depth": 32, "experts": 64}
    made = scaling.forecast(runs, laws=[own], **far)
    assert made.lower[0] < truth.predict(**far) < made.upper[0]
    asked = scaling.suggest(
        fit, {"width": [2048.0] * 2, "depth": [8.0, 32.0], "experts": [16.0] * 2}, target="b"
    )
    assert asked.table.half_width.iloc[-1] < 0.9 * asked.before
    worth = fit.equivalent("width", {"experts": 1}, width=512, depth=8, experts=16)
    assert worth.lower[0] < 512 * 16**0.31 < worth.upper[0]
    assert scaling.describe(runs, law=own).laws.index[0] == "MixtureLaw"
    assert len(fit.plot_residuals().axes) == 4

    fit.save("own.json")
    again = scaling.load("own.json", law="mixture.py:MixtureLaw")
    assert (again.predicted == fit.predicted).all()
    assert parscale.main(["predict", "own.json", "--law", "mixture.py:MixtureLaw", "--at",
                          "width=4096,depth=32,experts=64"]) == 0  # fmt: skip
    assert f"loss {float(fit.law.predict(**far)):.4f}" in capsys.readouterr().out
    page = write_report(again, "own.html").read_text()
    assert all(word in page for word in ("MixtureLaw", "experts 1 to 16", "Backtest"))
    assert "MixtureLaw" in explorer.write([again], "explore.html").read_text()
