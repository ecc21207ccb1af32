"""The terminal's bell: for critical alerts that nobody has acknowledged, and for nothing else."""

BELL_NS = 30 * 10**9
"""It rings again after this, until somebody acknowledges."""


class Bell:
    """Decides when it rings: pure, told the time."""

    def __init__(self) -> None:
        self.muted = False
        self._heard = 0
        self._rang_ns = 0

    def rings(self, critical: int, now_ns: int) -> bool:
        """Tell whether to ring for so many critical alerts: at a new one, then every 30 s."""
        is_new = critical > self._heard
        self._heard = critical
        if not critical or not (is_new or now_ns - self._rang_ns >= BELL_NS):
            return False
        self._rang_ns = now_ns
        return not self.muted
