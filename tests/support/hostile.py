"""Hostile input for decoders, and what every decoder promises whatever comes."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from polytui.engine.core.events import Event, WireFault, WireIgnored

HOSTILE: tuple[object, ...] = (
    None,
    [],
    {},
    [[]],
    True,
    -1,
    0,
    2**63,
    10**40,
    1.5,
    -0.0,
    "",
    " ",
    "0",
    "-0",
    "+1",
    "-1",
    "NaN",
    "Infinity",
    "1e999",
    "1E5",
    "0x10",
    "1_000",
    "1,5",
    " 1",
    "1 ",
    "1.2.3",
    ".",
    "5.",
    "٣",
    "１",
    "9" * 5000,
    "0." + "1" * 5000,
    "99999999999999999999",
    "\ud7ff\x00\x1b[31m",
    "2026-02-30T00:00:00Z",
)
"""Replacements for single values: none of them is a price, a size, an id or a time in its place."""

Decoder = Callable[[bytes], list[Event]]

DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b'{"type":"ticker","x":' + b"[" * 100_000)

JUNK = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all values inside a JSON value."""
    found = [at] if at else []
    if isinstance(value, dict):
        return found + [p for k, inner in value.items() for p in paths(inner, (*at, k))]
    if isinstance(value, list):
        return found + [p for i, inner in enumerate(value) for p in paths(inner, (*at, i))]
    return found


def replaced(text: bytes, path: tuple[Any, ...], by: object) -> bytes:
    """Replace the value at a path of a JSON text."""
    value = json.loads(text)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = by
    return json.dumps(value).encode()


@st.composite
def mutated(draw: st.DrawFn, messages: Sequence[bytes]) -> bytes:
    """Take a real message and spoil one value, or some of its bytes."""
    message = draw(st.sampled_from(messages))
    if draw(st.booleans()):
        path = draw(st.sampled_from(paths(json.loads(message))))
        return replaced(message, path, draw(st.sampled_from(HOSTILE)))
    start = draw(st.integers(0, len(message)))
    end = draw(st.integers(start, min(len(message), start + 8)))
    return message[:start] + draw(st.binary(max_size=8)) + message[end:]


def numbers(event: object) -> list[tuple[str, int]]:
    """List all numbers of an event with their field names."""
    found: list[tuple[str, int]] = []
    for name in getattr(event, "__struct_fields__", ()):
        value = getattr(event, name)
        if isinstance(value, int) and not isinstance(value, bool):
            found.append((name, value))
        elif isinstance(value, tuple):
            found += [("px_u6", px) for px, _ in value] + [("qty", qty) for _, qty in value]
    return found


def assert_lawful(events: list[Event]) -> None:
    """Hold what every decoder promises: events, and no number out of its range."""
    assert isinstance(events, list)
    for event in events:
        assert isinstance(event, Event)
        if isinstance(event, WireFault | WireIgnored):
            texts = [
                getattr(event, f) for f in ("expected", "got", "market", "what") if f in dir(event)
            ]
            assert all(text.isascii() or text.endswith("…") for text in texts)
        for name, number in numbers(event):
            assert isinstance(number, int)
            assert 0 <= number <= (10**18 if name.endswith("_u6") else 2**63 - 1), (name, number)
            assert number > 0 or name not in {"px_u6", "value_u6"}
