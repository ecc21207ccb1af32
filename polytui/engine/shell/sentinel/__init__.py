"""The sentinel: a process that cancels everything when the engine falls silent (kill rung K3)."""
