"""Identities. Foreign ids are strings; inside, small integers by first appearance in the log."""

from typing import NewType

MarketIx = NewType("MarketIx", int)
"""Index of a market in the catalog: 0, 1, 2 … in the order the log first names them."""

ConnId = NewType("ConnId", int)
"""One connection, from open to close; never reused within a run."""

Seq = NewType("Seq", int)
"""Position of an event in the log, from 1. A snapshot's id is the seq that caused it."""

StrategyId = NewType("StrategyId", str)

ConditionId = NewType("ConditionId", str)
"""The venue's id of a market (`0x…`)."""

TokenId = NewType("TokenId", str)
"""The venue's id of one outcome token (a decimal string of up to 78 digits)."""
