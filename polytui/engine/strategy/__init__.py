"""Strategies: functions from a snapshot to a decision."""
