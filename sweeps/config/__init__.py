"""Configurations of models, runs and their execution."""

from sweeps.config.execution import Execution
from sweeps.config.run import ModelConfig, RunConfig

__all__ = ["Execution", "ModelConfig", "RunConfig"]
