"""The units: what they say, where they go, and how far systemd itself thinks they are exposed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import Settings, SignerConfig, StoreConfig
from polytui.engine.shell.install import (
    MARK,
    Plan,
    Program,
    carry_out,
    plan_system,
    plan_user,
    this_program,
)

EXPOSURE_MAX = 1.5
"""Of `systemd-analyze security --offline=true`, the system unit."""
PYTHON = Path("/opt/polytui/.venv/bin/python")
HOME = Path("/home", "x")
CONFIG = Path("/etc/polytui/config.toml")
PROGRAM = Program(python=PYTHON, places=(PYTHON, CONFIG), config=CONFIG)
CREDENTIAL = replace(Settings(), signer=SignerConfig(source="credential", name="wallet"))


def system(settings: Settings = CREDENTIAL, *, root: Path = Path("/")) -> Plan:
    return plan_system(settings, PROGRAM, root=root)


def keys(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_the_system_unit_runs_this_program_with_its_configuration_and_its_key() -> None:
    unit, users = system().files
    said = keys(unit.text)
    assert said["ExecStart"] == [f"{PYTHON} -I -m polytui serve --practice --config {CONFIG}"]
    assert said["LoadCredentialEncrypted"] == ["wallet:/etc/polytui/wallet.cred"]
    assert said["Environment"] == ["POLYTUI_RUNTIME_DIR=/var/lib/polytui/run"]
    assert said["User"] == ["polytui"]
    assert unit.path == Path("/etc/systemd/system/polytui.service")
    assert "u polytui" in users.text
    assert "@" not in re.sub(r"@(system-service|privileged|resources)", "", unit.text)


def test_c24_three_unclean_ends_in_five_minutes_and_it_stays_down() -> None:
    for plan in (system(), plan_user(Settings(), PROGRAM, home=HOME)):
        said = keys(plan.files[0].text)
        assert (said["StartLimitBurst"], said["StartLimitIntervalSec"]) == (["3"], ["300"])
        assert said["Restart"] == ["on-failure"]
        assert said["RestartPreventExitStatus"] == ["2"]


def test_c2_c5_a_stop_reaches_the_engine_alone_and_leaves_it_time_to_cancel() -> None:
    """The signer must live while the engine cancels, and the sentinel must outlive the engine."""
    for plan in (system(), plan_user(Settings(), PROGRAM, home=HOME)):
        said = keys(plan.files[0].text)
        assert said["KillMode"] == ["process"]
        assert said["OOMPolicy"] == ["continue"]
        assert int(said["TimeoutStopSec"][0]) >= 20
        assert (said["Type"], said["NotifyAccess"]) == (["notify"], ["main"])
        assert int(said["WatchdogSec"][0]) * 1_000 > 3 * Settings().sentinel.silent_ms


def test_d6_without_a_credential_no_key_is_loaded_and_none_ever_stands_in_a_unit() -> None:
    for settings in (Settings(), CREDENTIAL):
        text = system(settings).files[0].text
        assert ("LoadCredential" in text) is (settings is CREDENTIAL)
        assert re.search(r"[0-9a-f]{64}", text) is None


def test_directories_outside_the_state_are_made_writable_and_no_others() -> None:
    apart = replace(Settings(), store=StoreConfig(directory="/srv/money"))
    assert keys(system(apart).files[0].text)["ReadWritePaths"] == ["/srv/money"]
    assert "ReadWritePaths" not in keys(system().files[0].text)


def test_a_program_in_a_home_directory_is_refused_for_the_machine_and_fine_for_a_user() -> None:
    home = replace(PROGRAM, places=(HOME / "polytui",))
    with pytest.raises(OperatorError, match="outside of home directories"):
        plan_system(Settings(), home)
    assert (
        plan_user(Settings(), home, home=HOME).files[0].path
        == HOME / ".config/systemd/user/polytui.service"
    )


@pytest.mark.parametrize("path", ["/opt/a b", "/opt/%h", "/opt/$X", "/opt/x\nExecStart=/bin/sh"])
def test_a_path_that_systemd_would_read_as_something_else_is_refused(path: str) -> None:
    odd = Program(python=Path(path), places=())
    with pytest.raises(OperatorError, match="expected a path of letters"):
        plan_system(Settings(), odd)


def test_this_program_is_the_one_that_runs(tmp_path: Path) -> None:
    program = this_program(tmp_path / "config.toml")
    assert program.python.exists()
    assert tmp_path / "config.toml" in program.places


# --- writing -------------------------------------------------------------------------------------


def test_files_are_written_once_and_the_second_time_nothing_is_to_do(tmp_path: Path) -> None:
    plan = system(root=tmp_path)
    written = carry_out(plan)
    assert [path.read_text().startswith(MARK) for path in written] == [True, True]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}
    assert carry_out(plan) == []
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(written)


def test_an_older_file_of_ours_is_replaced_and_anybody_elses_is_not(tmp_path: Path) -> None:
    plan = system(root=tmp_path)
    carry_out(plan)
    ours = plan.files[0].path
    ours.write_text(f"{MARK} --system`, an older one\n")
    assert carry_out(plan) == [ours]
    ours.write_text("[Service]\nExecStart=/bin/other\n")
    with pytest.raises(OperatorError, match="move it away"):
        carry_out(plan)
    assert "other" in ours.read_text()


def test_a_users_service_gets_its_private_directory(tmp_path: Path) -> None:
    plan = plan_user(Settings(), PROGRAM, home=tmp_path)
    carry_out(plan)
    assert plan.state.stat().st_mode & 0o777 == 0o700
    assert any("enable-linger" in step for step in plan.steps)


def test_what_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file")
    with pytest.raises(OperatorError, match="etc"):
        carry_out(system(root=tmp_path))


# --- systemd's own judgement ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_systemd_finds_the_system_unit_hardly_exposed(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine (Debian: apt-get install systemd)")
    unit = tmp_path / "polytui.service"
    unit.write_text(system().files[0].text)
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"this systemd does not judge offline: {done.stderr.strip()[:200]}")
    assert float(found.group(1)) <= EXPOSURE_MAX


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["system", "user"])
def test_systemd_understands_every_line(tmp_path: Path, kind: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine (Debian: apt-get install systemd)")
    real = replace(PROGRAM, python=Path("/bin/sh"))
    plan = (
        plan_system(Settings(), real)
        if kind == "system"
        else plan_user(Settings(), real, home=tmp_path)
    )
    unit = tmp_path / "polytui.service"
    unit.write_text(plan.files[0].text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "polytui.service" in line]
    assert complaints == []
