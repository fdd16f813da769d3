"""Users that tests run slipway as; made once, which needs root."""
import os
import pwd
import shutil
import subprocess

import pytest

WITH_SUBIDS = "slipway-test"      # has ranges in /etc/subuid and /etc/subgid
WITHOUT_SUBIDS = "slipway-single"  # has none: one user id is all there is


def _ranges(path):
    with open(path, encoding="utf-8") as f:
        rows = [line.strip().split(":") for line in f if line.count(":") == 2]
    return {name: (int(start), int(count)) for name, start, count in rows}


def _ensure_range(name, path, option):
    try:
        ranges = _ranges(path)
    except FileNotFoundError:
        ranges = {}
    if name not in ranges:
        free = max([100000] + [start + count for start, count in ranges.values()])
        subprocess.run(["usermod", option, f"{free}-{free + 65535}", name], check=True)


def ensure(name):
    """The passwd entry of a test user, who is created when missing. Skips the test when not root."""
    if os.geteuid() != 0:
        pytest.skip("needs: root, to become another user")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        # A system user gets no subordinate ids by itself.
        subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent",
                        "--user-group", "--shell", shutil.which("nologin") or "/bin/false", name], check=True)
        entry = pwd.getpwnam(name)
    if name == WITH_SUBIDS:
        _ensure_range(name, "/etc/subuid", "--add-subuids")
        _ensure_range(name, "/etc/subgid", "--add-subgids")
    return entry
