"""What the pages are built of: line widgets that draw tuples of text, and nothing that thinks.

Importing this package comes before importing textual, which reads its frame rate once.
"""

import os

FPS = "30"
"""Frames a second at most. Repaints come from one timer at 1 to 10 Hz; this bounds only how long a
key waits behind the frame before it (33 ms; at Textual's 60 it costs more wake-ups, at 15 a key
waits up to 67 ms and misses the 50 ms bar)."""

os.environ.setdefault("TEXTUAL_FPS", FPS)
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
