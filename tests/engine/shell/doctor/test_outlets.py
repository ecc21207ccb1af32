"""The doctor on who is told: the exporter's port, the webhook, and whoever reads its address."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.runconfig import MetricsConfig, NotifyConfig, Settings
from polytui.engine.core.view import PostsView, StatusView
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.outlets import check_metrics, check_webhook
from polytui.engine.shell.doctor.report import Finding, Status
from tests.console import views
from tests.engine.shell.doctor.rig import ENGINE

URL = "https://hooks.example/T0ken"
ON = Settings(notify=NotifyConfig(url=URL))


def case(settings: Settings = ON, **fields: object) -> Case:
    return replace(Case(settings=settings, directory=Path()), **fields)


def running(settings: Settings = ON, **shell: object) -> Case:
    status = views.live()["status"]
    assert isinstance(status, StatusView)
    told = replace(status, shell=replace(status.shell, **shell))
    return case(settings, engine=replace(ENGINE, status=told))


def said(finding: Finding) -> tuple[str, str]:
    return finding.status.value, finding.found


def test_metrics_are_off_free_taken_or_served() -> None:
    off = Settings(metrics=MetricsConfig(enabled=False))
    assert said(check_metrics(case(off))) == ("ok", "switched off: metrics.enabled is false")
    assert said(check_metrics(case())) == ("ok", "127.0.0.1:9108 is free")
    assert said(check_metrics(case(metrics_why="in use"))) == ("warn", "in use")
    assert said(check_metrics(running(metrics_why="in use"))) == ("warn", "in use")
    assert "answers at 127.0.0.1:9108" in check_metrics(running()).found


def test_the_webhook_is_judged_by_the_engine_that_posts_to_it() -> None:
    assert check_webhook(case(Settings())).found == "off: notify.url is empty"
    assert "the doctor posts nothing" in check_webhook(case()).found
    well = check_webhook(running(posts=PostsView(on=True, posted=3)))
    assert said(well) == ("ok", "3 alerts posted, 0 waiting, 0 lost; classes C, H")
    bad = check_webhook(running(posts=PostsView(on=True, lost=2, why="HTTP 404")))
    assert said(bad) == ("warn", "0 alerts posted, 0 waiting, 2 lost: HTTP 404")


@pytest.mark.parametrize(("mode", "status"), [(0o644, Status.WARN), (0o640, Status.OK)])
def test_an_address_that_others_can_read_is_no_secret(
    tmp_path: Path, mode: int, status: Status
) -> None:
    config = tmp_path / "config.toml"
    config.touch(mode)
    config.chmod(mode)
    finding = check_webhook(case(config=config))
    assert finding.status is status
    assert "T0ken" not in f"{finding.found}{finding.remedy}"


def test_an_address_that_is_none_fails_without_being_shown() -> None:
    finding = check_webhook(case(Settings(notify=NotifyConfig(url="http://example.com/T0ken"))))
    assert finding.status is Status.FAIL
    assert "T0ken" not in finding.found
