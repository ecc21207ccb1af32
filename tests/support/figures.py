"""Figures that tests measure: printed, so that `pytest -rP` or `-s` shows them."""

import sys
from collections.abc import Sequence


def show(text: str) -> None:
    """Print one line."""
    sys.stdout.write(f"[figure] {text}\n")


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of all values does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def spread(name: str, values: Sequence[float], unit: str = "ms") -> str:
    """Describe values in one line, and print it."""
    parts = [f"{label} {quantile(values, q):.1f}" for label, q in (("p50", 0.5), ("p99", 0.99))]
    text = f"{name}: {', '.join(parts)}, max {max(values):.1f} {unit} (n={len(values)})"
    show(text)
    return text
