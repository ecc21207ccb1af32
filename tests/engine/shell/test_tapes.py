import gzip
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import (
    ConnOpened,
    Event,
    FeeSchedule,
    MarketListed,
    MarketSpec,
    RefBook,
    Subscribed,
    TopQuoted,
)
from polytui.engine.core.units import U
from polytui.engine.shell.lines import ns_from_ms_text
from polytui.engine.shell.records import Frame, Gap, Noted, TapeRecord, Told
from polytui.engine.shell.segments import Segment
from polytui.engine.shell.tapes import open_tape
from tests.support.floor import START_NS
from tests.support.taping import Recorder, market_frames, record, write_tape

YES, NO = "1" * 77, "2" * 77


def tape_file(directory: Path, *lines: str, name: str = "tape") -> Path:
    path = directory / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read(*paths: Path) -> list[TapeRecord]:
    return list(open_tape(paths).records())


def told(records: Sequence[TapeRecord]) -> list[Event]:
    return [record.event for record in records if isinstance(record, Told)]


def listed(records: Sequence[TapeRecord]) -> list[MarketSpec]:
    return [event.spec for event in told(records) if isinstance(event, MarketListed)]


def frames(records: Sequence[TapeRecord]) -> list[Frame]:
    return [record for record in records if isinstance(record, Frame)]


# --- Polymarket tapes ----------------------------------------------------------------------------

RAW = (
    f'{{"market":"0xm", "asset_id":"{YES}","bids":[ ],"asks":[],"tick_size":"0.001","x":"\\u00e9"}}'
)


def test_frames_of_a_tape_are_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tape_file(tmp_path, f'{{"raw":{RAW}, "t_ms": 1776094505287.683,"slug":"a"}}')
    (frame,) = frames(read(path))
    assert frame.data == RAW.encode()
    assert (frame.feed, frame.mono_ns) == (Feed.POLYMARKET, 1776094505287683000)


def test_a_market_is_listed_before_its_first_frame_on_a_connection_of_its_own(
    tmp_path: Path,
) -> None:
    both = f'[{RAW},{{"market":"0xm","asset_id":"{NO}"}}]'
    changes = f'{{"market":"0xn","price_changes":[{{"asset_id":"{NO}9"}},{{"asset_id":"7"}}]}}'
    path = tape_file(
        tmp_path,
        f'{{"t_ms":1,"slug":"a\\u202eb","raw":{both}}}',
        f'{{"t_ms":2,"slug":"c","raw":{changes}}}',
        f'{{"t_ms":3,"slug":"a\\u202eb","raw":{RAW}}}',
    )
    records = read(path)
    opened, market, asked = told(records)[:3]
    assert isinstance(opened, ConnOpened)
    assert market == MarketListed(
        spec=MarketSpec(
            market="0xm",
            tokens=(YES, NO),
            title="ab",
            slug="ab",
            tick_u6=1_000,
            fees=FeeSchedule(rate_u6=70_000, exponent=1),
        )
    )
    assert asked == Subscribed(conn=opened.conn, feed=Feed.POLYMARKET, topics=(YES, NO))
    assert listed(records)[1].tokens == (f"{NO}9", "7")
    assert listed(records)[1].tick_u6 == 10_000
    conns = [frame.conn for frame in frames(records)]
    assert conns == [opened.conn, opened.conn + 1, opened.conn]
    assert isinstance(records[3], Frame)


def test_a_token_that_is_never_named_stays_unknown(tmp_path: Path) -> None:
    (spec,) = listed(read(tape_file(tmp_path, f'{{"t_ms":1,"slug":"a","raw":{RAW}}}')))
    assert spec.tokens == (YES, "")


@pytest.mark.parametrize("raw", ['{"no":1}', "[]", '"PONG"', '{"market":7}', "[[]]", "null"])
def test_a_frame_without_names_is_passed_on_unlisted(tmp_path: Path, raw: str) -> None:
    records = read(tape_file(tmp_path, f'{{"t_ms":1,"slug":"a","raw":{raw}}}'))
    assert listed(records) == []
    assert [frame.data for frame in frames(records)] == [raw.encode()]


@given(whole=st.integers(0, 10**16 - 1), frac=st.text("0123456789", max_size=6))
def test_milliseconds_are_read_exactly(whole: int, frac: str) -> None:
    text = f"{whole}.{frac}" if frac else str(whole)
    assert ns_from_ms_text(text) == int(Decimal(text) * 1_000_000)


@pytest.mark.parametrize("text", [".", "-1", "1e3", "1.1234567", "١", "1_0", " 1", "nan"])
def test_other_numbers_are_no_milliseconds(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        ns_from_ms_text(text)


# --- other tapes and tables ----------------------------------------------------------------------


def test_an_exchange_tape_tells_its_connections_and_requests(tmp_path: Path) -> None:
    asked = '{"type":"subscribe","product_ids":["BTC-USD","E"],"channels":["ticker"]}'
    path = tape_file(
        tmp_path,
        '{"t_ms":1,"dir":"open","url":"wss://ws-feed.exchange.coinbase.com"}',
        f'{{"t_ms":2,"dir":"send","raw":{asked}}}',
        '{"t_ms":3,"dir":"recv","raw":{"type":"heartbeat"}}',
        '{"t_ms":4,"dir":"open","url":"wss://advanced-trade-ws.coinbase.com"}',
        '{"t_ms":5,"dir":"recv","raw":{}}',
    )
    records = read(path)
    opened, request, again = told(records)
    assert isinstance(opened, ConnOpened)
    assert isinstance(again, ConnOpened)
    assert request == Subscribed(
        conn=opened.conn, feed=Feed.COINBASE, topics=("ticker:BTC-USD", "ticker:E")
    )
    assert (again.feed, again.conn) == (Feed.COINBASE_ADVANCED, opened.conn + 1)
    assert [(f.conn, f.feed) for f in frames(records)] == [
        (opened.conn, Feed.COINBASE),
        (again.conn, Feed.COINBASE_ADVANCED),
    ]


def test_a_fetched_snapshot_of_binance_is_a_reference_book(tmp_path: Path) -> None:
    path = tape_file(
        tmp_path,
        '{"t_ms":1,"dir":"open","url":"wss://stream.binance.com:9443/stream?streams=a@depth/b@x"}',
        '{"t_ms":2,"dir":"rest","url":"https://api.binance.com/api/v3/depth?symbol=ABC",'
        '"raw":{"lastUpdateId":5,"bids":[["0.35","1"]],"asks":[]}}',
    )
    _, streams, book = told(read(path))
    assert isinstance(streams, Subscribed)
    assert streams.topics == ("a@depth", "b@x")
    assert isinstance(book, RefBook)
    assert (book.symbol, book.update_id, book.bids) == ("ABC", 5, ((350_000, U),))


CHAINLINK = "feed_ts_ms,value,full_accuracy_value,server_ts_ms,recv_ms"


def test_a_chainlink_row_becomes_a_frame_of_the_price_stream(tmp_path: Path) -> None:
    path = tape_file(tmp_path, CHAINLINK, "1780876800000,63304.2,63304200000000000000000,5,6")
    (frame,) = frames(read(path))
    assert (frame.feed, frame.mono_ns) == (Feed.CHAINLINK, 6_000_000)
    assert b'"symbol":"btc/usd"' in frame.data
    assert b'"value":63304.2,' in frame.data


def test_quotes_are_never_books_and_their_outcome_is_not_read(tmp_path: Path) -> None:
    path = tape_file(
        tmp_path,
        "ts,slug,bid,ask,y",
        "2026-07-11T00:01:35Z,a,0.35,,1",
        "2026-07-11T00:01:35Z,a,,1,1",
    )
    records = read(path)
    (spec,) = listed(records)
    assert (spec.market, spec.protocol, spec.accepting, spec.fees) == ("a", "quotes", False, None)
    quotes = [event for event in told(records) if isinstance(event, TopQuoted)]
    assert [(quote.bid_u6, quote.ask_u6) for quote in quotes] == [(350_000, U), (0, U)]
    assert frames(records) == []


GAMMA = (
    '{"conditionId":"0xc","question":"Up \\u001b[31mor down?","slug":"s","acceptingOrders":true,'
    '"outcomes":"[\\"Up\\", \\"Down\\"]","clobTokenIds":"[\\"11\\", \\"22\\"]","negRisk":true,'
    '"orderPriceMinTickSize":0.001,"orderMinSize":15,"version":"v2","closed":false,'
    '"feeSchedule":{"rate":0.07,"exponent":1,"takerOnly":true,"rebateRate":0.2},'
    '"eventStartTime":"2026-06-08T00:00:00Z","endDate":"2026-06-08T00:05:00Z",'
    '"outcomePrices":"[\\"0\\", \\"1\\"]","events":[{"slug":"g"}]}'
)


@pytest.mark.parametrize("line", [GAMMA, f'{{"slug":"s","condition_id":"0xc","raw":{GAMMA}}}'])
def test_a_gamma_market_is_listed_at_the_start_of_its_event(tmp_path: Path, line: str) -> None:
    (record,) = read(tape_file(tmp_path, line))
    assert isinstance(record, Told)
    start_ns = 1_780_876_800_000_000_000
    assert record.mono_ns == start_ns
    assert record.event == MarketListed(
        spec=MarketSpec(
            market="0xc",
            tokens=("11", "22"),
            title="Up [31mor down?",
            slug="s",
            outcomes=("Up", "Down"),
            group="g",
            tick_u6=1_000,
            min_qty_u6=15_000_000,
            min_order_text="15",
            neg_risk=True,
            protocol="v2",
            fees=FeeSchedule(rate_u6=70_000, exponent=1, rebate_u6=200_000),
            accepting=True,
            end_ns=start_ns + 300_000_000_000,
        )
    )


def test_a_gamma_market_without_a_version_is_of_no_known_protocol(tmp_path: Path) -> None:
    path = tape_file(tmp_path, GAMMA.replace('"version":"v2",', ""))
    assert listed(read(path))[0].protocol == ""


# --- files together ------------------------------------------------------------------------------


def test_several_tapes_are_merged_by_time_with_connections_apart(tmp_path: Path) -> None:
    one = tape_file(
        tmp_path,
        f'{{"t_ms":1,"slug":"a","raw":{RAW}}}',
        f'{{"t_ms":9,"slug":"a","raw":{RAW}}}',
        name="one",
    )
    other = tape_file(tmp_path, CHAINLINK, "1,2,3,4,5", name="other")
    found = frames(read(other, one))
    assert [frame.mono_ns for frame in found] == [1_000_000, 5_000_000, 9_000_000]
    assert len({frame.conn for frame in found}) == 2


def test_a_zipped_tape_reads_as_the_plain_one(tmp_path: Path) -> None:
    plain = write_tape(tmp_path / "plain", market_frames(seed=1, count=30))
    zipped = tmp_path / "no-suffix"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(zipped) == read(plain)


def test_until_ends_a_tape(tmp_path: Path) -> None:
    path = write_tape(tmp_path / "tape", market_frames(seed=1, count=30))
    times = [record.mono_ns for record in open_tape([path]).records(until_ns=START_NS + 10**8)]
    assert START_NS < max(times) <= START_NS + 10**8


def test_our_own_recording_yields_what_was_put_in(tmp_path: Path) -> None:
    made = market_frames(seed=2, count=60)
    recorder = record(tmp_path, made)
    tape = open_tape([tmp_path])
    records = list(tape.records())
    assert tape.own
    assert tape.whole
    assert tape.ended
    assert tape.notes() == ()
    assert [frame.data for frame in frames(records)] == [data for _, data in made]
    assert [tape.anchor.at_ns(frame.mono_ns) for frame in frames(records)] == [at for at, _ in made]
    kinds = Counter(type(record) for record in records)
    assert kinds[Noted] == len(recorder.engine.record.recent)
    assert kinds[Gap] == 0


def test_segments_may_be_named_in_any_order(tmp_path: Path) -> None:
    record(tmp_path, market_frames(seed=2, count=600), segment_bytes=9_000)
    paths = sorted(tmp_path.glob("*.polycap"))
    assert len(paths) == len({Segment(path).header.number for path in paths})
    assert read(*reversed(paths)) == read(tmp_path)


def test_a_recording_cut_short_says_so_and_reads_to_there(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.play(market_frames(seed=3, count=10))
    assert recorder.capture.sync(timeout_s=4.0)
    tape = open_tape([tmp_path])
    (note,) = tape.notes()
    assert "was not closed by its recorder; 0 bytes after byte" in note
    assert not tape.ended
    assert len(frames(list(tape.records()))) == 10
    recorder.capture.close()


# --- what is refused -----------------------------------------------------------------------------

GOOD = f'{{"t_ms":1,"slug":"a","raw":{RAW}}}'
OPEN = '{"t_ms":1,"dir":"open","url":"wss://stream.binance.com"}'

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "expected a recording or a tape, was FILE: an empty file"),
    "empty gzip": (gzip.compress(b""), "expected a recording or a tape, was FILE: an empty file"),
    "foreign": (b"\x7fELF\x02\x01", "which begins with '\\x7fELF\\x02\\x01'"),
    "other json": (b'{"a":1}\n', "which begins with '{\"a\":1}'"),
    "truth table": (b"slug,t_ms,server_ms\n", "which begins with 'slug,t_ms,server_ms'"),
    "broken line": (f'{GOOD}\n{{"t_ms":2,"sl\n'.encode(), "in line 2 of FILE"),
    "half a line": (f'{GOOD}\n{{"t_ms":2}} x\n'.encode(), "in line 2 of FILE"),
    "time": (f"{GOOD}\n{GOOD.replace('1', '1e3', 1)}\n".encode(), "plain decimal milliseconds"),
    "negative time": (f"{GOOD.replace('1', '-1', 1)}\n".encode(), "in line 1 of FILE, was '-1'"),
    "cut gzip": (gzip.compress(GOOD.encode() * 50)[:-20], "found the file cut off or damaged"),
    "damaged gzip": (gzip.compress(b"x" * 99)[:12] + b"\xff" * 30, "cut off or damaged"),
    "frame before open": (
        b'{"t_ms":1,"dir":"recv","raw":{}}\n',
        'expected a line with "dir":"open" first in line 1 of FILE, was \'recv\'',
    ),
    "unknown exchange": (
        b'{"t_ms":1,"dir":"open","url":"wss://binance.com.evil.org"}\n',
        "expected the address of a known exchange in line 1",
    ),
    "unknown dir": (f'{OPEN}\n{{"t_ms":1,"dir":"x"}}\n'.encode(), '"dir" to be open, send'),
    "foreign rest": (
        f'{OPEN}\n{{"t_ms":1,"dir":"rest","url":"https://api.binance.com/x"}}\n'.encode(),
        "expected a Binance depth address",
    ),
    "columns": (f"{CHAINLINK}\n1,2,3\n".encode(), "expected 5 columns in line 2 of FILE"),
    "no number": (f"{CHAINLINK}\n1,2,x,4,5\n".encode(), "plain numbers in all columns in line 2"),
    "json in a number": (f'{CHAINLINK}\n1,2,3"{{,4,5\n'.encode(), "in line 2 of FILE"),
    "no time": (b"ts,slug,bid,ask\nyesterday,a,0.1,0.2\n", "a time, a slug, a bid and an ask"),
    "no price": (b"ts,slug,bid,ask\n2026-07-11T00:01:35Z,a,1.1,\n", "in line 2 of FILE"),
    "gamma": (GAMMA.replace("0.001", '"x"').encode(), "expected a Gamma market ("),
    "no address": (
        b'{"t_ms":1,"dir":"open","url":"wss://[::1"}\n',
        "expected the address of a known exchange in line 1 of FILE, was 'wss://[::1'",
    ),
    "deep": (b'{"t_ms":1,"slug":"a","raw":' + b"[" * 200_000, "which begins with"),
    "deep later": (GOOD.encode() + b'\n{"t_ms":' + b"[" * 200_000, "in line 2 of FILE"),
    "gamma date": (GAMMA.replace("2026-06-08T00:05:00Z", "soon").encode(), "a Gamma market ("),
    "no segment": (b"POLYCAP\nrest", "expected the header of a recording at byte 8 of FILE"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    data, expected = BAD[case]
    path = tmp_path / "FILE"
    path.write_bytes(data)
    with pytest.raises(OperatorError) as caught:
        read(path)
    sentence = str(caught.value).replace(str(path), "FILE")
    assert sentence.startswith("expected ")
    assert expected in sentence
    assert "\n" not in sentence
    assert sentence.isprintable()


@given(data=st.binary(max_size=200), start=st.sampled_from([GOOD, OPEN, CHAINLINK, GAMMA, ""]))
def test_any_bytes_are_read_or_refused(data: bytes, start: str) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "FILE"
        path.write_bytes(start.encode() + b"\n" + data)
        with suppress(OperatorError):
            read(path)


@given(
    place=st.integers(0, 10_000),
    byte=st.integers(0, 255),
    line=st.sampled_from([GOOD, f"{OPEN}\n{OPEN}", f"{CHAINLINK}\n1,2,3,4,5", GAMMA]),
)
def test_a_tape_with_one_wrong_byte_is_read_or_refused(place: int, byte: int, line: str) -> None:
    data = bytearray(line.encode())
    data[place % len(data)] = byte
    with TemporaryDirectory() as name:
        path = Path(name) / "FILE"
        path.write_bytes(data)
        with suppress(OperatorError):
            read(path)


def test_everything_before_a_broken_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    path.write_bytes(gzip.compress(f"{GOOD}\n".encode() * 40)[:-9])
    seen: list[TapeRecord] = []
    with pytest.raises(OperatorError, match="after line"):
        seen.extend(open_tape([path]).records())
    assert len(frames(seen)) > 0


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    record(tmp_path / "a", market_frames(seed=1, count=3))
    foreign = write_tape(tmp_path / "tape", market_frames(seed=1, count=3))
    (segment,) = (tmp_path / "a").glob("*.polycap")
    with pytest.raises(OperatorError, match="was both"):
        open_tape([segment, foreign])
    with pytest.raises(OperatorError, match="after"):
        open_tape([segment, segment])
    with pytest.raises(OperatorError, match="expected 1 to"):
        open_tape([])
    (tmp_path / "none").mkdir()
    with pytest.raises(OperatorError, match=r"expected recordings \(\*\.polycap\)"):
        open_tape([tmp_path / "none"])
    with pytest.raises(OperatorError, match="no such file"):
        open_tape([tmp_path / "missing"])


# --- the recorded data ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "frames_found", "markets"),
    [
        ("binance-spot-raw-20211012.jsonl.gz", 265, 0),
        ("chainlink-btcusd-rtds-20260608T00-02.csv.gz", 7_145, 0),
        ("coinbase-exchange-raw-20210417.jsonl.gz", 4_221, 0),
        ("gamma-btc5m-markets-20260608T00-02.jsonl.gz", 0, 24),
        ("pm-btc5m-book-raw-20260413T1535-1625.jsonl.gz", 46_757, 10),
        ("pm-btc5m-twotoken-derived-20260413.jsonl.gz", 30_847, 4),
        ("pmus-multioutcome-quotes-20260714.csv.gz", 0, 40),
        ("pmus-resolved-quotes-20260711.csv.gz", 0, 196),
    ],
)
def test_the_recorded_files_are_read_whole(
    shared_data: Path, name: str, frames_found: int, markets: int
) -> None:
    kinds: Counter[str] = Counter()
    for one in open_tape([shared_data / name]).records():
        kinds[type(one.event if isinstance(one, Told) else one).__name__] += 1
    assert (kinds["Frame"], kinds["MarketListed"]) == (frames_found, markets)
