"""Published tables by name, with where their numbers come from and under which licence.

`losses` is part of the package. The others are in `results/published` of the repository, whose README.md says more.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from scaling.data import table_files
from scaling.data.runs import read_runs

PACKAGED = Path(__file__).parent / "published"
CHECKOUT = Path(__file__).parents[2] / "results" / "published"
PAPER = "Chen et al. 2025, arXiv 2505.10475"
CITED = "facts of a publication, cited"
# name: file, contents, source, licence. Tables with N and loss can be fitted.
TABLES = {
    "losses": (
        "losses.csv",
        "48 final training losses: 6 sizes x P in {1, 2, 4, 8} x 2 corpora, 42B tokens each",
        f"{PAPER}; as redistributed by PlanarG/active-sl",
        "CC-BY-4.0",
    ),
    "fit-constants": ("fit_constants.csv", "E, A, k, alpha and R2 as printed", f"{PAPER}, Figure 2", CITED),
    "constants": (
        "constants.csv",
        "constants of published fits as printed: what the atlas holds against their runs",
        "a publication a row, column source",
        CITED,
    ),
    "architectures": ("architectures.csv", "shapes and N of the six sizes", PAPER, CITED),
    "cost-grid": ("cost_grid_sample.csv", "memory and latency of 32 settings", f"{PAPER}, Figure 4", CITED),
    "claims": ("claims.csv", "what the paper claims, with conditions", PAPER, CITED),
    "strategies": ("table1_strategies.csv", "Table 1", PAPER, CITED),
    "code-average": ("table2_code_average.csv", "Table 2, per cent", PAPER, CITED),
    "general-average": ("table3_general_average.csv", "Table 3, per cent", PAPER, CITED),
    "two-stage": ("table4_two_stage_1T.csv", "Table 4: two-stage training on 1T tokens", PAPER, CITED),
    "instruct": ("table5_instruct_partial.csv", "Table 5, P = 1 and 8", PAPER, CITED),
    "peft": (
        "fig6c_peft_partial.csv",
        "a frozen backbone with trained streams",
        f"{PAPER}, Figure 6(c)",
        CITED,
    ),
    "yoco-u": (
        "followup_yoco_u_table3.csv",
        "perplexities at 1.3B, 20B tokens",
        "Universal YOCO, Table 3",
        CITED,
    ),
    "nd-lora": ("followup_ndlora_ablation_P4.csv", "stream diversity at P = 4", "ND-LoRA", CITED),
    "qwengram": (
        "followup_qwengram_parscale_P2_0.8B_500k_tokens.csv",
        "ParScale on a frozen 0.8B model, P = 2",
        "QwenGram",
        CITED,
    ),
    "fine-tuning": (
        "tables/fine_tuning.csv",
        "30 models x 15 numbers of fine-tuning examples, losses on FLAN",
        "Lin et al. 2024, arXiv 2402.02314",
        "Apache-2.0",
    ),
    "data-constrained": (
        "tables/data_constrained.csv",
        "N, tokens, unique tokens, loss",
        "Muennighoff et al. 2023, arXiv 2305.16264, as gathered in ScaleBench",
        "CC-BY-4.0; datablations Apache-2.0",
    ),
    "sparsity": (
        "tables/sparsity.csv",
        "active N (1e9), total over active N, dense and sparse tokens (1e9), loss",
        "Liew et al. 2025, arXiv 2502.03009, as gathered in ScaleBench",
        "CC-BY-4.0",
    ),
    "learning-rate-best": (
        "tables/learning_rate_best.csv",
        "of each N and D the run with the lowest loss, of 2,819",
        "Step Law, as gathered in ScaleBench",
        "CC-BY-4.0",
    ),
    "learning-rate-batch": (
        "tables/learning_rate_batch.csv",
        "N, D, learning rate, batch size (sequences of 2,048 tokens), loss: 2,819 runs in 42 cells",
        "Li et al. 2025 (Step Law), arXiv 2503.04715, as gathered in ScaleBench",
        "CC-BY-4.0",
    ),
    "precision": (
        "tables/precision.csv",
        "precision, N, tokens, loss",
        "Panferov et al. 2025, arXiv 2502.05003",
        "MIT",
    ),
    "routing": (
        "tables/routing.csv",
        "dense N, experts, loss: the last row of each run",
        "Clark et al. 2022, arXiv 2202.01169",
        "CC-BY-4.0",
    ),
    "isoflop-optima": (
        "tables/isoflop_optima.csv",
        "optimal N and D at four budgets, three ways to count parameters",
        "nanochat, experiment log of January 2026 (karpathy/nanochat)",
        "MIT",
    ),
    "loss-curves": (
        "tables/loss_curves.csv",
        "run, step, learning rate, loss: 25M and 100M models under nine learning-rate schedules",
        "Luo et al. 2025, arXiv 2503.12811 (thu-yao-01-luo/MultiPowerLaw)",
        "MIT",
    ),
    "loss-curve-constants": (
        "tables/loss_curve_constants.csv",
        "constants of the multi-power law as printed, with the errors on six schedules not fitted",
        "Luo et al. 2025, arXiv 2503.12811 (README of its repository)",
        CITED,
    ),
    "loss-accuracy": (
        "tables/loss_and_accuracy.csv",
        "losses of the 48 runs with the averages of Tables 2 and 3, per cent",
        f"{PAPER}, Tables 2 and 3; losses as in `losses`",
        "CC-BY-4.0",
    ),
    "loops-printed": (
        "tables/loops_printed_losses.csv",
        "six losses that were printed of looped models",
        "Schwethelm et al. 2026, arXiv 2604.21106, Tables 5 and 10",
        CITED,
    ),
    "loops-inference": (
        "tables/loops_at_inference.csv",
        "bits per byte by recurrences at inference of models trained with others",
        "looped nanochat, experiment log of February 2026 (kschwethelm/looped_nanochat)",
        "MIT",
    ),
    "loops-isoflop": (
        "tables/loops_isoflop.csv",
        "bits per byte by recurrences at equal training FLOPs",
        "looped nanochat, experiment log of February 2026 (kschwethelm/looped_nanochat)",
        "MIT",
    ),
    "chinchilla": ("runs/chinchilla_kyo.csv", "N, D, loss", "kyo-takano/chinchilla", "Apache-2.0"),
    "olmo-ladder": (
        "runs/olmo_ladder_c4.csv",
        "size, N, tokens and the loss on C4",
        "allenai/OLMo-ladder",
        "Apache-2.0",
    ),
    "gemstones": (
        "runs/gemstones_hot_100bplus.csv",
        "N, D, loss, width, depth from 100B tokens",
        "mcleish7/gemstone-scaling-laws",
        "MIT",
    ),
    "gemstones-hot": (
        "runs/gemstones_hot_sampled_like_chinchilla.csv",
        "N, D, loss, width, depth",
        "mcleish7/gemstone-scaling-laws",
        "MIT",
    ),
    "gemstones-lr": (
        "runs/gemstones_lr_ablation_hot_sampled_like_chinchilla.csv",
        "N, D, loss, width, depth at half the learning rate",
        "mcleish7/gemstone-scaling-laws",
        "MIT",
    ),
    "gemstones-slim": (
        "runs/gemstones_slim_chinchilla.csv",
        "N, D, loss, width, depth",
        "mcleish7/gemstone-scaling-laws",
        "MIT",
    ),
}
FITTABLE = {"losses", "chinchilla", *(name for name in TABLES if name.startswith("gemstones"))}


def _file(name: str) -> Path | None:
    """Where a table's file is: in the package, or in the repository the package runs from."""
    file = TABLES[name][0]
    return next((path for path in (PACKAGED / file, CHECKOUT / file) if path.is_file()), None)


def published_file(name: str) -> Path:
    """The file of a listed table. Raises FileNotFoundError if only the repository holds it."""
    path = _file(name)
    if path is None:
        raise FileNotFoundError(
            f"{TABLES[name][0]} is not in the installed package: take it from results/published of the repository"
        )
    return path


def published(name: str | None = None) -> pd.DataFrame:
    """Published tables: the list of them, or one of them.

    Args:
        name: of the table. None gives the list.

    Returns:
        The list has the index name and the columns contents, source, licence and here (whether this installation
        has the table, which is always so for `losses`). A table of runs is as `read_runs` reads it, ready for
        `scaling.fit`: N (parameters), P (streams), D (tokens) and loss (nats per token).

    Raises:
        ValueError: for a name that is not listed.
        FileNotFoundError: for a table that only the repository holds.

    Examples:
        >>> scaling.published("losses").groupby("corpus").size().to_dict()
        {'pile': 24, 'stack-v2-python': 24}
    """
    if name is None:
        rows = [(n, *TABLES[n][1:], _file(n) is not None) for n in TABLES]
        columns = ["name", "contents", "source", "licence", "here"]
        return pd.DataFrame(rows, columns=columns).set_index("name")
    if name not in TABLES:
        raise ValueError(
            f"published({name!r}): no such table. There are {', '.join([*TABLES][:5])} and others. "
            "scaling.published() lists all."
        )
    path = published_file(name)
    return read_runs(path) if name in FITTABLE else table_files.load_table(path)
