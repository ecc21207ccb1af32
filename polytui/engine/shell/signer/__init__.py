"""The signer: a small process of its own that alone holds the wallet key, and how to talk to it."""
