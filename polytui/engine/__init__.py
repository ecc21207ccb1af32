"""The engine: pure core below, shells that do I/O above. See docs/design.md."""
