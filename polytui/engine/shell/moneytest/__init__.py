"""`polytui money-test`: the whole order path once, with cents, on the practice venue."""
