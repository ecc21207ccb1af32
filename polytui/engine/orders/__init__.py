"""The order path, pure: amounts, hashes, lifecycles, trades, bundles, reconciliation."""
