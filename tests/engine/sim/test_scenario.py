"""Scenario files: strict to read, exact to play."""

import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.sim.exchange.terms import MarketTerms, Resolution, VenueMode
from polytui.engine.sim.faults import (
    ChangeTick,
    CutStreams,
    Drain,
    ResolveMarket,
    Restart,
    SetMode,
    Switches,
)
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.population.weather import Regime
from polytui.engine.sim.scenario import Entry, Names, Scenario, Script, active_faults, parse

SECOND_NS = 1_000_000_000
WHOLE = """
title = "Everything"
about = "All that a file may say."
rows = ["A1"]
repeat_s = 100

[switches]
market_delay = { low_ms = 5, high_ms = 40 }

[population]
herd = 9
regime = "calm"

[[at]]
s = 20.5
for_s = 15
note = "Torn."
switches = { torn_ms = 300, deaf_tokens = ["@updown:no"] }
population = { herd = 40, regime = "high_vol" }
acts = [{ act = "restart", down_ms = 20_000 }, { act = "cut_streams", user = false }]
"""


def read(text: str) -> Script:
    return parse(text, source="file.toml")


# --- reading -------------------------------------------------------------------------------------


def test_a_file_says_switches_population_and_acts() -> None:
    script = read(WHOLE)
    (entry,) = script.at
    assert script.switches.market_delay.high_ms == 40
    assert script.population == Temper(herd=9, regime=Regime.CALM)
    assert entry.acts == (Restart(down_ms=20_000), CutStreams(user=False))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title = 3", "file.toml: title: expected `str`, got `int`, was 3"),
        ("about = 'x'", "file.toml: file: object missing required field `title`"),
        ("title = 'x'\nfoo = 1", "file.toml: file: object contains unknown field `foo`"),
        ("title =", "file.toml: expected TOML, was not: Invalid value (at end of document)"),
        (
            "title = 'x'\n[switches]\nframe_dropp = 0.1",
            "file.toml: switches: object contains unknown field `frame_dropp`",
        ),
        (
            "title = 'x'\n[switches]\nframe_drop = 3.0",
            "file.toml: switches.frame_drop: expected a chance, 0 to 1, was 3.0",
        ),
        (
            "title = 'x'\n[switches]\ntorn_ms = -1",
            "file.toml: switches.torn_ms: expected 0 or more, was -1",
        ),
        (
            "title = 'x'\n[population]\nregime = 'hot'",
            "file.toml: population.regime: invalid enum value 'hot', was 'hot'",
        ),
        (
            "title = 'x'\n[population]\nherd = 501",
            "file.toml: population.herd: expected 0 to 500, was 501",
        ),
        (
            "title = 'x'\n[[at]]\ns = -1",
            "file.toml: at[0].s: expected 0 to 86400, was -1.0",
        ),
        (
            "title = 'x'\n[[at]]\ns = 1\n[[at]]\ns = 2\nswitches = { frame_drop = 'a' }",
            "file.toml: at[1].switches.frame_drop: expected `float`, got `str`, was 'a'",
        ),
        (
            "title = 'x'\n[[at]]\ns = 1\nacts = [{ act = 'boom' }]",
            "file.toml: at[0].acts[0].act: invalid value 'boom', was 'boom'",
        ),
        (
            "title = 'x'\n[[at]]\ns = 1\nacts = [{ act = 'restart', down = 3 }]",
            "file.toml: at[0].acts[0]: object contains unknown field `down`",
        ),
        (
            "title = 'x'\nrepeat_s = 10\n[[at]]\ns = 8\nfor_s = 5",
            "file.toml: repeat_s: expected 0 or more than 13, was 10.0",
        ),
    ],
)
def test_what_a_file_may_not_say_is_refused_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(OperatorError) as refusal:
        read(text)
    assert str(refusal.value) == sentence


# --- playing -------------------------------------------------------------------------------------


def test_steps_come_in_order_each_once_and_go_back_by_themselves() -> None:
    scenario = Scenario(read(WHOLE), start_ns=0)
    assert scenario.next_due_ns() == int(20.5 * SECOND_NS)
    assert scenario.due(20 * SECOND_NS) == []
    begin, end = scenario.due(60 * SECOND_NS)
    assert begin.switches is not None
    assert begin.switches.torn_ms == 300
    assert begin.switches.market_delay.high_ms == 40, "what is not named stays"
    assert begin.temper == Temper(herd=40, regime=Regime.HIGH_VOL)
    assert end.at_ns == int(35.5 * SECOND_NS)
    assert end.switches == scenario.script.switches
    assert end.temper == scenario.script.population
    assert end.acts == ()
    assert scenario.due(60 * SECOND_NS) == []


def test_a_script_that_repeats_begins_again_as_in_the_beginning() -> None:
    text = "title = 'x'\nrepeat_s = 10\n[[at]]\ns = 3\nswitches = { torn_ms = 5 }"
    scenario = Scenario(read(text), start_ns=7)
    steps = scenario.due(25 * SECOND_NS)
    torn = [(s.at_ns - 7, s.switches.torn_ms) for s in steps if s.switches is not None]
    assert torn == [(n * SECOND_NS, ms) for n, ms in ((3, 5), (10, 0), (13, 5), (20, 0), (23, 5))]


def test_however_time_is_cut_the_same_steps_come() -> None:
    whole = Scenario(read(WHOLE), start_ns=0).due(400 * SECOND_NS)
    scenario = Scenario(read(WHOLE), start_ns=0)
    cut = [
        step for n in range(0, 401, 7) for step in scenario.due(min(n * SECOND_NS, 400 * SECOND_NS))
    ]
    assert cut + scenario.due(400 * SECOND_NS) == whole


def test_one_entry_ending_does_not_undo_another_that_goes_on() -> None:
    text = """
    title = "x"
    [[at]]
    s = 1
    for_s = 10
    switches = { torn_ms = 5 }
    [[at]]
    s = 2
    for_s = 2
    switches = { frame_drop = 0.5 }
    """
    scenario = Scenario(read(text), start_ns=0)
    scenario.due(5 * SECOND_NS)
    assert scenario.switches == Switches(torn_ms=5)


def test_an_operator_adds_trouble_and_ends_it_while_the_script_goes_on() -> None:
    scenario = Scenario(read(WHOLE), start_ns=0)
    scenario.inject(Entry(s=0, for_s=3, switches={"frame_drop": 0.2}), 2 * SECOND_NS)
    (step,) = scenario.due(4 * SECOND_NS)
    assert step.switches is not None
    assert step.switches.frame_drop == 0.2
    scenario.heal(int(4.5 * SECOND_NS))
    scenario.due(int(4.6 * SECOND_NS))
    assert scenario.switches == scenario.script.switches
    assert scenario.due(21 * SECOND_NS)[-1].note == "Torn."


def test_faults_in_force_are_named_with_their_values() -> None:
    switches = Switches(market_freeze=True, torn_ms=300, frame_drop=0.25, deaf_tokens=("123",))
    assert active_faults(switches) == (
        "market_freeze",
        "deaf_tokens 123",
        "torn_ms 300",
        "frame_drop 0.25",
    )
    assert active_faults(Switches()) == ()


# --- names ---------------------------------------------------------------------------------------


def terms(
    slug: str, *, end_s: int = 9_999, up: bool = False, neg_risk: bool = False
) -> MarketTerms:
    return MarketTerms(
        condition=f"0x{slug}",
        tokens=(f"{slug}-yes", f"{slug}-no"),
        question=slug,
        slug=slug,
        outcomes=("Up", "Down") if up else ("Yes", "No"),
        neg_risk=neg_risk,
        end_ns=end_s * SECOND_NS,
    )


MARKETS = (
    terms("one"),
    terms("two"),
    terms("six", neg_risk=True),
    terms("late", up=True, end_s=900),
    terms("now", up=True, end_s=600),
    terms("gone", up=True, end_s=300),
)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("@first", "one"),
        ("@second", "two"),
        ("@group", "six"),
        ("@updown", "now"),
        ("@next", "late"),
        ("two", "two"),
        ("0xtwo", "two"),
    ],
)
def test_a_market_is_found_by_role_slug_or_id(name: str, slug: str) -> None:
    assert Names(MARKETS, now_ns=400 * SECOND_NS).market(name).slug == slug


def test_tokens_addresses_and_acts_get_their_ids() -> None:
    names = Names(MARKETS, now_ns=400 * SECOND_NS, wallet="0xabc")
    switches = Switches(deaf_tokens=("@updown:no", "one:yes", "77"), ghost_markets=("two",))
    named = names.switches(switches)
    assert named.deaf_tokens == ("now-no", "one-yes", "77")
    assert named.ghost_markets == ("0xtwo",)
    assert names.act(ChangeTick(market="@first", tick_u6=100)) == ChangeTick(
        market="0xone", tick_u6=100
    )
    resolve = ResolveMarket(market="two", outcome=Resolution.NO)
    assert names.act(resolve) == ResolveMarket(market="0xtwo", outcome=Resolution.NO)
    assert names.act(Drain(address="@wallet")) == Drain(address="0xabc")
    mode = SetMode(mode=VenueMode.CANCEL_ONLY)
    assert names.act(mode) is mode


@pytest.mark.parametrize("name", ["nobody", "@nobody", ""])
def test_an_unknown_market_is_refused(name: str) -> None:
    with pytest.raises(OperatorError, match=r"expected a market's slug or one of @updown"):
        Names(MARKETS, now_ns=0).market(name)


def test_a_token_needs_its_side() -> None:
    with pytest.raises(OperatorError, match="expected a market and :yes or :no, was '@updown'"):
        Names(MARKETS, now_ns=0).token("@updown")
