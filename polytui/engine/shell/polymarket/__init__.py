"""The Polymarket adapter: streams, requests and the execution port of the LIVE realm.

It speaks to polymarket.com and to the practice venue alike: addresses, chain and contracts are
configuration. Outcomes are typed everywhere: accepted, refused with a code, or unknown; a failed
read is a `Failed`, never an empty list; nothing raises into the engine.
"""
