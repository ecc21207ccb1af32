"""The practice venue's wire: Polymarket's REST and streams on loopback, over the exchange core."""
