"""What both accounts share: the gate, the kill, the mode, the release ladder, the host's facts."""

from collections.abc import Callable
from typing import Final

from polytui.engine.core.account_events import PaperRead
from polytui.engine.core.commands import Command, Notify, RecordControl
from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import Realm, TradingState
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.trading import HostFacts
from polytui.engine.decide.alerts import KEY as ALERTS_KEY
from polytui.engine.decide.alerts import Alerts
from polytui.engine.decide.causes import Cause, Clears
from polytui.engine.decide.governor import Governor
from polytui.engine.decide.killswitch import KEY as KILL_KEY
from polytui.engine.decide.killswitch import KillSwitch
from polytui.engine.decide.modes import KEY as MODE_KEY
from polytui.engine.decide.modes import Modes, Moved
from polytui.engine.decide.release import KEY as GATES_KEY
from polytui.engine.decide.release import ReleaseGates

OPERATOR: Final = "operator"
PAPER_KEY: Final = "paper"
"""Of `RecordControl`: the configuration that last ran in PAPER."""
NO_HOST: Final = HostFacts(
    latch_clear=False,
    lock_held=False,
    config_hash="",
    journal_ok=False,
    journal_fill=1.0,
    loop_lag_ns=0,
)
"""Before the shell measured anything, nothing may be assumed."""


class ControlRoom:
    """Governor, kill switch, modes and release gates, with what a restart must know of them."""

    __slots__ = (
        "alerts",
        "config",
        "counted",
        "gates",
        "governor",
        "host",
        "host_ns",
        "is_dirty",
        "kept",
        "kill",
        "modes",
        "paper",
        "paper_hash",
        "strategies",
        "wants_kill",
    )

    def __init__(self, config: RunConfig, strategies: tuple[str, ...], *, at_ns: int) -> None:
        """Begin in the configured mode, with nothing killed, tripped or released."""
        self.config = config
        self.strategies = strategies
        self.governor = Governor(config.limits)
        self.kill = KillSwitch()
        self.alerts = Alerts()
        self.modes = Modes(config.mode, is_practice=True, at_ns=at_ns)
        self.gates = ReleaseGates(strategies, is_practice=True, at_ns=at_ns)
        self.host = NO_HOST
        self.host_ns = 0
        self.wants_kill = ""
        """Why a breaker demands the kill; carried out at the end of the step."""
        self.paper_hash = ""
        """Configuration hash that last ran in PAPER."""
        self.paper: PaperRead | None = None
        """What paper came to in this run; None: nothing yet."""
        self.counted: Callable[[str], tuple[int, int]] = lambda _strategy: (0, 0)
        """Counts decisions and intents of a strategy in this run: the engine's own record."""
        self.is_dirty = False
        """A control changed that must be recorded at once."""
        self.kept: dict[str, str] = dict(self._rows())
        """Controls as last recorded, at first as they begin: only what changed is written."""

    # --- what both accounts ask ------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """The mode of now."""
        return self.modes.mode

    @property
    def realm(self) -> Realm | None:
        """The realm that decisions become orders in; None: they are recorded only."""
        if self.mode is Mode.PAPER:
            return Realm.PAPER
        return Realm.LIVE if self.mode in (Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED) else None

    def is_released(self, strategy: str, realm: Realm) -> bool:
        """Tell whether a strategy's gate lets it trade; people need none."""
        if strategy not in self.strategies:
            return True
        return self.gates.is_released(strategy, realm, self.mode)

    def whose_money(self, *, is_practice: bool) -> None:
        """Learn whose money it is, once a port says so."""
        self.modes.is_practice = is_practice
        self.gates.is_practice = is_practice

    # --- causes ----------------------------------------------------------------------------------

    def halt(self, realm: Realm, name: str, why: str, *, owner: str, at_ns: int) -> None:
        """Halt trading for a cause that only a person clears."""
        self.put(realm, name, why, owner=owner, at_ns=at_ns, clears=Clears.PERSON)

    def put(
        self,
        realm: Realm,
        name: str,
        why: str,
        *,
        owner: str,
        at_ns: int,
        clears: Clears = Clears.EVIDENCE,
        state: TradingState = TradingState.HALTED,
    ) -> None:
        """Put a cause."""
        cause = Cause(
            name=name, state=state, owner=owner, clears=clears, why=why[:80], since_ns=at_ns
        )
        if self.governor.desks[realm].causes.put(cause):
            self.is_dirty = True

    # --- the mode falls --------------------------------------------------------------------------

    def moved(self, moved: Moved | None, seq: int) -> list[Command]:
        """Tell of a change of mode."""
        if moved is None:
            return []
        return [Notify(cause=seq, code=f"MODE_{moved.reason.split(' ')[0]}", text=moved.text[:200])]

    # --- keep ------------------------------------------------------------------------------------

    def changes(self, seq: int) -> list[Command]:
        """Record every control that changed since it was last recorded."""
        self.is_dirty = False
        rows = self._rows()
        changed = [(key, value) for key, value in rows if self.kept.get(key) != value]
        self.kept.update(changed)
        return [RecordControl(cause=seq, key=key, value=value) for key, value in changed]

    def _rows(self) -> list[tuple[str, str]]:
        return [
            *self.governor.dump(),
            (KILL_KEY, self.kill.dump()),
            (MODE_KEY, self.modes.dump()),
            (ALERTS_KEY, self.alerts.dump()),
            (PAPER_KEY, self.paper_hash),
        ]

    def record_gates(self, seq: int) -> RecordControl:
        """Record the release ladder: once a minute, as time lived grows."""
        return RecordControl(cause=seq, key=GATES_KEY, value=self.gates.dump())
