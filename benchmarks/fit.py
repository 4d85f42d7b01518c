"""Speed of fitting against the released procedure: `python -m benchmarks.fit`.

The baseline is the published recipe re-implemented plainly (arXiv 2505.10475, its released fitting
code's settings): 300 starts of L-BFGS-B with default tolerances and numeric gradients, sum of
Huber(1e-3) on log loss, N in units of 1e9, every parameter at least 1e-8. Both take turns in one
process of one thread. Writes results/benchmarks/fit.md.
"""

from __future__ import annotations

import datetime
import itertools
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy
from scipy.optimize import minimize

import scaling
from analysis.costs import machine
from benchmarks import ROOT
from scaling.laws.model_axes import RoutedFloorLaw, ShapeLaw
from sweeps.training.peak_memory import peak_memory_bytes

STARTS = (np.exp([-1, -0.5, 0]), np.exp([-4, -2, 0, 2, 4]), [0, 0.5, 1, 1.5, 2], [0.2, 0.4, 0.6, 0.8])
DELTA = 1e-3
ROWS = 1_000_000
MIDDLE = 1_000
SPANS = {"width": (2.3, 3.5), "depth": (0.5, 1.7), "D": (9, 12)}  # powers of ten


class Released:
    """The released procedure on one corpus, a slice of its starts at a time."""

    def __init__(self, N: Any, P: Any, loss: Any) -> None:
        self.size, self.log_P, self.target = N / 1e9, np.log(P), np.log(loss)
        self.left = list(itertools.product(*STARTS))
        self.ends: list[float] = []

    def objective(self, v: Any) -> float:
        """Sum of Huber on log loss."""
        E, A, alpha, k = v
        r = np.log(E + (A / (self.size * (k * self.log_P + 1))) ** alpha) - self.target
        a = np.abs(r)
        return float(np.where(a <= DELTA, 0.5 * a * a, DELTA * (a - 0.5 * DELTA)).sum())

    def some(self, count: int) -> None:
        """Run the next starts."""
        with np.errstate(all="ignore"):  # far starts overflow on the way: the recipe does not care
            for start in self.left[:count]:
                end = minimize(self.objective, start, method="L-BFGS-B", bounds=[(1e-8, None)] * 4)
                self.ends.append(float(end.fun))
        self.left = self.left[count:]

    @property
    def near(self) -> int:
        """Starts that ended within 0.1 % of the best."""
        return sum(end <= min(self.ends) * 1.001 for end in self.ends)


def seconds(what: Callable[[], Any], repeats: int = 1) -> list[float]:
    """Processor times of repeated calls: a busy machine's waiting is left out, on both sides."""
    out = []
    for _ in range(repeats):
        start = time.process_time()
        what()
        out.append(time.process_time() - start)
    return out


def large() -> tuple[float, float, float]:
    """Seconds and peak GiB of a fit of 10^6 rows and 5 parameters, and the error of its exponent."""
    rng = np.random.default_rng(0)
    truth = scaling.ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    N, D = 10 ** rng.uniform(7, 11, ROWS), 10 ** rng.uniform(9, 13, ROWS)
    table = {"N": N, "D": D, "loss": truth.predict(N=N, D=D) * np.exp(2e-3 * rng.standard_normal(ROWS))}
    start = time.process_time()
    fit = scaling.fit(scaling.ChinchillaLaw, table)
    took = time.process_time() - start
    return took, peak_memory_bytes() / 2**30, abs(fit.law.vector[3] - truth.alpha)


def apart(code: str) -> str:
    """What a line of Python prints in a process of its own, whose memory and import time are its alone."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def corpus_rows(corpus: str, data: dict[str, Any]) -> list[str]:
    """The released procedure, our fit and our bootstrap on one corpus, as lines of the table."""
    fit = scaling.fit(scaling.ParallelLaw, data)  # warm: scipy is loaded by both
    theirs, base, times = Released(**data), 0.0, []
    for _ in range(6):  # in turns, so that both meet the same machine
        base += sum(seconds(lambda: theirs.some(50)))
        times += seconds(lambda: scaling.fit(scaling.ParallelLaw, data), 40)
    boot = min(seconds(lambda: scaling.Bootstrap(10_000, kind="case").refits(fit), 2))
    lowest = min(theirs.ends)
    if fit.objective_value > lowest:
        raise AssertionError(f"{corpus}: {fit.objective_value} is above the baseline's {lowest}")
    ours, median, best = f"{fit.objective_value:.8g}", float(np.median(times)), min(times)
    return [
        f"| {corpus} | released procedure ({theirs.near} of 300 near) | {base:.2f} | {lowest:.8g} | 1 |",
        f"| {corpus} | scaling.fit, median of 240 | {median:.4f} | {ours} | {base / median:.0f} |",
        f"| {corpus} | scaling.fit, best of 240 | {best:.4f} | {ours} | {base / best:.0f} |",
        f"| {corpus} | 10,000 bootstrap refits | {boot:.2f} | | {base / boot:.1f} |",
    ]


def seven_rows() -> list[str]:
    """Laws of seven parameters on 1,000 made rows, and on Gemstones' 770: the fit and its profile intervals."""
    rng = np.random.default_rng(0)
    size = {axis: 10 ** rng.uniform(*ends, MIDDLE) for axis, ends in SPANS.items()}
    experts = {"N": 10 ** rng.uniform(7, 10, MIDDLE), "experts": 2 ** rng.uniform(0, 9, MIDDLE)}
    gemstones = scaling.read_runs(ROOT / "results/published/runs/gemstones_hot_100bplus.csv")
    tables = {
        "made, shape": ("shape", _noisy(ShapeLaw(1.13, 29.0, 0.71, 0.93, 0.53, 510.0, 0.31), size, rng)),
        "made, routed-floor": (
            "routed-floor", _noisy(RoutedFloorLaw(1.31, -0.171, -0.103, 0.0031, 1.53, 2.6, 117.0), experts, rng),
        ),
        "Gemstones, shape": ("shape", gemstones),
    }  # fmt: skip
    lines = []
    for name, (law, table) in tables.items():
        took = min(seconds(lambda law=law, table=table: scaling.fit(law, table), 5))
        fits = [scaling.fit(law, table) for _ in range(3)]  # each its own: what is known of a fit is kept
        ends = min(
            t for one in fits for t in seconds(lambda one=one: one.intervals(method=scaling.Profile()))
        )
        rows = f"{fits[0].loss.size:,} rows x 7 parameters"
        lines += [
            f"| {name} | {rows}, fit | {took:.2f} | | |",
            f"| {name} | profile intervals | {ends:.2f} | | |",
        ]
    return lines


def _noisy(law: scaling.Law, axes: dict[str, Any], rng: Any) -> dict[str, Any]:
    """A table of losses around a law."""
    return {**axes, "loss": law.predict(**axes) * np.exp(2e-3 * rng.standard_normal(MIDDLE))}


def other_rows() -> list[str]:
    """The million rows and the import, each in a process of its own."""
    took, peak, error = map(float, apart("from benchmarks.fit import large; print(*large())").split())
    clock = "import time; t = time.perf_counter(); import scaling; print(time.perf_counter() - t)"
    load = min(float(apart(clock)) for _ in range(5))
    what = f"{ROWS:,} rows x 5 parameters (peak {peak:.2f} GiB, alpha off by {error:.1e})"
    return [f"| made | {what} | {took:.2f} | | |", f"| | import scaling | {load:.3f} | | |"]


def main() -> None:
    """Measure, print and write the table."""
    runs = scaling.read_runs(ROOT / "results/published/losses.csv")
    lines = ["| corpus | what | seconds | objective | times faster |", "|---|---|---|---|---|"]
    for corpus, part in runs.groupby("corpus"):
        lines += corpus_rows(str(corpus), {c: part[c].to_numpy() for c in ("N", "P", "loss")})
    lines += [*seven_rows(), *other_rows()]
    stamp = (
        f"Measured {datetime.date.today()} on {os.cpu_count()} cores of {machine.processor_name()} with a load of "
        f"{os.getloadavg()[0]:.1f}, one thread, Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}. Processor seconds. Baseline and fit take turns in one process."
    )
    text = f"# Speed of fitting\n\n`python -m benchmarks.fit`. {stamp}\n\n" + "\n".join(lines) + "\n"
    (ROOT / "results/benchmarks").mkdir(parents=True, exist_ok=True)
    (ROOT / "results/benchmarks/fit.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
