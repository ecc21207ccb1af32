"""The account's journal: what must survive, in SQLite, behind one seam (`store.Store`)."""
