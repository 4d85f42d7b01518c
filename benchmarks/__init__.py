"""Timings and studies that write the tables of results/ and docs/."""
