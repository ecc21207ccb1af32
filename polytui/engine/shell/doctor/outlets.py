"""Checks of those who are told: the exporter's port, the webhook and who can read its address."""

import stat
from typing import Final

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.view import ShellView
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.report import Finding, fail, warn, well
from polytui.engine.shell.webhook import Webhook

OTHERS_READ: Final = stat.S_IROTH


def _shell(case: Case) -> ShellView | None:
    status = case.engine.status if case.engine is not None else None
    return None if status is None else status.shell


def check_metrics(case: Case) -> Finding:
    """Ask whether somebody can scrape: the engine that runs, or whether its port is free."""
    config, shell = case.settings.metrics, _shell(case)
    if not config.enabled:
        return well("switched off: metrics.enabled is false")
    why = case.metrics_why if shell is None else shell.metrics_why
    if why:
        return warn(why, "end what has the port, or set metrics.port: nobody can scrape meanwhile")
    where = f"{config.bind}:{config.port}"
    return well(f"{where} is free" if shell is None else f"the running engine answers at {where}")


def check_webhook(case: Case) -> Finding:
    """Ask how posting goes, and who can read the address; nothing is posted, nothing shown."""
    config, shell = case.settings.notify, _shell(case)
    if not config.url:
        return well("off: notify.url is empty")
    try:
        Webhook(config, lambda _: None)
    except OperatorError as refusal:
        return fail(str(refusal), "write the receiver's whole address, with https")
    if case.config is not None and case.config.stat().st_mode & OTHERS_READ:
        return warn(
            f"others can read the webhook's address in {case.config}",
            f"chmod o-r {case.config}: whoever has the address can write where you read",
        )
    classes = ", ".join(config.classes) or "none but kills"
    if shell is None:
        return well(f"on for classes {classes}; not tried: the doctor posts nothing")
    posts = shell.posts
    said = f"{posts.posted} alerts posted, {posts.waiting} waiting, {posts.lost} lost"
    if posts.why:
        return warn(f"{said}: {posts.why}", "look at the receiver, then at notify.url")
    return well(f"{said}; classes {classes}")
