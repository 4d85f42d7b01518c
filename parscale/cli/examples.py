"""The lines that each command's --help ends with; every one of them is read by the parser in a test."""

from __future__ import annotations

LINES: dict[str, tuple[str, ...]] = {
    "demo": ("demo", "demo --grid ci --out build/ci"),
    "sweep": ("sweep paper --dry-run", "sweep demo --streams 1,2 --out results/sweeps/two"),
    "status": ("status demo", "status demo --domains"),
    "corpus": ("corpus stdlib", "corpus 'files:texts/*.txt' --vocab 4096"),
    "fit": (
        "fit runs.csv --columns N=params,loss=val_loss --law parallel",
        "fit results/published/losses.csv --law parallel --by corpus",
    ),
    "predict": ("predict results/fits/parallel-pile.json --N 2.8B --P 4",),
    "compare": ("compare results/published/losses.csv --by corpus", "compare runs.csv --laws parallel,dense"),
    "backtest": ("backtest results/published/losses.csv --by corpus --along P",),
    "suggest": (
        "suggest results/fits/parallel-pile.json --tokens 42B --budget 1e21",
        "suggest results/fits/parallel-pile.json --target N=1e11,P=8 --sizes 0.5B,1B --streams 8,32",
    ),
    "streams": ("streams results/sweeps/demo --tokens 50k",),
    "context": ("context results/sweeps/demo --tokens 200k",),
    "generate": ("generate results/sweeps/demo/checkpoints/RUN --prompt 'def main' --streams 2",),
    "import": ("import base", "import base --streams 4 --out wide"),
    "export": ("export results/sweeps/demo/checkpoints/RUN --out base",),
    "figures": ("figures --only fig2", "figures runs.csv --columns N=params --out build/figures"),
    "reproduce": ("reproduce --out build/paper",),
    "gains": ("gains results/sweeps/laptop --baseline results/sweeps/laptop-prefix-alone",),
    "report": ("report results/sweeps/demo",),
    "explore": ("explore", "explore results/fits/parallel-pile.json results/fits/additive-pile.json"),
    "cost": ("cost --N 1.6B --P 1,2,4,8 --batch 1,8 --in 512 --out 512 --gpu a100",),
    "advise": (
        "advise --loss 1.05 --memory 4GB --latency 0.6s --batch 1",
        "advise --fit results/fits/additive-pile.json --loss 1.9 --gpu laptop --dtype fp32",
    ),
}


def epilog(command: str) -> str:
    """The examples of a command, for the end of its help."""
    return "\n".join(["examples:", *(f"  parscale {line}" for line in LINES[command])])
