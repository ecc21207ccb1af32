"""Provenance from the store alone: the whole chain, the nearest miss, and nothing that acts."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.commands import RecordEntry
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Control, OrderState, Realm
from polytui.engine.shell.store.bulk import BulkRow, FoldRow
from polytui.engine.shell.store.rows import Row
from polytui.engine.shell.store.store import FILE_NAME, Store
from polytui.engine.shell.why.asking import explain, why, whynot
from polytui.engine.shell.why.tell import as_text
from tests.support.stores import MARKET, NOW_NS, entry, opened, order, trade

HOSTILE = "\x1b]0;owned\x07[bold red]Will it\u202e hold?\r\n"
DECISION = {
    "decision": {
        "strategy": "box",
        "market": MARKET,
        "snapshot": 7,
        "at_ns": NOW_NS,
        "verdict": "intent",
        "reason": "ok",
        "score_u6": 2_100,
        "threshold_u6": 1_500,
        "unit": "usd/share",
        "family": "net_edge",
        "intents": [
            {
                "token": "1",
                "side": "buy",
                "leg": 0,
                "ev_u6": 21_000,
                "confidence": 0.9,
                "risk_cost_u6": 4_800_000,
            }
        ],
    },
    "mode": "paper",
    "config": "4f2a",
    "sight": {
        "age_ns": 58_000_000,
        "tick_u6": 10_000,
        "proof": "digest",
        "yes": [[470_000, 5_000_000]],
        "no": [],
        "features": [["mid", 1, 0.475, "price"], ["fee", 1, None, "usd"]],
    },
}
RUN_ROW = {"version": "0.4.1", "config_hash": "c0", "mode": "shadow", "capture": "data/capture"}
CID = "r-7-1"


def fill(store: Store) -> None:
    """Write a decision, what came of it, a veto, and holds."""
    run = {**RUN_ROW, "config": {"box": {"age_ms_max": 250}}}
    market = {"market": MARKET, "title": HOSTILE, "slug": "will-it", "tokens": ["1", "2"]}
    rows = (
        Row("run", "", "r", "", "", False, json.dumps(run).encode()),
        Row("market", "", MARKET, "", MARKET, False, json.dumps(market).encode(), ("will-it",)),
        Row("decision", "", "", "box", MARKET, False, json.dumps(DECISION).encode()),
    )
    for row in rows:
        store.append(row, at_ns=NOW_NS, seq=7)
    store.keep(order(CID, OrderState.SENT), at_ns=NOW_NS)
    store.keep(order(CID, OrderState.MATCHED), at_ns=NOW_NS)
    store.keep(trade("t1", CID), at_ns=NOW_NS)
    store.keep(entry("t1", CID), at_ns=NOW_NS)
    store.keep(
        order("r-8-1", OrderState.VETOED, snapshot=8, refused=Control.EXPOSURE), at_ns=NOW_NS
    )
    folds = [
        FoldRow("box", f"0x{n}", reason, "hold", n + 1, NOW_NS - n, NOW_NS, NOW_NS, n, n, 2_000,
                n - 2_000, "usd/share", "net_edge")
        for n in range(3) for reason in ("edge_below_buffer", "one_sided")
    ]  # fmt: skip
    result = b'{"realm":"live","snapshot":7,"fills":1,"realized_u6":31000,"fees_u6":2500}'
    earned = BulkRow(7, "attribution", "box", "", "live", 0, result)
    assert store.look([earned], folds, at_ns=NOW_NS, seq=9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    async def work() -> None:
        store = await opened(tmp_path)
        fill(store)
        await store.close()

    asyncio.run(work())
    return tmp_path / FILE_NAME


def test_an_order_is_explained_from_its_snapshot_to_its_profit(path: Path) -> None:
    told = why(path, CID)
    assert (told["verdict"], told["snap"], told["strat"]) == ("MATCHED", 7, "box")
    assert (told["cfg"], told["code"], told["mode"]) == ("4f2a", "0.4.1", "paper")
    names = [stage["s"] for stage in told["stages"]]
    assert names == ["fresh", "proof", "edge", "arbiter", "proposed", "matched"]
    fresh, _, edge, *_ = told["stages"]
    assert (fresh["v"], fresh["lim"], fresh["r"]) == (58.0, 250, "PASS")
    assert (edge["v"], edge["lim"], edge["u"]) == (0.0021, 0.0015, "usd/share")
    assert told["stages"][-1]["t_ms"] == 2.0
    (leg,) = told["trades"]
    assert (leg["status"], leg["applied"]) == ("confirmed", "promoted")
    assert leg["ledger"][0]["postings"][0] == ("confirmed", "pUSD", -480_000)
    assert told["outcome"]["settled"] is True
    assert told["outcome"]["real_u6"] == 28_500
    assert told["outcome"]["position"]["realized_u6"] == 31_000
    assert told["sight"]["features"][0][2] == 0.475
    assert told["intent"]["ev_u6"] == 21_000


@pytest.mark.parametrize(
    ("name", "about"),
    [
        (CID, "order"),
        ("0xhash" + CID, "order"),
        ("0xhashr-7", "order"),
        ("t1", "fill"),
        (MARKET, "market"),
        ("will-it", "market"),
        ("box", "strategy"),
    ],
)
def test_whatever_name_a_person_has_is_found_and_told_as_text_and_json(
    path: Path, name: str, about: str
) -> None:
    assert why(path, name)["about"] == about
    assert json.loads(explain("why", [name], path, as_json=True))["about"] == about
    text = explain("why", [name], path, as_json=False)
    assert "0.48" in text


def test_d1_d2_d3_a_hostile_title_can_do_nothing_in_the_text(path: Path) -> None:
    for name in (CID, "t1", MARKET, "box"):
        text = as_text(why(path, name))
        assert "Will it hold?" in text
        assert all(char.isprintable() for char in text.replace("\n", ""))
        assert "\u202e" not in text


def test_a_vetoed_order_names_the_control_its_value_and_limit(path: Path) -> None:
    told = why(path, "r-8-1")
    assert told["verdict"] == "VETO"
    assert told["stages"][-1] == {
        "s": "G17", "v": "612", "lim": "500", "r": "FAIL", "text": ""
    }  # fmt: skip
    assert "G17" in as_text(told)


def test_why_not_shows_the_nearest_miss_first_with_its_distance(path: Path) -> None:
    told = whynot(path, "box")
    nearest = told["nearest"][0]
    assert (nearest["mkt"], nearest["v"], nearest["lim"]) == ("0x2", 2e-6, 0.002)
    assert nearest["distance"] == pytest.approx(0.001998)
    assert nearest["since_ns"] == NOW_NS - 2
    margins = [miss["distance"] for miss in told["nearest"]]
    assert margins == sorted(margins)
    assert [(row["reason"], row["count"], row["markets"]) for row in told["funnel"]] == [
        ("edge_below_buffer", 6, 3),
        ("one_sided", 6, 3),
    ]
    assert told["vetoes"][0]["control"] == "G17"
    assert "short by 0.001998 usd/share" in as_text(told)
    assert {miss["mkt"] for miss in whynot(path, "box", "0x1")["nearest"]} == {"0x1"}


@pytest.mark.parametrize("name", ["nothing", "", "x" * 500, "' OR 1=1 --", "0x"])
def test_an_unknown_name_is_refused_in_a_sentence(path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match="expected"):
        explain("why", [name], path, as_json=False)
    with pytest.raises(OperatorError, match="expected"):
        explain("whynot", [name], path, as_json=False)


def test_without_a_store_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="there is none"):
        why(tmp_path / FILE_NAME, "box")


def test_paper_and_live_money_are_never_added_up_nor_taken_for_each_other(tmp_path: Path) -> None:
    async def work() -> None:
        store = await opened(tmp_path)
        fill(store)
        live = entry("t1", CID).positions[0]
        paper = replace(live, realm=Realm.PAPER, confirmed_u6=9_000_000, realized_u6=7, fees_u6=1)
        booked = replace(entry("t1", CID).entry, realm=Realm.PAPER, ref="other")
        store.keep(RecordEntry(cause=9, entry=booked, positions=(paper,)), at_ns=NOW_NS)
        await store.close()

    asyncio.run(work())
    path = tmp_path / FILE_NAME
    for name in ("box", MARKET):
        told = why(path, name)
        results = {row["realm"]: (row["realized_u6"], row["fees_u6"]) for row in told["results"]}
        assert results == {"live": (31_000, 2_500), "paper": (7, 1)}
        assert {(row["realm"], row["confirmed_u6"]) for row in told["positions"]} == {
            ("live", 1_000_000),
            ("paper", 9_000_000),
        }
    assert why(path, CID)["outcome"]["position"]["confirmed_u6"] == 1_000_000


def test_an_order_says_that_there_is_no_model_what_was_signed_and_whose_profit_it_is(
    path: Path,
) -> None:
    text = as_text(why(path, CID))
    assert "model none: it decides by rules" in text
    assert "profit    0.0285 USD realised after fees, of all 1 fills of snapshot 7" in text
    assert "e-0" not in text, "numbers are plain"
    columns = [line.index("value") for line in text.splitlines() if " PASS  value" in line]
    assert len(set(columns)) == 1


def test_an_order_that_no_strategy_asked_for_says_so(path: Path) -> None:
    told = why(path, "r-8-1")
    assert told["decided_ns"] == 0
    assert "decided   by no strategy: made to open" in as_text(told)
