"""Fit and question neural scaling laws: `runs = read_runs(...); fit(ParallelLaw, runs)`.

N non-embedding parameters, P streams, D training tokens, L loss in nats per token, C training FLOPs.
Each name loads its module when it is first used: importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaling.accuracy import accuracy_by_loss
    from scaling.allocation.compute_optimum import optimum
    from scaling.allocation.optimum_exponents import optimum_estimates
    from scaling.allocation.tuned_optimum import tuned_optimum
    from scaling.curves.curve_fit import CurveFit, fit_curves, forecast_curve
    from scaling.curves.curve_table import curves_of
    from scaling.curves.final_forecast import forecast_finals
    from scaling.curves.schedule import Schedule
    from scaling.data.published_tables import published
    from scaling.data.runs import read_runs
    from scaling.design.allocate import allocate
    from scaling.design.suggest import suggest
    from scaling.fitting.fit import fit
    from scaling.fitting.result import Fit, load
    from scaling.forecasting.forecast import forecast
    from scaling.forecasting.forecast_result import Forecast
    from scaling.forecasting.registered import score
    from scaling.laws import (
        REGISTRY,
        AdditiveLaw,
        Arms,
        Axis,
        Category,
        ChinchillaLaw,
        ConstrainedLaw,
        DenseLaw,
        DiversityLaw,
        EqualExponentsLaw,
        InteractionLaw,
        KaplanLaw,
        Law,
        LogMultiplicativeLaw,
        NoFloorLaw,
        ParallelDataLaw,
        ParallelLaw,
        ParallelPowerLaw,
        Range,
        SaturatingLaw,
        by_name,
    )
    from scaling.optimise.certificate import Certificate, Status
    from scaling.optimise.multi_start import FitError
    from scaling.optimise.objectives import (
        DEFAULT_OBJECTIVE,
        LAD,
        Asymmetric,
        LeastSquares,
        LogHuber,
        Objective,
    )
    from scaling.selection.arms import compare_arms
    from scaling.selection.backtest import backtest
    from scaling.selection.compare import compare
    from scaling.selection.conventions import conventions
    from scaling.selection.describe import describe
    from scaling.selection.description import Description
    from scaling.selection.paired_gains import gains
    from scaling.selection.pooled_k import pooled_k
    from scaling.selection.verdict import Answer, Verdict, verdict
    from scaling.uncertainty.adequacy import adequacy
    from scaling.uncertainty.bootstrap import Bootstrap
    from scaling.uncertainty.covariance import Covariance
    from scaling.uncertainty.power import detectable
    from scaling.uncertainty.profile import Profile

    __version__: str

_HOMES = {
    "accuracy": ["accuracy_by_loss"],
    "curves.curve_fit": ["CurveFit", "fit_curves", "forecast_curve"],
    "curves.curve_table": ["curves_of"],
    "curves.final_forecast": ["forecast_finals"],
    "curves.schedule": ["Schedule"],
    "data.published_tables": ["published"],
    "data.runs": ["read_runs"],
    "design.allocate": ["allocate"],
    "design.suggest": ["suggest"],
    "fitting.fit": ["fit"],
    "fitting.result": ["Fit", "load"],
    "forecasting.forecast": ["forecast"],
    "forecasting.forecast_result": ["Forecast"],
    "forecasting.registered": ["score"],
    "laws": [
        "AdditiveLaw",
        "Arms",
        "Axis",
        "Category",
        "ChinchillaLaw",
        "ConstrainedLaw",
        "DenseLaw",
        "DiversityLaw",
        "EqualExponentsLaw",
        "InteractionLaw",
        "KaplanLaw",
        "Law",
        "LogMultiplicativeLaw",
        "NoFloorLaw",
        "ParallelDataLaw",
        "ParallelLaw",
        "ParallelPowerLaw",
        "REGISTRY",
        "Range",
        "SaturatingLaw",
        "by_name",
    ],
    "optimise.certificate": ["Certificate", "Status"],
    "optimise.objectives": [
        "Asymmetric",
        "DEFAULT_OBJECTIVE",
        "LAD",
        "LeastSquares",
        "LogHuber",
        "Objective",
    ],
    "optimise.multi_start": ["FitError"],
    "selection.arms": ["compare_arms"],
    "selection.backtest": ["backtest"],
    "selection.compare": ["compare"],
    "selection.conventions": ["conventions"],
    "allocation.compute_optimum": ["optimum"],
    "selection.describe": ["describe"],
    "selection.description": ["Description"],
    "allocation.optimum_exponents": ["optimum_estimates"],
    "allocation.tuned_optimum": ["tuned_optimum"],
    "selection.paired_gains": ["gains"],
    "selection.pooled_k": ["pooled_k"],
    "selection.verdict": ["Answer", "Verdict", "verdict"],
    "uncertainty.adequacy": ["adequacy"],
    "uncertainty.bootstrap": ["Bootstrap"],
    "uncertainty.covariance": ["Covariance"],
    "uncertainty.power": ["detectable"],
    "uncertainty.profile": ["Profile"],
}
_HOME_OF = {name: f"scaling.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_OBJECTIVE",
    "LAD",
    "REGISTRY",
    "AdditiveLaw",
    "Answer",
    "Arms",
    "Asymmetric",
    "Axis",
    "Bootstrap",
    "Category",
    "Certificate",
    "ChinchillaLaw",
    "ConstrainedLaw",
    "Covariance",
    "CurveFit",
    "DenseLaw",
    "Description",
    "DiversityLaw",
    "EqualExponentsLaw",
    "Fit",
    "FitError",
    "Forecast",
    "InteractionLaw",
    "KaplanLaw",
    "Law",
    "LeastSquares",
    "LogHuber",
    "LogMultiplicativeLaw",
    "NoFloorLaw",
    "Objective",
    "ParallelDataLaw",
    "ParallelLaw",
    "ParallelPowerLaw",
    "Profile",
    "Range",
    "SaturatingLaw",
    "Schedule",
    "Status",
    "Verdict",
    "accuracy_by_loss",
    "adequacy",
    "allocate",
    "backtest",
    "by_name",
    "compare",
    "compare_arms",
    "conventions",
    "curves_of",
    "describe",
    "detectable",
    "fit",
    "fit_curves",
    "forecast",
    "forecast_curve",
    "forecast_finals",
    "gains",
    "load",
    "optimum",
    "optimum_estimates",
    "pooled_k",
    "published",
    "read_runs",
    "score",
    "suggest",
    "tuned_optimum",
    "verdict",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return globals().setdefault(name, import_module("importlib.metadata").version("parscale"))
    if name not in _HOME_OF:
        raise AttributeError(f"module 'scaling' has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_HOME_OF[name]), name))
