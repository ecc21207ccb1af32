"""polytui: an operator's console for a multi-strategy Polymarket trading engine."""

__version__ = "0.1.0"
