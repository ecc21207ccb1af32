"""The registry from every side: palette, `:` line, command line, socket; and the line itself."""

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui.actions import Facts, refuse_verb
from polytui.actions.known import Known, Name
from polytui.actions.line import History, candidates, completed, read_line
from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import Ask
from polytui.engine.core.registry import REGISTRY, VERBS, read, registry_hash
from polytui.engine.core.verbs import MODES, Kind, Need, Risk, Verb, need_of, risk_of
from polytui.engine.shell.ctl import listing, request
from polytui.engine.shell.directives import RULES, refuse
from polytui.screens.bell import BELL_NS, Bell
from polytui.screens.palette import entries
from tests.console import account_views, views
from tests.console.stage import Stage, play, screen_text, settle

FACTS = Facts(linked=True, role="rw", mode=Mode.PAPER, killed=True, practice=True)
KNOWN = Known(
    strategies=(Name("box"), Name("boxer"), Name("mm")),
    markets=(Name("0x11", ("fed-dec-25bp",)), Name("0x12", ("fed-jan",)), Name("0x2", ("btc",))),
    orders=(Name("r1-88001-1"),),
    limits=(Name("total_u6"), Name("market_u6")),
    causes=(Name("operator"),),
    alerts=(Name("a12", ("a12", "LEG_OPEN")),),
)
SAMPLE: dict[Kind, str] = {
    Kind.STRATEGY: "box",
    Kind.TROUBLE: "torn",
    Kind.SCOPE: "all",
    Kind.HELD: "all",
    Kind.CAUSE: "all",
    Kind.BREAKER: "drawdown",
    Kind.LIMIT: "total_u6",
    Kind.MODE: "paper",
    Kind.GATE: "dev",
    Kind.ALERT: "a12",
    Kind.NUMBER: "5",
    Kind.WHOLE: "4",
    Kind.SPAN: "30m",
    Kind.TEXT: "because",
    Kind.SECRET: "hush",
}
OFFERED = [verb for verb in VERBS if not verb.internal]


def sample(verb: Verb) -> tuple[str, ...]:
    """Give arguments that a verb takes, without its phrase."""
    return tuple(SAMPLE[arg.kind] for arg in verb.args if not arg.optional)


# --- one registry --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", OFFERED, ids=lambda verb: verb.id)
def test_every_verb_is_reachable_from_palette_line_shell_and_socket(verb: Verb) -> None:
    words = (verb.id, *sample(verb))
    listed = {action.directive for action, _, _ in entries(replace(FACTS, page="risk"))}
    assert verb.id in listed
    typed = read_line(" ".join(words), FACTS, KNOWN)
    assert typed.verb is verb
    assert verb.usage in listing(json=False)
    if verb.is_secret:
        assert "polytui unlock" in typed.why, "a secret is typed where nobody sees it"
        assert verb.id not in RULES
        return
    assert typed.args == request(words)[1] == sample(verb)
    ask = Ask(id="1", action=verb.id, args=sample(verb))
    assert refuse(ask, strategies=("box",), troubles=("torn",)) is None


@pytest.mark.parametrize("verb", OFFERED, ids=lambda verb: verb.id)
def test_every_verb_is_refused_for_read_only_clients(verb: Verb) -> None:
    said = refuse_verb(verb, replace(FACTS, role="ro"), verb.risk)
    assert said is not None
    assert "read-only" in said or verb.is_secret
    assert read_line(verb.id, replace(FACTS, role="ro"), KNOWN).why


def test_what_the_process_asks_alone_is_offered_to_nobody() -> None:
    assert "engine.drain" not in RULES
    answer = refuse(Ask(id="1", action="engine.drain"), strategies=())
    assert answer is not None
    assert answer.code == "unknown_action"
    assert "engine.drain" not in listing(json=False)


def test_every_alias_leads_to_its_verb_and_stands_for_one_thing() -> None:
    words = [alias.words for verb in VERBS for alias in verb.aliases]
    assert len(words) == len(set(words))
    for verb in VERBS:
        for alias in verb.aliases:
            assert read(alias.words.split()).verb is verb


@pytest.mark.parametrize("verb", OFFERED, ids=lambda verb: verb.id)
def test_every_example_can_be_sent(verb: Verb) -> None:
    for example in verb.examples:
        found = read(example.split())
        assert (found.verb, found.problem) == (verb, ""), example


def test_the_hash_is_of_the_whole_table() -> None:
    assert registry_hash().startswith("sha256:")
    assert registry_hash() in listing(json=True)


# --- the rules of confirmation ------------------------------------------------------------------

_Y, _NO, _LEGS, _TYPED = Need.YES, Need.NONE, Need.LEGS, Need.TYPED
RULE: dict[str, tuple[Need, ...]] = {
    "orders.cancel": (_NO, _NO, _LEGS, _LEGS),
    "risk.flatten": (_Y, _Y, _TYPED, _TYPED),
    "risk.clear": (_TYPED,) * 4,
    "engine.stop": (_Y, _Y, _Y, _TYPED),
    "strategy.resume": (_NO, _NO, _Y, _Y),
    "gate.promote": (_TYPED,) * 4,
    "trading.resume": (_TYPED,) * 4,
    "breaker.reset": (_TYPED,) * 4,
    "limit.set": (Need.LOOSENS,) * 4,
}
"""What each mode asks for; all others ask for nothing (`mode.set`: `y` upwards)."""


@pytest.mark.parametrize("verb", OFFERED, ids=lambda verb: verb.id)
def test_the_rule_of_each_mode_is_the_table(verb: Verb) -> None:
    args = sample(verb)
    wanted = RULE.get(verb.id, (_NO,) * 4)
    if verb.id == "mode.set":
        wanted = (_Y, _NO, _NO, _NO)
    assert tuple(need_of(verb, args, mode) for mode in MODES) == wanted
    unknown = _Y if verb.id == "mode.set" else wanted[-1]
    assert need_of(verb, args, None) is unknown, "not known: the strictest"


@pytest.mark.parametrize("mode", [*MODES, None])
def test_less_risk_is_never_asked_about(mode: Mode | None) -> None:
    for verb in VERBS:
        if verb.risk is Risk.REDUCE:
            assert need_of(verb, sample(verb), mode) is Need.NONE
    cancel, set_mode = REGISTRY["orders.cancel"], REGISTRY["mode.set"]
    assert need_of(cancel, ("order:r1-1",), mode) is Need.NONE
    assert need_of(set_mode, ("shadow",), mode) is Need.NONE
    assert risk_of(cancel, ("order:r1-1",), mode) is Risk.REDUCE


# --- the line ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        ("pause box", "strategy.pause", ("box",)),
        ("pause m", "strategy.pause", ("mm",)),
        ("pause all", "strategy.pause_all", ()),
        ("canc boxer", "orders.cancel", ("strategy:boxer",)),
        ("cancel order:r1-88001-1", "orders.cancel", ("order:r1-88001-1",)),
        ("flatten btc", "risk.flatten", ("market:0x2",)),
        ("flatten all!", "risk.flatten", ("all",)),
        ("paper", "mode.set", ("paper",)),
        ("mode live_dry", "mode.set", ("live_dry_run",)),
        ("arm live cap=500 ttl=4h", "mode.preflight", ("500", "4")),
        ("cap total 250", "limit.set", ("total_u6", "250")),
        ("cap value=250 name=total_u6", "limit.set", ("total_u6", "250")),
        ("ack LEG", "alert.ack", ("a12",)),
        ("shelve a12 30m the venue said so", "alert.shelve", ("a12", "30m", "the", "venue",
                                                              "said", "so")),
        ("kill it looks wrong", "risk.kill", ("it", "looks", "wrong")),
    ],
)  # fmt: skip
def test_a_line_says_what_it_means(text: str, verb: str, args: tuple[str, ...]) -> None:
    typed = read_line(text, replace(FACTS, mode=Mode.LIVE_DRY_RUN, killed=False), KNOWN)
    assert (typed.verb and typed.verb.id, typed.args, typed.why) == (verb, args, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pause bo", "'bo' may be box, boxer"),
        ("flatten fed", "'fed' may be market:fed-dec-25bp, market:fed-jan"),
        ("xyzzy", "there is no verb 'xyzzy'"),
        ("s", "'s' may be"),
        ("cancel", "<scope> is missing"),
        ("cap total lots", "expected a number"),
        ("shelve a12 soon because", "expected minutes or hours"),
        ("mode live_armed", "expected one of"),
        ("disarm", "the engine is not armed"),
        ("unlock hush", "there is no verb 'unlock'"),
        ("orders now", "takes no words"),
    ],
)
def test_a_line_says_why_not_before_enter(text: str, why: str) -> None:
    assert why in read_line(text, FACTS, KNOWN).why


def test_the_hint_names_risk_rule_and_what_is_sent() -> None:
    hint = read_line("flatten btc", replace(FACTS, mode=Mode.LIVE_ARMED), KNOWN).hint
    assert hint.startswith("mixed, asks: typed FLATTEN <n>  risk.flatten market:0x2")
    hint = read_line("pause box", FACTS, KNOWN).hint
    assert hint.startswith("reduce, asks nothing  strategy.pause box")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("pau", ("pause", "pause all")),
        ("pause ", ("all", "box", "boxer", "mm")),
        ("cancel str", ("strategy:box", "strategy:boxer", "strategy:mm")),
        ("mode p", ("paper",)),
        ("book fed", ("fed-dec-25bp", "fed-jan")),
        ("theme poly-c", ("poly-cb",)),
        ("cap total_u6 ", ()),
    ],
)
def test_tab_offers_what_could_follow(text: str, first: tuple[str, ...]) -> None:
    assert candidates(text, KNOWN, ("poly-cb", "poly-dark")) == first


def test_a_completed_word_takes_the_place_of_the_typed_one() -> None:
    assert completed("pause bo", "box") == "pause box "
    assert completed("pau", "pause") == "pause "


def test_history_goes_through_lines_that_begin_as_typed() -> None:
    history = History()
    for text in ("pause box", "cancel all", "pause mm", "pause box"):
        history.add(text)
    assert history.step(-1, "pau") == "pause box"
    assert history.step(-1, "pau") == "pause mm"
    assert history.step(-1, "pau") is None
    assert history.step(1, "pau") == "pause box"
    history.reset()
    assert [history.step(-1, "") for _ in range(3)] == ["pause box", "pause mm", "cancel all"]


def live() -> Stage:
    return Stage(account_views.trading(views.live()))


def test_a_typed_command_goes_to_the_engine_as_a_key_would() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("colon", *"pau", "space", *"bo")
        await settle(stage, pilot)
        assert "reduce, asks nothing" in screen_text(stage)
        assert screen_text(stage).startswith(" PAPER ")
        await pilot.press("escape", "colon", *"xyzzy", "enter")
        await settle(stage, pilot)
        assert "no: there is no verb 'xyzzy'" in screen_text(stage)
        assert stage.link.asked == []
        await pilot.press("escape", "colon", *"pause bo", "tab", "enter")
        await settle(stage, pilot)
        assert stage.link.asked == [("strategy.pause", ("box",))]
        await pilot.press("colon", "up")
        await settle(stage, pilot)
        assert ":pause box" in screen_text(stage)
        await pilot.press("escape")
        await settle(stage, pilot)
        assert ":pause box" not in screen_text(stage)

    play(stage, script)


def test_a_typed_flatten_is_asked_back_by_the_engine() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("colon", *"flatten all", "enter")
        assert stage.link.asked == [("risk.flatten", ("all",))]
        stage.link.challenge("FLATTEN 4", "sells 4 positions for about $12")
        await settle(stage, pilot)
        assert "Sells 4 positions for about $12" in screen_text(stage)
        assert "risk.flatten all" in screen_text(stage)

    play(stage, script)


def test_pages_themes_and_the_kill_are_typed_too() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("colon", *"orders", "enter")
        await settle(stage, pilot)
        assert stage.app.page.page == "orders"
        await pilot.press("colon", *"theme poly-cb", "enter")
        await settle(stage, pilot)
        assert stage.app.theme == "poly-cb"
        await pilot.press("colon", *"kill the feed lies", "enter")
        await settle(stage, pilot)
        assert stage.link.kills == ["the feed lies"]

    play(stage, script)


@pytest.mark.parametrize(
    ("word", "page"), [("row.open", "book"), ("book", "book"), ("why", "decisions")]
)
def test_a_typed_market_is_shown_on_the_page_that_its_key_opens(word: str, page: str) -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        market = stage.app.page.market
        await pilot.press("colon", *f"{word} {market}", "enter")
        await settle(stage, pilot)
        assert (stage.app.page.page, stage.app.page.market) == (page, market)

    play(stage, script)


@pytest.mark.parametrize("size", [(40, 10), (80, 24)])
def test_the_line_leaves_the_mode_visible(size: tuple[int, int]) -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("colon", *"flatten all")

    text = play(stage, script, size=size)
    assert text.startswith(" PAPER ")
    assert ":flatten all" in text


def test_the_palette_opens_the_line_for_what_needs_words() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        stage.app.action_act("gate.promote")
        await settle(stage, pilot)
        assert ":gate.promote " in screen_text(stage)

    play(stage, script)


# --- alerts --------------------------------------------------------------------------------------


def test_a_acknowledges_the_alert_on_the_line_and_trading_is_not_asked() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("a")
        assert stage.link.asked == [("alert.ack", ("a1",))]
        await pilot.press("0")
        await settle(stage, pilot)
        await pilot.press("j", "j", "j", "a", "A")
        assert stage.link.asked[1:] == [("alert.ack", ("a4",)), ("alert.ack", ("low",))]

    play(stage, script)


def test_shelving_is_a_form_that_enter_sends() -> None:
    stage = live()

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("0")
        await settle(stage, pilot)
        await pilot.press("j", "j", "j", "s")
        stage.clock.pass_s(0.5)
        stage.link.beat()
        await pilot.press(*"30", "tab", *"known", "enter")
        assert stage.link.asked == [("alert.shelve", ("a4", "30", "known"))]

    play(stage, script)


def test_the_bell_rings_at_a_new_critical_alert_and_every_thirty_seconds() -> None:
    bell = Bell()
    assert not bell.rings(0, 0)
    assert bell.rings(1, 1)
    assert not bell.rings(1, BELL_NS)
    assert bell.rings(1, BELL_NS + 1)
    assert bell.rings(2, BELL_NS + 2), "another one"
    assert not bell.rings(1, BELL_NS + 3), "one of them was acknowledged"
    bell.muted = True
    assert not bell.rings(3, BELL_NS + 4)
