from polytui.engine.core.messages import Absent, Beat, Show
from polytui.engine.core.view import STATUS
from polytui.link import LinkState
from polytui.screens.store import Phase, Store
from polytui.screens.times import TimeBase
from tests.console import views

S = views.S


def connected(now_ns: int = 0) -> Store:
    store = Store(now_ns)
    store.take(views.HELLO, now_ns)
    store.take(Show(topic=STATUS, section=views.STATUS), now_ns)
    return store


def test_silence_is_a_stripe_after_two_seconds_and_a_loss_after_five() -> None:
    store = connected()
    assert store.phase(0) is Phase.LIVE
    assert store.phase(2 * S - 1) is Phase.LIVE
    assert store.phase(2 * S) is Phase.SILENT
    assert store.phase(5 * S) is Phase.LOST
    store.take(Beat(at_ns=views.NOW + 6 * S, seq=1), 6 * S)
    assert store.phase(6 * S) is Phase.LIVE


def test_a_console_that_never_heard_an_engine_waits_and_then_says_so() -> None:
    assert Store(0).phase(1 * S) is Phase.WAITING
    assert Store(0).phase(5 * S) is Phase.LOST


def test_a_broken_link_is_remembered_with_its_reason() -> None:
    store = connected()
    store.take(LinkState(up=False, why="ECONNRESET", since_mono_ns=0), 1 * S)
    assert store.trouble() == "ECONNRESET"
    assert "ECONNRESET" in store.history[-1][1]


def test_time_goes_on_between_messages_and_stops_with_the_link() -> None:
    store = connected()
    assert store.engine_ns(1 * S) == views.NOW + 1 * S
    assert store.engine_ns(60 * S) == views.NOW


def test_a_new_boot_voids_everything_and_is_told() -> None:
    store = connected()
    store.take(Show(topic="decisions", section=views.decisions()), 0)
    assert store.strategies() == ("box",)
    hello = type(views.HELLO)(
        protocol="1.0", boot="77aa0012", role="rw", run="r2", version="0.1.0", pid=9
    )
    store.take(hello, 1)
    assert store.status is None
    assert store.strategies() == ()
    assert store.restarted == "5d2c81aa -> 77aa0012"


def test_what_is_no_longer_watched_is_dropped() -> None:
    store = connected()
    store.take(Show(topic="decisions", section=views.decisions()), 0)
    store.keep((STATUS,))
    assert store.decisions is None
    assert store.status is not None


def test_a_topic_that_does_not_exist_loses_its_section() -> None:
    store = connected()
    store.take(Absent(topic=STATUS, why="gone"), 0)
    assert store.status is None
    assert store.absent[STATUS] == "gone"


def test_wall_times_need_a_status() -> None:
    assert Store(0).times(0, TimeBase.UTC).text(None) == "-"
    assert connected().times(0, TimeBase.UTC).text(views.NOW) == "14:02:11"
