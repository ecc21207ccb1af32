"""Who trades on the practice venue, and the hidden truths they trade on."""
