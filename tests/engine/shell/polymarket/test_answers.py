"""What answers prove: the table of every known body (B4), batches by hash (B9), hostile bodies."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.order_enums import SendOutcome, VenueCode
from polytui.engine.shell.polymarket.answers import (
    STATUSES,
    Answer,
    read_batch,
    read_beat,
    read_cancelled,
    read_placed,
)
from polytui.engine.shell.polymarket.codes import FRAGMENTS, code_of, read_complaint, verdict
from polytui.engine.sim.exchange.refusals import TEXTS
from tests.support.hostile import DEEP, HOSTILE, JUNK

H = [f"0x{n:064x}" for n in range(1, 16)]
OK: dict[str, Any] = {
    "success": True,
    "errorMsg": "",
    "orderID": H[0],
    "status": "live",
    "makingAmount": "",
    "takingAmount": "",
}
NO: dict[str, Any] = OK | {"success": False, "errorMsg": "invalid expiration", "orderID": ""}


def placed(**changes: Any) -> Answer:
    return read_placed(json.dumps(OK | changes).encode(), H[0])


# --- one order -----------------------------------------------------------------------------------

ACCEPTED, REFUSED, UNKNOWN = SendOutcome.ACCEPTED, SendOutcome.REFUSED, SendOutcome.UNKNOWN

B4: list[tuple[dict[str, Any], SendOutcome, VenueCode]] = [
    ({}, ACCEPTED, VenueCode.NONE),
    ({"status": "MATCHED"}, ACCEPTED, VenueCode.NONE),
    ({"success": False, "errorMsg": "invalid expiration"}, REFUSED, VenueCode.EXPIRATION),
    (
        {"success": True, "errorMsg": "invalid expiration", "orderID": ""},
        REFUSED,
        VenueCode.EXPIRATION,
    ),
    ({"success": False, "errorMsg": "never seen", "orderID": ""}, REFUSED, VenueCode.OTHER),
    ({"success": True, "errorMsg": "invalid expiration"}, UNKNOWN, VenueCode.EXPIRATION),
    ({"success": False, "errorMsg": "", "orderID": ""}, UNKNOWN, VenueCode.NONE),
    ({"success": False}, UNKNOWN, VenueCode.NONE),
    ({"orderID": ""}, UNKNOWN, VenueCode.NONE),
    ({"orderID": H[1]}, UNKNOWN, VenueCode.OTHER),
    ({"status": "levitating"}, UNKNOWN, VenueCode.OTHER),
    ({"status": ""}, UNKNOWN, VenueCode.OTHER),
    (
        {"errorMsg": f"order {H[0]} is invalid. Duplicated.", "orderID": ""},
        UNKNOWN,
        VenueCode.DUPLICATE,
    ),
    ({"errorMsg": "order timed out", "orderID": ""}, UNKNOWN, VenueCode.TIMED_OUT),
    ({"makingAmount": "1e5"}, UNKNOWN, VenueCode.NONE),
    ({"tradeIDs": 7}, UNKNOWN, VenueCode.NONE),
]


@pytest.mark.parametrize(("changes", "outcome", "code"), B4)
def test_b4_every_known_body_has_one_meaning(
    changes: dict[str, Any], outcome: SendOutcome, code: VenueCode
) -> None:
    answer = placed(**changes)
    assert (answer.outcome, answer.code) == (outcome, code)


def test_an_answer_in_other_capitals_names_the_same_order() -> None:
    order_hash = "0x" + "ab" * 32
    body = json.dumps(OK | {"orderID": order_hash.upper().replace("0X", "0x")}).encode()
    assert read_placed(body, order_hash).outcome is ACCEPTED


def test_amounts_are_exact_and_empty_ones_are_zero() -> None:
    answer = placed(status="matched", makingAmount="9.999999", takingAmount="", tradeIDs=["t-1"])
    assert (answer.making_u6, answer.taking_u6, answer.trade_ids) == (9_999_999, 0, ("t-1",))


# --- refusals ------------------------------------------------------------------------------------


def test_b4_every_text_of_the_practice_venue_has_a_code() -> None:
    unknown = [text for _, text in TEXTS.values() if code_of(text) is VenueCode.OTHER]
    assert unknown == ["Invalid Heartbeat ID"]


def test_every_fragment_is_lower_case_and_reached() -> None:
    for fragment, code in FRAGMENTS:
        assert fragment == fragment.lower()
        assert code_of(f"Order 0xab: {fragment.upper()} …") is code


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (400, {"error": "invalid expiration"}, REFUSED, VenueCode.EXPIRATION),
        (400, {"error": "something new"}, REFUSED, VenueCode.OTHER),
        (400, {}, UNKNOWN, VenueCode.NONE),
        (400, {"error": "order 0xab is invalid. Duplicated."}, UNKNOWN, VenueCode.DUPLICATE),
        (401, {"error": "Unauthorized/Invalid api key"}, REFUSED, VenueCode.AUTH),
        (401, "<html>", REFUSED, VenueCode.AUTH),
        (403, "<html>Forbidden", REFUSED, VenueCode.BANNED),
        (
            404,
            {"error": "No orderbook exists for the requested token id"},
            REFUSED,
            VenueCode.NO_BOOK,
        ),
        (425, {"error": "Service not ready"}, REFUSED, VenueCode.RESTARTING),
        (425, "", REFUSED, VenueCode.RESTARTING),
        (429, "error code: 1015", REFUSED, VenueCode.RATE_LIMITED),
        (500, {"error": "order timed out"}, UNKNOWN, VenueCode.TIMED_OUT),
        (500, {"error": "there are no matching orders"}, UNKNOWN, VenueCode.ENGINE_ERROR),
        (500, {"error": "invalid expiration"}, UNKNOWN, VenueCode.EXPIRATION),
        (502, "<html>Bad Gateway", UNKNOWN, VenueCode.ENGINE_ERROR),
        (503, "<html>", UNKNOWN, VenueCode.ENGINE_ERROR),
        (503, {"error": "Trading is currently disabled. Check …"}, REFUSED, VenueCode.DISABLED),
        (
            503,
            {"error": "post-only mode: only …", "code": "post_only_mode"},
            REFUSED,
            VenueCode.POST_ONLY_MODE,
        ),
        (503, {"code": "post_only_mode"}, REFUSED, VenueCode.POST_ONLY_MODE),
        (302, {}, UNKNOWN, VenueCode.NONE),
    ],
)
def test_b3_an_error_proves_a_refusal_only_with_a_reason_from_the_venue(
    status: int, body: Any, outcome: SendOutcome, code: VenueCode
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    complaint = read_complaint(status, {}, data)
    assert (verdict(status, complaint), complaint.code) == (outcome, code)


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ({"retry-after": "7"}, b"{}", 7),
        ({"retry-after": "7"}, b'{"retry_after_seconds":79}', 79),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"", 0),
        ({"retry-after": "-1"}, b"", 0),
        ({"retry-after": "999999"}, b"", 3_600),
        ({}, b'{"retry_after_seconds":"x"}', 0),
    ],
)
def test_b7_how_long_to_wait_is_read_from_header_or_body(
    headers: dict[str, str], body: bytes, wait_s: int
) -> None:
    assert read_complaint(429, headers, body).retry_after_s == wait_s


# --- batches -------------------------------------------------------------------------------------


def batch(*legs: dict[str, Any], hashes: list[str] | None = None) -> list[SendOutcome]:
    body = json.dumps(list(legs)).encode()
    return [answer.outcome for answer in read_batch(body, hashes or H[: len(legs)])]


def ok(n: int, **changes: Any) -> dict[str, Any]:
    return OK | {"orderID": H[n]} | changes


def test_b9_swapped_answers_are_matched_by_hash() -> None:
    body = json.dumps([ok(2, status="delayed"), ok(0), ok(1, status="matched")]).encode()
    answers = read_batch(body, H[:3])
    assert [answer.status for answer in answers] == ["live", "matched", "delayed"]


def test_b9_refused_legs_without_a_hash_are_those_in_the_same_place() -> None:
    body = json.dumps([ok(0), NO, ok(2), NO | {"errorMsg": "address banned"}]).encode()
    answers = read_batch(body, H[:4])
    assert [answer.outcome for answer in answers] == [ACCEPTED, REFUSED, ACCEPTED, REFUSED]
    assert [answers[1].code, answers[3].code] == [VenueCode.EXPIRATION, VenueCode.BANNED]


def test_b9_fifteen_legs_three_refused_and_one_pair_swapped() -> None:
    legs = [ok(n) for n in range(15)]
    for n, text in ((3, "invalid expiration"), (7, "address banned"), (11, "never seen")):
        legs[n] = NO | {"errorMsg": text}
    legs[0], legs[1] = legs[1], legs[0]
    answers = read_batch(json.dumps(legs).encode(), H)
    refused = [n for n, answer in enumerate(answers) if answer.outcome is REFUSED]
    assert refused == [3, 7, 11]
    assert {answers[n].code for n in refused} == {VenueCode.OTHER}
    assert answers[3].text == "one of: banned, expiration, other"
    assert all(answers[n].outcome is ACCEPTED for n in range(15) if n not in refused)


def test_b9_a_reason_that_names_its_order_is_that_orders() -> None:
    named = NO | {"errorMsg": f"order {H[2]} is invalid. Size (1) lower than the minimum: 5"}
    answers = read_batch(json.dumps([named, ok(1), ok(0)]).encode(), H[:3])
    assert [answer.outcome for answer in answers] == [ACCEPTED, ACCEPTED, REFUSED]
    assert answers[2].code is VenueCode.SIZE


def test_b9_a_shuffled_batch_with_one_unproven_leg_leaves_all_unnamed_legs_unknown() -> None:
    lost = NO | {"errorMsg": "order timed out"}
    assert batch(ok(1), ok(0), NO, lost) == [ACCEPTED, ACCEPTED, UNKNOWN, UNKNOWN]
    assert batch(ok(0), NO, lost, ok(3)) == [ACCEPTED, UNKNOWN, UNKNOWN, ACCEPTED]
    assert batch(ok(0), lost) == [ACCEPTED, UNKNOWN]


def test_b9_an_answer_that_does_not_fit_proves_only_what_it_names() -> None:
    assert batch(ok(0), hashes=H[:2]) == [ACCEPTED, UNKNOWN]
    assert batch(ok(0), ok(9), hashes=H[:2]) == [ACCEPTED, UNKNOWN]
    assert batch(ok(0), ok(0), hashes=H[:2]) == [UNKNOWN, UNKNOWN]
    assert batch(ok(0), NO, NO, hashes=H[:2]) == [ACCEPTED, UNKNOWN]


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_b9_in_any_order_no_leg_gets_anothers_fate(order: list[int], refused: set[int]) -> None:
    legs = [NO if n in refused else ok(n) for n in order]
    answers = read_batch(json.dumps(legs).encode(), H[:6])
    for n, answer in enumerate(answers):
        expected = REFUSED if n in refused else ACCEPTED
        assert answer.outcome is expected


# --- cancels and beats ---------------------------------------------------------------------------


def test_a_cancels_answer_is_read_with_reasons() -> None:
    found = read_cancelled(b'{"canceled":["0xAB"],"not_canceled":{"0xcd":"already canceled"}}')
    assert found is not None
    assert found.canceled == ("0xab",)
    assert found.not_canceled == (("0xcd", "already canceled"),)


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[]", b'"OK"', b'{"canceled":7}'])
def test_a_cancels_answer_without_its_lists_proves_nothing(body: bytes) -> None:
    assert read_cancelled(body) is None


def test_b25_the_expected_heartbeat_id_is_read_from_a_correction() -> None:
    assert read_beat(b'{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"a1"}') == "a1"
    assert read_beat(b'{"heartbeat_id":["a"]}') == ""


# --- hostile -------------------------------------------------------------------------------------


def check(data: bytes) -> None:
    """Whatever comes is judged, and nothing but our own hash is ever accepted."""
    answer = read_placed(data, H[0])
    assert answer.outcome is not ACCEPTED or H[0].encode() in data.lower()
    assert len(read_batch(data, H[:3])) == 3
    assert isinstance(read_beat(data), str)
    read_cancelled(data)
    for status in (200, 400, 425, 500, 503):
        complaint = read_complaint(status, {"retry-after": "x"}, data)
        assert verdict(status, complaint) in (REFUSED, UNKNOWN)
        assert complaint.text.isascii()
        assert len(complaint.text) <= 80


@given(JUNK)
@settings(max_examples=200)
def test_junk_is_judged_never_raised(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize("data", DEEP)
def test_deep_json_is_judged(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_a_hostile_value_anywhere_is_judged(value: object) -> None:
    for name in OK:
        body = OK | {name: value}
        check(json.dumps(body).encode())
        check(json.dumps([body, OK, value]).encode())
    for name in ("error", "code", "retry_after_seconds", "canceled", "not_canceled"):
        check(json.dumps({name: value}).encode())


def test_the_statuses_are_those_of_the_reference() -> None:
    assert {"live", "matched", "delayed", "unmatched"} == STATUSES
