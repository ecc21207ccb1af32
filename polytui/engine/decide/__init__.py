"""From decisions to what may leave: the arbiter and, later, the governor."""
