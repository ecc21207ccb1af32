"""Benchmarks: one JSON object a line on standard output."""
