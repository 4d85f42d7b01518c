"""Train model-size x P sweeps, fit parallel scaling laws, regenerate the paper's figures.

N is non-embedding parameters, P parallel streams, D training tokens, loss in nats per token.
"""

from parscale.cli.main import build_parser, main

__all__ = ["build_parser", "main"]
