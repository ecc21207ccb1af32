"""The Prometheus exporter: families as a table, one collector that reads the View, one server."""
