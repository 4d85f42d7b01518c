"""Timings and studies that write the tables of results/ and docs/."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
