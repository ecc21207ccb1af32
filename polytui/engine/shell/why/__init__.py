"""Why it happened, and why not: provenance read from the store alone, engine running or not."""
