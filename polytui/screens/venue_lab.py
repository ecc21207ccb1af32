"""The venue lab: what the practice venue is up to, troubles to cause; other venues have none."""

from functools import partial

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.actions import ACTIONS, key_text
from polytui.engine.core.section import CountView
from polytui.engine.core.view import VENUE_LAB, FaultView, VenueLabView
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.screens.times import Times
from polytui.widgets.bits import pair as bits_pair
from polytui.widgets.lines import Line, Panel, fit
from polytui.widgets.live_table import Column, LiveTable, Row, wrap

KEYS = {a.args[0]: key_text(a.keys[0]) for a in ACTIONS if a.directive == "venue.fault" and a.args}
"""Keys of the troubles that have one."""
ANY_KEY = "f"
NOTE_ROWS = 6

TROUBLE_COLUMNS = (
    Column(key="key", head="key", width=3),
    Column(key="trouble", head="trouble", width=14),
    Column(key="state", head="state", width=8),
    Column(key="what", head="what happens", width=30, least=12, most=120),
)


def trouble_row(offer: FaultView, times: Times) -> Row:
    """Turn a trouble into a row: its key, and how long it still lasts."""
    left_s = -((times.now_ns - offer.until_ns) // 10**9)
    is_on = offer.until_ns > times.now_ns
    return Row(
        key=offer.name,
        mark="!" if is_on else " ",
        cells=(
            (KEYS.get(offer.name, ANY_KEY), "key"),
            (fmt.foreign(offer.title, 14), "strong" if is_on else ""),
            (f"ON {left_s}s" if is_on else fmt.ABSENT, "warn" if is_on else "dim"),
            (fmt.foreign(offer.help, 120), "dim"),
        ),
        extra=offer.name,
    )


pair = partial(bits_pair, width=11)


def scenario_lines(view: VenueLabView, times: Times, width: int) -> list[Line]:
    """Draw the scenario: what is wrong now, what comes next, what was done last."""
    faults = ", ".join(fmt.foreign(fault, 40) for fault in view.faults)
    normal = view.mode == "normal"
    following = "nothing more"
    if view.next_ns is not None:
        following = f"in {fmt.age(max(view.next_ns - times.now_ns, 0))}"
    lines = [
        pair("scenario", fmt.foreign(view.scenario, 40), "strong"),
        pair("running", f"{times.ago(view.started_ns)}, next change {following}"),
        pair("venue", fmt.foreign(view.mode).replace("_", " "), "" if normal else "warn"),
        pair("faults", faults or "none", "warn" if faults else "dim"),
    ]
    for note in view.notes[:NOTE_ROWS]:
        age = fmt.pad(times.ago(note.at_ns), 6, right=True)
        lines.append(((age, "dim"), (f"  {fmt.foreign(note.text, 120)}", "")))
    about = wrap(fmt.foreign(view.about, 400), max(width, 8))
    lines += [(), *(((text, "dim"),) for text in about)]
    return [fit(line, width) for line in lines]


def people_lines(view: VenueLabView) -> list[Line]:
    """Draw the population and the weather it trades in."""
    held = f"held {fmt.foreign(view.held_regime)}" if view.held_regime else "each flips by itself"
    regimes = "  ".join(_counted(row) for row in view.regimes if row.value)
    informed = f"{view.informed:.0%} of chances"
    return [
        pair("bitcoin", f"${view.price_u6 / 1e6:,.2f}  {fmt.foreign(view.price_regime)}"),
        pair("markets", regimes.replace("_", " ")),
        pair("regime", held, "warn" if view.held_regime else "dim"),
        pair(
            "hot", f"{view.hot} books thin" if view.hot else "none", "warn" if view.hot else "dim"
        ),
        (),
        pair("herd", f"{view.herd} members", "warn" if view.herd >= 50 else ""),
        pair("makers", f"{view.makers} kinds, pace x{view.pace:.2f}"),
        pair("informed", informed if view.informed else "silent"),
        pair("arbitrage", "on" if view.arbitrage else "off", "" if view.arbitrage else "dim"),
    ]


def count_lines(view: VenueLabView) -> list[Line]:
    """Draw what the exchange has counted; failed trades stand out."""
    return [
        pair(row.name, fmt.count(row.value), "warn" if row.name == "failed" and row.value else "")
        for row in view.counters
    ]


def _counted(row: CountView) -> str:
    return f"{fmt.foreign(row.name)} {row.value}"


class VenueLab(Page):
    """The page for rehearsals."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.troubles = LiveTable(
            TROUBLE_COLUMNS,
            title="a Troubles",
            empty="The practice venue offers no trouble.",
            id="lab-troubles",
        )
        self.scenario = Panel(title="b Scenario", id="lab-scenario", classes="-last")
        self.people = Panel(title="c Population", id="lab-people")
        self.counts = Panel(title="d Exchange", id="lab-counts")

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield self.troubles
        sides = (self.scenario, self.people, self.counts)
        yield Container(*sides, id="lab-sides", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels."""
        return (
            Part(panel=self.troubles, topic=VENUE_LAB, fill=self._fill_troubles),
            Part(panel=self.scenario, topic=VENUE_LAB, fill=self._fill_scenario),
            Part(panel=self.people, topic=VENUE_LAB, fill=self._fill_people),
            Part(panel=self.counts, topic=VENUE_LAB, fill=self._fill_counts),
        )

    def topics(self) -> tuple[str, ...]:
        """Only the venue's own section; the status always comes."""
        return (VENUE_LAB,)

    def _fill_troubles(self, scene: Scene) -> None:
        view = self._view(self.troubles, scene)
        if view is not None:
            made = [trouble_row(offer, scene.times) for offer in view.offers]
            on = sum(offer.until_ns > scene.times.now_ns for offer in view.offers)
            self.troubles.set_rows(made, note=f"{on} on" if on else f"{ANY_KEY} causes, h heals")

    def _fill_scenario(self, scene: Scene) -> None:
        view = self._view(self.scenario, scene)
        if view is not None:
            width = self.scenario.inner[0]
            self.scenario.show(scenario_lines(view, scene.times, width))

    def _fill_people(self, scene: Scene) -> None:
        view = self._view(self.people, scene)
        if view is not None:
            self.people.show(people_lines(view))

    def _fill_counts(self, scene: Scene) -> None:
        view = self._view(self.counts, scene)
        if view is not None:
            self.counts.show(count_lines(view))

    def _view(self, panel: Panel, scene: Scene) -> VenueLabView | None:
        section = scene.store.sections.get(VENUE_LAB)
        if isinstance(section, VenueLabView):
            return section
        self.wait_for(panel, VENUE_LAB, scene)
        return None
