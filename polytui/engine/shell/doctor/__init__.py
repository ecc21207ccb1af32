"""`polytui doctor`: looks at everything an engine stands on, changes nothing, names the remedies."""
