import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.segments import (
    EVENT,
    FORMAT,
    FRAMES,
    MAGIC,
    Record,
    Row,
    Segment,
    SegmentHeader,
    SegmentWriter,
    segment_name,
)

WALL_NS = 1_790_000_000_000_000_000


def header(**other: object) -> SegmentHeader:
    facts: dict[str, object] = {
        "run": "run",
        "number": 1,
        "wall_ns": WALL_NS,
        "mono_ns": 0,
        "first_seq": 1,
        "first_record": 0,
        "chain": "",
        "feeds": ("polymarket", "binance"),
    }
    return msgspec.convert({**facts, **other}, SegmentHeader)


def row(place: int, data: bytes = b"{}", *, code: int = FRAMES, mono_ns: int | None = None) -> Row:
    return (code, 1, place, WALL_NS + place, place if mono_ns is None else mono_ns, data)


def write(directory: Path, blocks: list[list[Row]], *, close: bool = True) -> Path:
    writer = SegmentWriter(directory, header())
    for block in blocks:
        writer.append(block)
    if close:
        writer.close()
    else:
        writer.abandon()
    return writer.path


def read(path: Path) -> tuple[list[Record], str, Segment | None]:
    """Read what can be read: the records, the sentence that ended it, the segment."""
    records: list[Record] = []
    try:
        segment = Segment(path)
    except OperatorError as error:
        return records, str(error), None
    try:
        records.extend(segment.records())
    except OperatorError as error:
        return records, str(error), segment
    return records, "", segment


@contextmanager
def directory() -> Iterator[Path]:
    """Make a directory for one example of hypothesis, which knows no function fixtures."""
    with TemporaryDirectory() as name:
        yield Path(name)


ROWS = st.builds(
    row,
    st.integers(1, 2**60),
    st.binary(max_size=300),
    code=st.sampled_from([EVENT, FRAMES, FRAMES + 1]),
    mono_ns=st.integers(0, 2**60),
)
BLOCKS = st.lists(st.lists(ROWS, min_size=1, max_size=20), max_size=6)

SAMPLE = [[row(place, b'{"n":%d}' % place) for place in range(n, n + 7)] for n in (1, 8, 15)]
"""Three blocks of seven."""


@given(blocks=BLOCKS, close=st.booleans())
@settings(max_examples=60)
def test_what_is_written_is_read_back_with_and_without_a_footer(
    *, blocks: list[list[Row]], close: bool
) -> None:
    with directory() as place:
        records, error, segment = read(write(place, blocks, close=close))
    assert error == ""
    assert [msgspec.structs.astuple(record) for record in records] == list(
        chain.from_iterable(blocks)
    )
    assert segment is not None
    assert segment.closed is close
    assert segment.torn_bytes == 0


@given(blocks=BLOCKS)
@settings(max_examples=40)
def test_the_index_found_by_reading_is_the_index_that_was_written(blocks: list[list[Row]]) -> None:
    with directory() as place:
        path = write(place, blocks)
        written = Segment(path)
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(b"FOOT")])
        found = Segment(path)
    assert not found.closed
    assert found.blocks == written.blocks
    assert found.chain == written.chain
    assert found.counts() == written.counts()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("close", [True, False])
def test_a_file_cut_at_any_byte_reads_as_its_whole_blocks(tmp_path: Path, *, close: bool) -> None:
    path = write(tmp_path, SAMPLE, close=close)
    data = path.read_bytes()
    starts = [entry.byte for entry in Segment(path).blocks]
    ends = [*starts[1:], data.rindex(b"FOOT") if close else len(data)]
    every = list(Segment(path).records())
    for size in range(len(data)):
        path.write_bytes(data[:size])
        records, error, segment = read(path)
        if size < starts[0]:
            assert "expected" in error
            assert segment is None
            continue
        assert error == ""
        whole = sum(end <= size for end in ends)
        assert records == every[: 7 * whole]
        assert segment is not None
        assert segment.torn_bytes == size - ([starts[0], *ends][whole])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("close", [True, False])
def test_no_flipped_byte_goes_unseen(tmp_path: Path, *, close: bool) -> None:
    path = write(tmp_path, SAMPLE, close=close)
    data = path.read_bytes()
    every = list(Segment(path).records())
    for byte in range(len(data)):
        path.write_bytes(data[:byte] + bytes([data[byte] ^ 0x41]) + data[byte + 1 :])
        records, error, segment = read(path)
        assert records == every[: len(records)]
        torn = segment is not None and segment.torn_bytes > 0
        assert error or torn, f"byte {byte} of {len(data)}"


def test_damage_in_the_middle_is_told_with_its_byte_after_what_came_before(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE, close=False)
    second = Segment(path).blocks[1].byte
    data = bytearray(path.read_bytes())
    data[second + 40] ^= 1
    path.write_bytes(data)
    records, error, _ = read(path)
    assert len(records) == 7
    assert error == (
        f"expected a block that fits its checksum at byte {second} of {path}, found damaged data"
    )


@pytest.mark.parametrize("keep", [(0, 2), (1, 2), (0, 2, 1), (1, 0, 2), (0, 0, 1)])
def test_a_block_taken_out_or_put_elsewhere_is_seen(tmp_path: Path, keep: tuple[int, ...]) -> None:
    path = write(tmp_path, SAMPLE, close=False)
    data = path.read_bytes()
    starts = [*(entry.byte for entry in Segment(path).blocks), len(data)]
    pieces = [data[starts[n] : starts[n + 1]] for n in keep]
    path.write_bytes(data[: starts[0]] + b"".join(pieces))
    _, error, segment = read(path)
    assert segment is not None
    assert error or segment.torn_bytes


def test_zeros_that_a_power_cut_left_are_a_torn_tail(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE, close=False)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(10_000))
    records, error, segment = read(path)
    assert (len(records), error) == (21, "")
    assert segment is not None
    assert (segment.torn_byte, segment.torn_bytes) == (size, 10_000)


@given(blocks=BLOCKS, low=st.integers(0, 2**60), high=st.integers(0, 2**60))
@settings(max_examples=60)
def test_an_interval_holds_what_its_engine_time_says(
    blocks: list[list[Row]], low: int, high: int
) -> None:
    with directory() as place:
        segment = Segment(write(place, blocks))
        got = list(segment.records(since_ns=WALL_NS + low, until_ns=WALL_NS + high))
    at_ns, expected = 0, []
    for one in chain.from_iterable(blocks):
        at_ns = max(at_ns, one[4])
        if low <= at_ns <= high:
            expected.append(Record(*one))
    assert got == expected


def test_blocks_outside_the_interval_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE)
    data = bytearray(path.read_bytes())
    data[Segment(path).blocks[0].byte + 40] ^= 1
    path.write_bytes(data)
    assert len(list(Segment(path).records(since_ns=WALL_NS + 8))) == 14


def test_an_older_reader_refuses_a_newer_format(tmp_path: Path) -> None:
    path = SegmentWriter(tmp_path, header(format=FORMAT + 1)).path
    with pytest.raises(OperatorError, match=r"^expected format 1 or older at byte 8 of .* was 2"):
        Segment(path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", MAGIC[:-1], MAGIC, MAGIC + b"HEAD" * 9])
def test_what_is_no_segment_is_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / segment_name("run", 1)
    path.write_bytes(data)
    with pytest.raises(OperatorError, match=r"^expected the .* at byte [08] of "):
        Segment(path)


def test_a_segment_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, SAMPLE)
    with pytest.raises(FileExistsError):
        SegmentWriter(tmp_path, header())


def test_a_segment_reads_the_same_from_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLE)
    other = tmp_path / "renamed"
    shutil.copy(path, other)
    assert list(Segment(other).records()) == list(Segment(path).records())
