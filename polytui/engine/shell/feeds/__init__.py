"""Sockets of the reference feeds: Coinbase, Binance, Chainlink's relay."""
