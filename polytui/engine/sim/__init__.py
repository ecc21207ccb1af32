"""Deterministic simulation and replay: no I/O."""
