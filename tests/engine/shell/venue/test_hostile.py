"""Whatever is asked, the venue answers; nothing a client sends is an error of ours."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.shell.venue.order_codec import read_legs, read_order
from polytui.engine.shell.venue.refused import Refused
from polytui.engine.sim.faults import Switches
from tests.engine.shell.venue.rig import PLAIN, Rig, on_venue

ODD = ["", "-1", "1e9", "٣", "x" * 5_000, "0x", "\x00", "9" * 400, "MA==", "LTI=", "////"]
NAMES = [
    "token_id", "side", "market", "startTs", "endTs", "fidelity", "next_cursor", "limit",
    "offset", "after_cursor", "user", "cursor", "q", "slug", "closed", "maker_address",
]  # fmt: skip
READS = [
    "/book", "/price", "/midpoint", "/prices-history", "/markets", "/rewards/markets/current",
    "/rebates/current", "/gamma/markets", "/gamma/markets/keyset", "/gamma/events",
    "/gamma/public-search", "/data-api/v2/positions", "/data-api/v2/trades", "/data-api/trades",
]  # fmt: skip
PRIVATE = ["/data/orders", "/data/trades", "/balance-allowance", "/order-scoring"]


@on_venue
async def test_no_query_is_an_error_of_ours(rig: Rig) -> None:
    ann = await rig.trader("ann")
    for odd in ODD:
        query = dict.fromkeys(NAMES, odd)
        for path in READS:
            status, _, _ = await rig.call("GET", path, query=query)
            assert status < 500, (path, odd)
        for path in PRIVATE:
            private = query | {"before": odd, "after": odd, "signature_type": odd, "id": odd}
            status, _, _ = await rig.ask(ann, "GET", path, query=private)
            assert status < 500, (path, odd)


@on_venue
async def test_no_body_is_an_error_of_ours(rig: Rig) -> None:
    ann = await rig.trader("ann")
    bodies: list[Any] = [
        None,
        [],
        {},
        5,
        "x",
        [None],
        [{}],
        {"orderID": 5},
        {"market": []},
        ["x"] * 1_001,
    ]
    for body in bodies:
        for method, path in (
            ("POST", "/order"),
            ("POST", "/orders"),
            ("DELETE", "/order"),
            ("DELETE", "/orders"),
            ("DELETE", "/cancel-market-orders"),
            ("POST", "/orders-scoring"),
            ("POST", "/v1/heartbeats"),
            ("DELETE", "/auth/readonly-api-key"),
        ):
            status, _, _ = await rig.ask(ann, method, path, body)
            assert status < 500, (method, path, body)


@on_venue
async def test_when_the_venue_moves_to_another_version_no_order_is_right(rig: Rig) -> None:
    ann = await rig.trader("ann")
    rig.venue.apply(Switches(order_version=3))
    assert (await rig.call("GET", "/version"))[1] == {"version": 3}
    status, answer, _ = await rig.post(ann, ann.order(PLAIN))
    assert (status, answer) == (400, {"error": "order_version_mismatch"})


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_crash_the_readers(data: bytes) -> None:
    for reader in (read_order, read_legs):
        with suppress(Refused):
            reader(data)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    with pytest.raises(Refused):
        read_order(b'{"order":' * depth)
