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
    LogMultiplicativeLaw,
    ParallelDataLaw,
    ParallelLaw,
    ParallelPowerLaw,
    SaturatingLaw,
    by_name,
)
from scaling.objectives import LAD, Asymmetric, LeastSquares, LogHuber, Objective
from scaling.result import Fit

if TYPE_CHECKING:
    from scaling.adequacy import adequacy
    from scaling.bootstrap import Bootstrap
    from scaling.data import read_runs
    from scaling.design import allocate, suggest
    from scaling.isoflop import optimum_estimates
    from scaling.selection import backtest, compare
    from scaling.uncertainty import Covariance, Profile

_LATER = {
    "adequacy": "scaling.adequacy",
    "allocate": "scaling.design",
    "backtest": "scaling.selection",
    "compare": "scaling.selection",
    "optimum_estimates": "scaling.isoflop",
    "read_runs": "scaling.data",
    "suggest": "scaling.design",
    "Bootstrap": "scaling.bootstrap",
    "Covariance": "scaling.uncertainty",
    "Profile": "scaling.uncertainty",
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
    "Fit",
    "FitError",
    "Law",
    "LeastSquares",
    "LogHuber",
    "LogMultiplicativeLaw",
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
    "fit",
    "optimum_estimates",
    "read_runs",
    "suggest",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'scaling' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
