"""The paper venue: simulated fills on live books, honest about queue, depth and delay.

Nothing of it is the practice exchange: there is no population here. What others do is what the
real market did; only our own orders are imagined, and never so that one displayed share is spent
twice or a queue is jumped. Rules: `replay.md`.
"""
