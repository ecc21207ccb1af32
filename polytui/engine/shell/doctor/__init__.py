"""`polytui doctor`: looks at everything an engine stands on, and changes nothing."""
