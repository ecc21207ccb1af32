"""Between the engine and the money: store, latch, ports, signer, sentinel, one desk for all."""
