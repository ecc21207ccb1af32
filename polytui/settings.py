"""Configuration: one file, the environment, the command line, in rising order of precedence.

This is the only module that imports pydantic. It owns the allowed range of every key and hands out
a frozen `Settings`; a key that does not exist or a value out of range is refused with a sentence
and never replaced by a guess. The models are made from the structs of `engine.core.runconfig`, so
that names, types and defaults are written once.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, create_model
from pydantic import ValidationError as Refused
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from polytui.engine.core.errors import SHOWN_MAX, OperatorError, shown
from polytui.engine.core.runconfig import EXPOSE_PHRASE, Settings

DEFAULT_FILE = Path("config.toml")
"""Read when no file is named and this one is in the working directory."""

ENV_PREFIX = "POLYTUI_"
ENV_NESTED = "__"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What one key may hold."""

    says: str
    """Completes the sentence "expected …"."""
    allows: Callable[[Any], object]
    is_secret: bool = False
    """Whether a refusal must not show what was written."""


def _whole(low: int, high: int) -> Rule:
    return Rule(says=f"a whole number from {low} to {high}", allows=lambda v: low <= v <= high)


def _zero_or(low: int, high: int) -> Rule:
    return Rule(
        says=f"0 or a whole number from {low} to {high}",
        allows=lambda v: v == 0 or low <= v <= high,
    )


def _number(low: float, high: float) -> Rule:
    return Rule(says=f"a number from {low:g} to {high:g}", allows=lambda v: low <= v <= high)


def _one_of(*choices: str) -> Rule:
    return Rule(says="one of " + ", ".join(choices), allows=lambda v: v in choices)


def _text(pattern: str, says: str) -> Rule:
    shape = re.compile(pattern)
    return Rule(says=says, allows=lambda v: shape.fullmatch(v) is not None)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_FEEDS = ("coinbase", "coinbase_advanced", "binance", "none")
_FLAG = Rule(says="true or false", allows=lambda _: True)
_PERCENTILES = Rule(
    says="three rising numbers of milliseconds up to 60000",
    allows=lambda v: 0 <= v[0] <= v[1] <= v[2] <= 60_000,
)
_URL = _text(r"https?://[^\s/]+(/\S*)?", "a URL with http or https")
_URL_OR_NOTHING = _text(r"|https?://[^\s/]+(/\S*)?", "a URL with http or https, or nothing")
_LOCAL = r"http://(localhost|127\.0\.0\.1|\[::1\])"
_HOOK = Rule(
    says="a URL with https, without a login, or http of this machine, or nothing",
    allows=lambda v: re.fullmatch(rf"|(https://[^\s/?#@]+|{_LOCAL}(:\d+)?)([/?][!-~]*)?", v),
    is_secret=True,
)
_SOCKET = _text(r"wss?://[^\s/]+(/\S*)?", "a URL with ws or wss")
_ADDRESS = _text("0x[0-9a-fA-F]{40}", "an address: 0x and 40 hexadecimal digits")

RULES: Mapping[str, Rule] = {
    "run.mode": _one_of("shadow", "paper", "live_dry_run", "replay"),
    "run.seed": _whole(0, 2**63 - 1),
    "run.book.digest_check": _one_of("both", "one", "off"),
    "run.book.digest_gate_after": _whole(1, 100_000),
    "run.book.digest_give_up_after": _whole(1, 100_000),
    "run.book.group_silence_ms": _whole(1, 5_000),
    "run.book.crossed_ms": _whole(0, 10_000),
    "run.book.stale_market_ms": _whole(100, 600_000),
    "run.book.stale_conn_ms": _whole(100, 600_000),
    "run.book.witness_ms": _zero_or(1_000, 3_600_000),
    "run.book.trades_kept": _whole(1, 1_000),
    "run.box.enabled": _FLAG,
    "run.box.buffer_u6": _whole(0, 200_000),
    "run.box.qty_u6_max": _whole(1, 10**12),
    "run.box.cash_u6_max": _whole(1, 10**12),
    "run.box.age_ms_max": _whole(1, 60_000),
    "run.box.parity_share_min": _number(0, 1),
    "run.box.parity_window_s": _whole(1, 600),
    "run.box.confirmations": _whole(1, 100),
    "run.box.proof_required": _FLAG,
    "run.box.depth_levels": _whole(1, 100),
    "run.arbiter.lock_ms": _whole(0, 3_600_000),
    "run.arbiter.duplicate_ms": _whole(0, 60_000),
    "run.reference.primary": _one_of(*_FEEDS),
    "run.reference.secondary": _one_of(*_FEEDS),
    "run.reference.settlement": _one_of("chainlink", "none"),
    "run.reference.symbol": _text("[A-Za-z0-9-]{1,32}", "1 to 32 letters, digits and dashes"),
    "run.modules.degraded_ms": _whole(100, 600_000),
    "run.modules.offline_ms": _whole(100, 3_600_000),
    "run.limits.arm_hours_max": _whole(1, 24),
    "run.limits.heartbeat_ms": _whole(1_000, 9_000),
    "run.limits.clock_offset_ms": _whole(10, 5_000),
    "run.limits.clock_age_s": _whole(10, 600),
    "run.limits.journal_fill": _number(0.01, 0.9),
    "run.limits.loop_lag_ms": _whole(10, 2_000),
    "run.limits.end_min_s": _whole(0, 86_400),
    "run.limits.rolling_end_min_s": _whole(0, 3_600),
    "run.limits.book_age_ms": _whole(50, 10_000),
    "run.limits.witnessed_age_ms": _whole(50, 60_000),
    "run.limits.reference_age_ms": _whole(50, 60_000),
    "run.limits.user_age_ms": _whole(1_000, 60_000),
    "run.limits.balance_age_ms": _whole(1_000, 600_000),
    "run.limits.metadata_age_s": _whole(10, 86_400),
    "run.limits.collar_u6": _whole(1_000, 500_000),
    "run.limits.collar_ticks": _whole(1, 100),
    "run.limits.order_qty_u6": _whole(1, 10**12),
    "run.limits.order_cash_u6": _whole(1, 10**11),
    "run.limits.depth_share": _number(0.01, 1),
    "run.limits.market_u6": _whole(0, 10**11),
    "run.limits.group_u6": _whole(0, 10**11),
    "run.limits.strategy_u6": _whole(0, 10**11),
    "run.limits.total_u6": _whole(0, 10**11),
    "run.limits.orders_per_s": _whole(1, 40),
    "run.limits.cancel_reserve": _whole(1, 1_000),
    "run.limits.sends_max": _whole(1, 10_000),
    "run.limits.sends_s": _whole(1, 3_600),
    "run.limits.rejects_max": _whole(1, 1_000),
    "run.limits.rejects_s": _whole(1, 3_600),
    "run.limits.day_loss_u6": _whole(1, 10**11),
    "run.limits.drawdown": _number(0.001, 1),
    "run.limits.strategy_loss_u6": _whole(1, 10**11),
    "run.limits.failed_share": _number(0.001, 1),
    "run.limits.failed_window": _whole(10, 1_000),
    "run.limits.expiry_min_s": _whole(60, 600),
    "run.limits.expiry_max_s": _whole(60, 86_400),
    "run.limits.quote_life_ms": _whole(0, 60_000),
    "run.limits.orders_per_fill": _whole(1, 1_000),
    "run.orders.inflight_after_ms": _whole(100, 60_000),
    "run.orders.inflight_every_ms": _whole(100, 60_000),
    "run.orders.open_every_ms": _whole(1_000, 600_000),
    "run.orders.trades_every_ms": _whole(1_000, 600_000),
    "run.orders.positions_every_ms": _whole(1_000, 3_600_000),
    "run.orders.balances_every_ms": _whole(1_000, 3_600_000),
    "run.orders.clock_every_ms": _whole(1_000, 600_000),
    "run.orders.touched_ms": _whole(100, 60_000),
    "run.orders.quiet_ms": _whole(0, 60_000),
    "run.orders.life_s": _whole(120, 86_400),
    "run.orders.amber_ms": _whole(1_000, 600_000),
    "run.orders.red_ms": _whole(1_000, 3_600_000),
    "run.orders.heartbeat_ms": _whole(1_000, 9_000),
    "run.orders.unknown_alarm_ms": _whole(1_000, 600_000),
    "run.orders.overfill_u6": _whole(0, 1_000_000),
    "run.bundles.leg_ms": _whole(100, 60_000),
    "run.bundles.residue_ms": _whole(100, 60_000),
    "run.bundles.slip_u6": _whole(0, 500_000),
    "run.bundles.slip_max_u6": _whole(0, 500_000),
    "run.bundles.rest_ms": _whole(0, 3_600_000),
    "run.bundles.merge": _FLAG,
    "capture.enabled": _FLAG,
    "capture.directory": _text(r"[^\0]+", "the path of a directory"),
    "capture.flush_ms": _whole(10, 60_000),
    "capture.segment_mb": _whole(1, 4_096),
    "capture.keep_gb": _whole(1, 10_000),
    "capture.queue_max": _whole(256, 1_048_576),
    "runner.inbox_max": _whole(256, 1_048_576),
    "runner.batch_events": _whole(1, 65_536),
    "runner.batch_us": _whole(100, 1_000_000),
    "runner.view_hz": _whole(1, 30),
    "practice.markets": _whole(1, 200),
    "practice.rate": _number(0.1, 50_000),
    "practice.faults": _FLAG,
    "practice.idle_s": _whole(1, 86_400),
    "venue.kind": _one_of("practice", "polymarket"),
    "venue.clob": _URL,
    "venue.market_ws": _SOCKET,
    "venue.user_ws": _SOCKET,
    "venue.gamma": _URL,
    "venue.data": _URL,
    "venue.geoblock": _URL_OR_NOTHING,
    "venue.chain_id": _whole(1, 1_000_000_000),
    "venue.exchange": _ADDRESS,
    "venue.neg_risk_exchange": _ADDRESS,
    "venue.exchange_v3": _ADDRESS,
    "venue.markets": Rule(
        says="a list of slugs", allows=lambda v: all(re.fullmatch("[a-z0-9-]{1,128}", s) for s in v)
    ),
    "venue.markets_max": _whole(1, 200),
    "signer.source": _one_of("none", "practice", "credential", "keystore", "keyring"),
    "signer.keystore": _text(r"[^\0]*", "the path of a file, or nothing"),
    "signer.name": _text("[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, dots and dashes"),
    "signer.signature_type": _whole(0, 3),
    "signer.funder": _text(
        "|0x[0-9a-fA-F]{40}", "an address of 0x and 40 hexadecimal digits, or nothing"
    ),
    "signer.order_cash_u6": _whole(1, 10**11),
    "signer.orders_per_s": _whole(1, 1_000),
    "store.directory": _text(r"[^\0]+", "the path of a directory"),
    "store.durability": _one_of("full", "normal"),
    "store.queue_max": _whole(256, 1_048_576),
    "store.wal_mb": _whole(1, 1_024),
    "store.fold_s": _whole(1, 3_600),
    "store.scan_s": _zero_or(1, 86_400),
    "store.scan_rows": _whole(1, 100),
    "store.health_s": _zero_or(1, 86_400),
    "store.bulk_days": _whole(1, 3_650),
    "store.log_days": _zero_or(8, 3_650),
    "sentinel.enabled": _FLAG,
    "sentinel.silent_ms": _whole(1_000, 30_000),
    "paper.cash_u6": _whole(0, 10**12),
    "paper.feed_ms": _PERCENTILES,
    "paper.submit_ms": _PERCENTILES,
    "paper.response_ms": _PERCENTILES,
    "paper.settle_ms": _whole(0, 600_000),
    "paper.settle_tail_ms": Rule(
        says="two rising numbers of milliseconds up to 600000",
        allows=lambda v: 0 <= v[0] <= v[1] <= 600_000,
    ),
    "paper.taker_delay_ms": _whole(0, 10_000),
    "paper.failed_share": _number(0, 1),
    "paper.maker": _one_of("averse", "probabilistic"),
    "metrics.enabled": _FLAG,
    "metrics.bind": Rule(says="an IP address", allows=_is_ip),
    "metrics.port": _whole(0, 65_535),
    "metrics.expose": Rule(
        says=f"nothing, or the words '{EXPOSE_PHRASE}'", allows=lambda v: v in ("", EXPOSE_PHRASE)
    ),
    "notify.url": _HOOK,
    "notify.classes": Rule(
        says="a list of C, H and L, each once",
        allows=lambda v: len(set(v)) == len(v) and set(v) <= {"C", "H", "L"},
    ),
    "notify.gap_s": _whole(1, 3_600),
    "notify.timeout_s": _whole(1, 60),
    "console.theme": _text("[A-Za-z0-9_-]{1,64}", "the name of a file in themes/ without .toml"),
    "console.rate_hz": _whole(1, 10),
    "console.mouse": _FLAG,
    "console.ascii": _FLAG,
    "runtime_dir": _text(r"[^\0]*", "the path of a directory, or nothing"),
}


def load(*, file: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Build the configuration of this process.

    `overrides` are the command line's, by dotted key (`{"run.box.buffer_u6": 3000}`). Without a
    `file` the one in the working directory serves, and without that the defaults.

    Raises:
        OperatorError: one sentence a line, each naming the key, its value and what is allowed.
    """
    path = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    from_file = _read(path) if path else {}
    _refuse_unknown_environment()
    given = dict(overrides or {})

    class Layered(_MODEL):  # type: ignore[misc, valid-type]  # made at run time from the structs
        """The model with its sources, the strongest first."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)

    try:
        model = Layered(**_nested(given))
    except Refused as refused:
        sentences = [_sentence(error, given, path) for error in refused.errors()]
        raise OperatorError("\n".join(sentences)) from None
    return msgspec.convert(model.model_dump(mode="json"), Settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"{path}: expected a readable file, but: {error.strerror or error}."
        ) from None
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: expected UTF-8, but byte {error.start} is not.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        lines = text.split("\n")
        end = f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file"
        why = str(error).replace("at end of document", end)
        raise OperatorError(f"{path}: expected TOML, but: {why}.") from None


def _refuse_unknown_environment() -> None:
    known = {_variable(key) for key in RULES}
    names = sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX))
    unknown = [name for name in names if name.upper() not in known]
    if unknown:
        raise OperatorError(
            "\n".join(
                f"{name}: no key is set by this variable{_hint(name.upper(), known)}"
                for name in unknown
            )
        )


def _variable(key: str) -> str:
    return ENV_PREFIX + key.replace(".", ENV_NESTED).upper()


def _hint(wrong: str, known: set[str]) -> str:
    """End a sentence, with the nearest known name if one is near."""
    near = get_close_matches(wrong, sorted(known), n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else "."


def _nested(overrides: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in overrides.items():
        if key not in RULES:
            raise OperatorError(f"{key}: there is no such key{_hint(key, set(RULES))}")
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    return tree


def _sentence(error: Any, given: Mapping[str, object], path: Path | None) -> str:
    key = ".".join(str(part) for part in error["loc"])
    given_value = error["input"]
    value = shown(given_value) if isinstance(given_value, str) else str(given_value)[:SHOWN_MAX]
    if key in RULES and RULES[key].is_secret:
        value = "something else, which is not shown"
    if key in RULES:
        return f"{key}: expected {RULES[key].says}, was {value}{_origin(key, given, path)}."
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key in {path}{_hint(key, set(RULES))}"
    return f"{key}: expected a section of keys, was {value} in {path}."


def _origin(key: str, given: Mapping[str, object], path: Path | None) -> str:
    if key in given:
        return " on the command line"
    if any(name.upper() == _variable(key) for name in os.environ):
        return f" in {_variable(key)}"
    return f" in {path}"


def _refuse_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a flag is not a number")
    return value


def _checked(rule: Rule) -> AfterValidator:
    def check(value: Any) -> Any:
        if not rule.allows(value.value if isinstance(value, Enum) else value):
            raise ValueError(rule.says)
        return value

    return AfterValidator(check)


def _fields(struct: type[msgspec.Struct], prefix: str = "") -> dict[str, Any]:
    """Mirror a struct's fields, with the rule of each; a field without a rule is our bug."""
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        key, kind = prefix + field.name, field.type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            inner = create_model(
                kind.__name__,
                __config__=ConfigDict(extra="forbid", frozen=True),
                **_fields(kind, key + "."),
            )
            made[field.name] = (inner, inner())
            continue
        checks: list[object] = [_checked(RULES[key])]
        if kind in (int, float):
            checks.insert(0, BeforeValidator(_refuse_flag))
        made[field.name] = (Annotated[kind, *checks], field.default)
    return made


class _Base(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_NESTED, extra="forbid", frozen=True
    )


_MODEL: type[BaseModel] = create_model("Settings", __base__=_Base, **_fields(Settings))
