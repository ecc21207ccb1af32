"""Bytes to events, pure: one module per source."""
