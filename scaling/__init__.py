"""Fit and question neural scaling laws: `runs = read_runs(...); fit(ParallelLaw, runs)`.

N non-embedding parameters, P streams, D training tokens, L loss in nats per token, C training FLOPs.
Each name loads its module when it is first used: importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaling.allocation import allocate
    from scaling.bootstrap import Bootstrap
    from scaling.certificate import Certificate, Status
    from scaling.covariance import Covariance
    from scaling.data import read_runs
    from scaling.design import suggest
    from scaling.fit import fit
    from scaling.isoflop import optimum_estimates
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
    from scaling.optimum import FitError
    from scaling.power import detectable
    from scaling.profile import Profile
    from scaling.result import Fit
    from scaling.selection import compare
    from scaling.structure import adequacy
    from scaling.windows import backtest

_HOMES = {
    "allocation": "allocate",
    "bootstrap": "Bootstrap",
    "certificate": "Certificate Status",
    "covariance": "Covariance",
    "data": "read_runs",
    "design": "suggest",
    "fit": "fit",
    "isoflop": "optimum_estimates",
    "law": "Law Range",
    "laws": "AdditiveLaw ChinchillaLaw DenseLaw DiversityLaw LogMultiplicativeLaw ParallelDataLaw ParallelLaw ParallelPowerLaw REGISTRY SaturatingLaw by_name",
    "objectives": "Asymmetric LAD LeastSquares LogHuber Objective",
    "optimum": "FitError",
    "power": "detectable",
    "profile": "Profile",
    "result": "Fit",
    "selection": "compare",
    "structure": "adequacy",
    "windows": "backtest",
}
_HOME_OF = {name: f"scaling.{module}" for module, names in _HOMES.items() for name in names.split()}

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
    "detectable",
    "fit",
    "optimum_estimates",
    "read_runs",
    "suggest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'scaling' has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_HOME_OF[name]), name))
