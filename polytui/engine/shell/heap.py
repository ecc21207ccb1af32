"""How the engine's process treats its memory: what lives for ever is never looked at again."""

import gc
from typing import Final

GC_THRESHOLDS: Final = (50_000, 50, 1_000)
"""Rarely look, and then at little: a full collection stops the loop for tens of milliseconds."""


def freeze_memory() -> None:
    """Take what lives for ever out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
