"""The document, the rules, the dashboard and the scrape configuration name what exists."""

import json
import re
from itertools import groupby
from typing import Any

from polytui.engine.core.runconfig import MetricsConfig
from polytui.engine.shell.metrics.families import BY_NAME, FAMILIES, FOREIGN
from tests.conftest import ROOT

OPS = ROOT / "ops" / "prometheus"
RULES = (OPS / "polytui.rules.yml").read_text(encoding="utf-8")
RULE_TESTS = (OPS / "polytui.rules.test.yml").read_text(encoding="utf-8")
DOC = ROOT / "docs" / "metrics.md"
NAME = re.compile(r"\bpolytui_[a-z_]+\b")
CODES = {
    "LOOP_LAG",
    "WS_GAP",
    "STALE_BOOK",
    "USER_FEED_LOST",
    "UNKNOWN_ORDER",
    "LEG_OPEN",
    "POS_MISMATCH",
    "CAP",
    "DAILY_LOSS",
    "429_BACKOFF",
    "ARM_EXPIRES",
}
"""Codes of the console's alerts that the View can tell."""
NOT_YET = {"TOXICITY", "CROWDING", "DRIFT_OPEN", "CALIB_BAD", "DISK"}
"""Codes of the console's alerts that it cannot tell yet."""


def alerts() -> list[dict[str, str]]:
    """Read the rules; they are written in one form, one field a line."""
    found = []
    for text in RULES.split("      - alert: ")[1:]:
        name, expr = text.splitlines()[0], text.split("expr: >-\n")[1].splitlines()[0].strip()
        fields = dict(re.findall(r'^ {10}(\w+): "?(.+?)"?$', text, re.MULTILINE))
        after = re.search(r"^ {8}for: (\w+)$", text, re.MULTILINE)
        found.append(
            {"alert": name, "expr": expr, "for": after[1] if after else "at once", **fields}
        )
    return found


def escaped(text: str) -> str:
    return text.replace("|", "\\|")


def families_tables() -> str:
    """Write the families as Markdown; copy it into the document when this test fails."""
    parts = []
    for group, families in groupby(FAMILIES, key=lambda family: family.group):
        rows = [
            f"| `{family.name}` | {family.kind.value} | "
            f"{' '.join(f'`{label}`' for label in family.labels) or '—'} | {escaped(family.help)} |"
            for family in families
        ]
        head = f"### {group.value}\n\n| family | kind | labels | meaning |\n|---|---|---|---|"
        parts.append("\n".join([head, *rows]) + "\n")
    rows = [f"| `{name}` | {text} |" for name, text in FOREIGN]
    parts.append("\n".join(["| from the client library | meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def alerts_table() -> str:
    """Write the alerts as Markdown; copy it into the document when this test fails."""
    rows = ["| alert | code | class | after | what to do |", "|---|---|---|---|---|"]
    rows += [
        f"| {one['alert']} | {one['code']} | {one['severity']} | {one['for']} | {one['action']} |"
        for one in alerts()
    ]
    return "\n".join(rows) + "\n"


def test_the_document_lists_the_families() -> None:
    assert families_tables() in DOC.read_text(encoding="utf-8"), families_tables()


def test_the_document_lists_the_alerts() -> None:
    assert alerts_table() in DOC.read_text(encoding="utf-8"), alerts_table()


def test_every_alert_says_cause_consequence_and_action() -> None:
    assert len(alerts()) > 40
    for one in alerts():
        for field in ("cause", "consequence", "action"):
            assert re.match(r"\S.{15,}\.$", one[field]), f"{one['alert']}: {field}"
        assert one["severity"] in {"critical", "high", "low"}
    assert len({one["alert"] for one in alerts()}) == len(alerts())


def test_the_codes_of_the_console_have_rules_or_are_named_as_missing() -> None:
    codes = {one["code"] for one in alerts()}
    assert codes >= CODES
    assert codes.isdisjoint(NOT_YET)
    text = DOC.read_text(encoding="utf-8")
    assert {code for code in NOT_YET if code not in text} == set()


def test_every_alert_has_a_rule_test_that_sees_it_quiet_and_firing() -> None:
    for one in alerts():
        checks = RULE_TESTS.count(f'ALERTS{{alertname="{one["alert"]}",alertstate="firing"}}')
        assert checks == 2, one["alert"]


def test_rules_and_their_tests_name_families_that_exist() -> None:
    for text in (RULES, RULE_TESTS):
        assert set(NAME.findall(text)) <= set(BY_NAME)


def dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((OPS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return made


def test_the_dashboard_shows_families_that_exist_and_says_what_each_panel_means() -> None:
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    used = {
        name for p in panels for target in p["targets"] for name in NAME.findall(target["expr"])
    }
    assert used <= set(BY_NAME)
    assert len(used) > 40
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["title"] and panel["targets"] for panel in panels)


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_scrape_configuration_asks_where_the_exporter_is() -> None:
    config = (OPS / "prometheus.yml").read_text(encoding="utf-8")
    default = MetricsConfig()
    assert f'"{default.bind}:{default.port}"' in config
    assert "metrics_path: /metrics" in config
