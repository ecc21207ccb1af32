"""When the other routes to the engine are looked for: while the link is lost, and only then."""

from collections.abc import Callable
from pathlib import Path

from polytui.routes import Routes
from polytui.screens.route_words import RoutesView, target_of
from polytui.screens.store import Phase, Store


class RouteWatch:
    """Follows the store, and keeps what was found."""

    def __init__(self, socket: Path | None, clock: Callable[[], int]) -> None:
        """`socket` is where the engine listens; with None nothing is ever looked for."""
        self._socket = socket
        self.routes = Routes(clock)

    def look(self, store: Store, now_mono_ns: int) -> RoutesView | None:
        """Tell what is known of the other routes; None while the link holds."""
        if self._socket is None or store.phase(now_mono_ns) is not Phase.LOST:
            self.close()
            return None
        target = target_of(str(self._socket), store.hello, store.status)
        self.routes.follow(target)
        return RoutesView(
            target=target,
            found=self.routes.found,
            since_ns=self.routes.since_ns,
            now_ns=now_mono_ns,
            lost_s=int(store.silence_s(now_mono_ns)),
            why=store.trouble(),
            role=store.role,
        )

    def close(self) -> None:
        """Look for nothing any more."""
        self.routes.follow(None)
