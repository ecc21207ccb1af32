"""Logins, addresses, the venue's clock: the small parts on their own."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import VenueConfig
from polytui.engine.core.trading import Terms
from polytui.engine.shell.polymarket import hosts
from polytui.engine.shell.polymarket.auth import Credentials, checksum, read_credentials
from polytui.engine.shell.polymarket.clock_sync import ClockSync
from polytui.engine.shell.polymarket.entry import order_body
from polytui.engine.shell.polymarket.sockets import Backoff

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
S = 1_000_000_000


def credentials(**changes: str) -> Credentials:
    fields = {"address": ADDRESS, "key": "k-1", "secret": SECRET, "passphrase": "p" * 64}
    return Credentials(**(fields | changes))


# --- logins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "signature"),
    [
        (
            "DELETE",
            "/order",
            b'{"orderID":"0xabc"}',
            "ttyBZjWVOQ8Ts8XTY9iud1QmE7S-F4AO1UDVosFP00c=",
        ),
        ("GET", "/data/orders", b"", "FVB6g2ZvKNXT0_2Pg8MdwBPhxyefgOCZ6FgmkqkNieU="),
    ],
)
def test_requests_are_signed_as_the_golden_vectors(
    method: str, path: str, body: bytes, signature: str
) -> None:
    headers = credentials().headers(method, path, body, stamp_s=1_790_000_000)
    assert f"POLY_SIGNATURE: {signature}\r\n" in headers
    assert f"POLY_ADDRESS: {ADDRESS}\r\n" in headers


def test_credentials_show_and_give_nothing_away() -> None:
    found = credentials()
    assert SECRET not in repr(found)
    assert "pppp" not in repr(found)
    with pytest.raises(TypeError):
        pickle.dumps(found)


@pytest.mark.parametrize("name", ["address", "key", "secret", "passphrase"])
@pytest.mark.parametrize("value", ["", "a\r\nX-Evil: 1", "ü", "\x00"])
def test_credentials_with_line_breaks_are_refused_and_not_quoted(name: str, value: str) -> None:
    with pytest.raises(OperatorError) as refused:
        credentials(**{name: value})
    assert value == "" or value not in str(refused.value)


def test_a_secret_that_is_no_base64_is_refused_and_not_quoted() -> None:
    with pytest.raises(OperatorError, match="base64") as refused:
        credentials(secret="abcde")
    assert "abcde" not in str(refused.value)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b'{"apiKey":"k","secret":"!","passphrase":"p"}']
)
def test_an_answer_without_credentials_is_none(body: bytes) -> None:
    assert read_credentials(ADDRESS, body) is None


def test_addresses_are_written_with_eip_55_capitals() -> None:
    assert checksum(ADDRESS.lower()) == ADDRESS


def test_an_order_is_written_as_the_venue_wants_it() -> None:
    terms = Terms(
        cid="r-1-1",
        order_hash="0x1718",
        salt=479_249_096_354,
        maker=ADDRESS.lower(),
        signer=ADDRESS.lower(),
        signature_type=0,
        token="7132",
        side=Side.BUY,
        maker_amount_u6=5_200_000,
        taker_amount_u6=10_000_000,
        timestamp_ms=1_790_000_000_000,
        neg_risk=False,
        protocol="v1",
        order_type=OrderType.GTC,
        post_only=True,
        expiration_s=0,
        builder="0x00",
        px_u6=520_000,
        qty_u6=10_000_000,
        metadata="0x00",
    )
    assert order_body(terms, "0x5b96", owner="uuid").decode() == (
        '{"deferExec":false,"order":{"salt":479249096354,"maker":"'
        + ADDRESS
        + '","signer":"'
        + ADDRESS
        + '","tokenId":"7132","makerAmount":"5200000","takerAmount":"10000000",'
        '"side":"BUY","expiration":"0","signatureType":0,"timestamp":"1790000000000",'
        '"metadata":"0x00","builder":"0x00","signature":"0x5b96"},"orderType":"GTC",'
        '"owner":"uuid","postOnly":true}'
    )


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://clob.polymarket.com",
        "ws://example.org/ws",
        "http://127.0.0.1.evil.org",
        "http://localhost.evil.org",
        "ftp://127.0.0.1",
        "https://user:pw@clob.polymarket.com",
        "https://clob.polymarket.com/?x=1",
        "https://",
        "clob.polymarket.com",
        "https://clob.polymarket.com:99999",
        "https://clob.polymarket.com/a b",
    ],
)
def test_c18_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(OperatorError):
        hosts.parse(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "ws://[::1]:9/ws", "http://localhost"])
def test_plain_is_lawful_for_loopback(url: str) -> None:
    assert not hosts.parse(url).tls


def test_the_default_configuration_is_tls_throughout() -> None:
    hosts.check(VenueConfig(kind="polymarket"))
    with pytest.raises(OperatorError, match="geoblock"):
        hosts.check(replace(VenueConfig(kind="polymarket"), geoblock=""))
    origin = hosts.parse(VenueConfig().clob)
    assert (origin.host, origin.port, origin.tls) == ("clob.polymarket.com", 443, True)


# --- the clock -----------------------------------------------------------------------------------


def test_one_answer_bounds_the_offset_to_half_a_second_and_half_the_round_trip() -> None:
    sync = ClockSync()
    sync.heard(1_000, asked_ns=1_000 * S, read_ns=1_000 * S + S // 10)
    assert sync.uncertainty_ns == S // 2 + S // 20
    assert abs(sync.offset_ns) <= sync.uncertainty_ns


@given(
    st.integers(-5 * S, 5 * S),
    st.lists(st.tuples(st.integers(1, S), st.integers(0, S // 5)), min_size=1, max_size=12),
)
def test_b23_the_true_offset_is_always_within_the_bounds(
    offset_ns: int, samples: list[tuple[int, int]]
) -> None:
    sync = ClockSync()
    now_ns = 1_790_000_000 * S
    for pause_ns, trip_ns in samples:
        now_ns += pause_ns
        venue_s = (now_ns + trip_ns // 3 + offset_ns) // S
        sync.heard(venue_s, asked_ns=now_ns, read_ns=now_ns + trip_ns)
        now_ns += trip_ns
        assert abs(sync.offset_ns - offset_ns) <= sync.uncertainty_ns + 1


def test_five_answers_at_different_phases_are_narrow() -> None:
    sync = ClockSync()
    for phase_ns in (0, 210_000_000, 430_000_000, 640_000_000, 850_000_000):
        now_ns = 1_790_000_000 * S + phase_ns
        sync.heard((now_ns + 120_000_000) // S, asked_ns=now_ns, read_ns=now_ns + 1_000_000)
    assert sync.is_narrow
    assert abs(sync.offset_ns - 120_000_000) < 130_000_000


def test_b23_a_clock_that_was_set_is_believed_at_once() -> None:
    sync = ClockSync()
    sync.heard(1_000, asked_ns=1_000 * S, read_ns=1_000 * S)
    sync.heard(1_060, asked_ns=1_001 * S, read_ns=1_001 * S)
    assert sync.offset_ns > 58 * S


# --- waits ---------------------------------------------------------------------------------------


def test_a2_waits_jitter_fully_within_a_bound_that_doubles_to_half_a_minute() -> None:
    backoff = Backoff(Rng(7))
    bounds = []
    for failures in range(1, 13):
        backoff.lived(0)
        waits = [backoff.wait_ns() for _ in range(200)]
        bound = min(30.0, 0.25 * 2 ** (failures - 1)) * S
        assert 0 <= min(waits) < 0.1 * bound
        assert 0.9 * bound < max(waits) <= bound
        bounds.append(bound)
    assert bounds[-1] == 30 * S
    backoff.lived(11 * S)
    assert max(backoff.wait_ns() for _ in range(100)) <= S // 4
