"""What averaging the streams of each trained run of a sweep gives, for Proposition 1's test.

Writes streams.parquet next to the sweep's runs.parquet. `parscale figures` and `report` draw it. Columns:
run_id, size, N, P, m (streams averaged), subsets, loss, loss_se, gain (L_1 - L_m, nats per token),
gain_se, line (the gain Proposition 1 gives at the best-fitting slope), entropy, similarity, own and
own_se (the model's loss, its own aggregation), tokens_read. Where a backbone was frozen: backbone (its
loss alone, P = 1), over_backbone and over_backbone_se (what P streams gain over it, paired sequence by
sequence).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.checkpoint.stream_bank import view
from sweeps.config.run import RunConfig
from sweeps.inspect import trained_runs
from sweeps.inspect.stream_diagnostics import diagnose, mean_and_se

TABLE = "streams.parquet"
ORDER = ("N", "P", "run_id", "m")  # of the table's rows


def measure_ensembles(folder: Path, tokens: int = 50_000) -> pd.DataFrame:
    """The table of every finished run of P > 1 whose weights are kept, on about so many tokens, which is written."""
    several = [known for known in trained_runs.runs(folder) if known[1].model.P > 1]
    if not several:
        raise ValueError(f"{folder}: no finished run of P > 1 whose weights are kept under checkpoints/")
    return trained_runs.complete(
        folder, TABLE, tokens, lambda known: _of_run(known[2], known[1], tokens), several, order=ORDER
    )


def _of_run(weights: Path, config: RunConfig, tokens: int) -> pd.DataFrame:
    """One run's rows."""
    model = trained_runs.load_trained(weights)
    report = diagnose(model, trained_runs.windows(config, tokens))
    facts: dict[str, Any] = {"size": config.size, "N": config.model.N, "P": config.model.P}
    facts |= {"line": report.gain_slope * (1 - 1 / report.ensemble["m"]), "entropy": report.entropy}
    facts |= {"similarity": report.pairs["hidden_similarity"].mean()}
    facts |= {"own": report.loss, "own_se": report.loss_se}
    if config.recipe == "peft":
        alone = diagnose(view(model, P=1), trained_runs.windows(config, tokens))
        gain, gain_se = mean_and_se(alone.by_sequence - report.by_sequence)
        facts |= {"backbone": alone.loss, "over_backbone": gain, "over_backbone_se": gain_se}
    return report.ensemble.assign(**facts)
