"""The numbers of the paper, read from results/published/ (sources: README.md there)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

FOLDER = Path("results/published")
STACK, PILE = "stack-v2-python", "pile"
CORPORA = {STACK: "Stack-V2-Python", PILE: "Pile"}  # as printed


@dataclass(frozen=True)
class Published:
    """Every table of the folder; `constants` is indexed by our corpus names."""

    folder: Path
    losses: pd.DataFrame
    constants: pd.DataFrame
    architectures: pd.DataFrame
    claims: pd.DataFrame
    strategies: pd.DataFrame
    code: pd.DataFrame
    general: pd.DataFrame
    two_stage: pd.DataFrame
    instruct: pd.DataFrame
    peft: pd.DataFrame

    def corpus(self, name: str) -> pd.DataFrame:
        """The losses of one corpus."""
        return self.losses[self.losses["corpus"] == name]


_FILES = {
    "losses": "losses.csv",
    "constants": "fit_constants.csv",
    "architectures": "architectures.csv",
    "claims": "claims.csv",
    "strategies": "table1_strategies.csv",
    "code": "table2_code_average.csv",
    "general": "table3_general_average.csv",
    "two_stage": "table4_two_stage_1T.csv",
    "instruct": "table5_instruct_partial.csv",
    "peft": "fig6c_peft_partial.csv",
}


def read_published(folder: Path | str = FOLDER) -> Published:
    """Read the folder; ValueError names the first file that is not there."""
    base = Path(folder)
    tables = {}
    for name, file in _FILES.items():
        if not (base / file).is_file():
            raise ValueError(
                f"{base / file} is not there: the paper's tables are in a checkout of the project; "
                "run there, or name a table or a fit of your own"
            )
        tables[name] = pd.read_csv(base / file)
    ours = {theirs: corpus for corpus, theirs in CORPORA.items()}
    tables["constants"] = tables["constants"].assign(corpus=tables["constants"]["dataset"].map(ours))
    tables["constants"] = tables["constants"].set_index("corpus")
    return Published(folder=base, **tables)
