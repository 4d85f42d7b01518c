"""What the atlas refits: a publication's runs, its law, what it minimised and the constants as it prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd

from scaling import Asymmetric, LeastSquares, LogHuber, Objective
from scaling.data.published_tables import TABLES, published, published_file

HUBER = LogHuber(1e-3)
RELATIVE = LeastSquares(log=True)
GEMSTONES = "McLeish et al. 2025, arXiv 2502.06857"
PAPER = "Chen et al. 2025, arXiv 2505.10475, Figure 2"
KYO = "kyo-takano's refit of the points of Hoffmann et al. 2022, arXiv 2203.15556, figure 4"


@dataclass(frozen=True)
class PublishedFit:
    """A published fit.

    rows: makes the fitted rows of the table. done: how they were selected. along: the axis whose largest
    levels are held out. doubt: why the constants cannot be compared on these rows, empty if they can. asked: a run
    beyond the table, its axes and loss, where one is known. rivals: laws to compare with, by default those of the same
    axes. theirs: whether the rows are known to be all that the authors fitted. held: a parameter and the value at which
    it is held in one more fit, to show how the others depend on it.
    """

    name: str
    table: str  # a name of `scaling.published`
    law: str
    objective: Objective
    where: str
    rows: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    done: str = ""
    along: str = "N"
    doubt: str = ""
    asked: Mapping[str, float] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()
    theirs: bool = True
    held: Mapping[str, float] = field(default_factory=dict)

    @property
    def runs(self) -> pd.DataFrame:
        """The rows that are fitted, under our names."""
        return self.rows(published(self.table)).reset_index(drop=True)

    @property
    def printed(self) -> dict[str, str]:
        """Constants as printed, by parameter ("log_A" if the logarithm of A was printed). Empty if none were."""
        return printed_of(self.name)

    @property
    def source(self) -> str:
        """Publication, licence of the runs."""
        return cited(self.where, self.table)


@cache
def printed_constants() -> pd.DataFrame:
    """Every printed constant, as text: its digits count. Columns entry, parameter, printed, source."""
    return pd.read_csv(published_file("constants"), dtype=str)


def printed_of(entry: str) -> dict[str, str]:
    """The printed constants of an entry, by parameter."""
    mine = printed_constants()
    mine = mine[mine.entry == entry]
    return dict(zip(mine.parameter, mine.printed, strict=True))


def cited(where: str, table: str) -> str:
    """The publication, and where its runs are from, with their licence."""
    return f"{where}. Runs: {TABLES[table][2]} ({TABLES[table][3]})"


def renamed(**columns: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """What gives columns our names, ours=theirs."""
    return lambda table: table.rename(columns={theirs: ours for ours, theirs in columns.items()})


def corpus(name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The paper's losses on one corpus."""
    return lambda table: table[table.corpus == name]


def routed(table: pd.DataFrame) -> pd.DataFrame:
    """S-Base with one expert a token in every other layer, one seed, and the dense runs."""
    table = renamed(N="dense_parameter_count", experts="num_experts", loss="loss_validation")(table)
    table = table[(table.k == 1) & (table.routing_frequency == 0.5) & (table.flop_increase == 1)]
    chosen = (table.router_type == "S-Base") & (table.seed == 42) | (table.router_type == "Dense")
    return table.loc[chosen, ["N", "experts", "loss"]]


def ladder(table: pd.DataFrame) -> pd.DataFrame:
    """The sixteen runs that the ladder's authors fit: four sizes by four multiples of 20 tokens a parameter."""
    of_rung = table.run.str.fullmatch(r"(190M|370M|760M|1B)-(1|2|5|10)xC")
    return renamed(D="tokens", loss="c4_loss_ma5")(table[of_rung])[["size", "N", "D", "loss"]]


def sparse(table: pd.DataFrame) -> pd.DataFrame:
    """Runs with as many sparse tokens as dense ones, N in parameters."""
    table = renamed(expansion="P")(table)
    return table[np.isclose(table.D2, table.D1)].assign(N=lambda t: t.N_active * 1e9)[
        ["N", "expansion", "loss"]
    ]


def one_curve(table: pd.DataFrame) -> pd.DataFrame:
    """The fine-tuning curve of one model: losses by examples."""
    row = table.set_index("config name").loc["MBZUAI/LaMini-GPT-124M"]
    sizes = [name for name in row.index if str(name).isdigit()]
    return pd.DataFrame({"D": np.array(sizes, float), "loss": row[sizes].to_numpy(float)})


def _gemstones(name: str, table: str) -> list[PublishedFit]:
    """A fit of Gemstones at both widths of its Huber loss."""
    return [
        PublishedFit(f"{name}, delta {delta}", table, "chinchilla", LogHuber(float(delta)), GEMSTONES)
        for delta in ("1e-3", "1e-4")
    ]


SCALEBENCH = "Muennighoff et al. 2023, arXiv 2305.16264, Eq 16 to 20"
ENTRIES: tuple[PublishedFit, ...] = (
    PublishedFit("ParScale, Stack-V2 Python", "losses", "parallel", HUBER, PAPER, corpus("stack-v2-python")),
    PublishedFit("ParScale, the Pile", "losses", "parallel", HUBER, PAPER, corpus("pile")),
    *_gemstones("Gemstones from 10B tokens", "gemstones"),
    *_gemstones("Gemstones, hot", "gemstones-hot"),
    *_gemstones("Gemstones, half the learning rate", "gemstones-lr"),
    *_gemstones("Gemstones, slim", "gemstones-slim"),
    PublishedFit("Chinchilla's points, Huber", "chinchilla", "chinchilla", HUBER, KYO),
    PublishedFit(
        "Chinchilla's points, asymmetric", "chinchilla", "chinchilla", Asymmetric(log=False, over=10.0), KYO,
    ),
    PublishedFit(
        "OLMo's ladder on C4", "olmo-ladder", "chinchilla", HUBER, "Bhagia et al. 2024, arXiv 2412.04403",
        ladder, "the sixteen runs that its authors fit",
        doubt="no constants are printed. Their forecast for 13B parameters on 5T tokens is 2.344",
        asked={"N": 13_202_396_160, "D": 5e12, "loss": 2.437876033782959},
    ),
    PublishedFit(
        "routed experts, S-Base", "routing", "routed", RELATIVE, "Clark et al. 2022, arXiv 2202.01169, Eq 1, Table 3",
        routed, "one expert a token, every other layer routed, seed 42, and the dense runs",
        rivals=("routed-floor", "experts"), theirs=False,
    ),
    PublishedFit(
        "precision, QuEST", "precision", "precision", RELATIVE, "Panferov et al. 2025, arXiv 2502.05003",
        renamed(N="non_embedding_parameters", D="tokens", precision="level"), rivals=("chinchilla",), held={"E": 1.0},
    ),
    PublishedFit(
        "repeated data", "data-constrained", "data-constrained", HUBER, SCALEBENCH,
        renamed(N="params", D="tokens", unique="unique_tokens"),
        doubt="the rows as gathered are hardly those that were fitted",
        rivals=("repeated-data", "chinchilla"),
    ),
    PublishedFit(
        "sparse upcycling", "sparsity", "sparsity", HUBER, "Liew et al. 2025, arXiv 2502.03009", sparse,
        "runs with as many sparse tokens as dense ones", doubt="its constants are of more rows than are public",
        rivals=("dense",),
    ),
    PublishedFit(
        "fine-tuning, one model", "fine-tuning", "fine-tuning", LeastSquares(), "Lin et al. 2024, arXiv 2402.02314",
        one_curve, "the curve of LaMini-GPT-124M on FLAN", along="D", doubt="no constants are printed",
    ),
)  # fmt: skip
