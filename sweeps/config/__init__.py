"""Configurations of models, runs and their execution."""

from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig

__all__ = ["Execution", "ModelConfig", "RunConfig"]
