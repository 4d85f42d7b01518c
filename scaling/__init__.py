"""Fit and question neural scaling laws: `runs = read_runs(...); fit(ParallelLaw, runs)`.

N non-embedding parameters, P streams, D training tokens, L loss in nats per token, C training FLOPs.
The core (laws, fitting) needs numpy alone and is loaded at once; what needs pandas or scipy loads
when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scaling.certificate import Certificate, Status
from scaling.fit import FitError, fit
from scaling.law import Law, Range
from scaling.laws import (
    REGISTRY,
    AdditiveLaw,
    ChinchillaLaw,
    DenseLaw,
    DiversityLaw,
    EqualExponentsLaw,
    InteractionLaw,
    KaplanLaw,
    LogMultiplicativeLaw,
    NoFloorLaw,
    ParallelDataLaw,
    ParallelLaw,
    ParallelPowerLaw,
    SaturatingLaw,
    by_name,
)
from scaling.objectives import LAD, Asymmetric, LeastSquares, LogHuber, Objective
from scaling.result import Fit

if TYPE_CHECKING:
    from scaling.allocation import allocate
    from scaling.bootstrap import Bootstrap
    from scaling.data import read_runs
    from scaling.design import suggest
    from scaling.forecast_result import Forecast
    from scaling.forecasting import forecast
    from scaling.isoflop import optimum_estimates
    from scaling.power import detectable
    from scaling.profile import Profile
    from scaling.registered import score
    from scaling.selection import compare
    from scaling.structure import adequacy
    from scaling.uncertainty import Covariance
    from scaling.windows import backtest

_LATER = {
    "adequacy": "scaling.structure",
    "allocate": "scaling.allocation",
    "backtest": "scaling.windows",
    "compare": "scaling.selection",
    "detectable": "scaling.power",
    "forecast": "scaling.forecasting",
    "optimum_estimates": "scaling.isoflop",
    "read_runs": "scaling.data",
    "score": "scaling.registered",
    "suggest": "scaling.design",
    "Forecast": "scaling.forecast_result",
    "Bootstrap": "scaling.bootstrap",
    "Covariance": "scaling.uncertainty",
    "Profile": "scaling.profile",
}

__all__ = [
    "LAD",
    "REGISTRY",
    "AdditiveLaw",
    "Asymmetric",
    "Bootstrap",
    "Certificate",
    "ChinchillaLaw",
    "Covariance",
    "DenseLaw",
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
    "Status",
    "adequacy",
    "allocate",
    "backtest",
    "by_name",
    "compare",
    "detectable",
    "fit",
    "forecast",
    "optimum_estimates",
    "read_runs",
    "score",
    "suggest",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'scaling' has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_LATER[name]), name))
