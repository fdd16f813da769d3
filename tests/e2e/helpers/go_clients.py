"""Registry clients that are Go modules, as ./dev test installs them where there is a Go of today."""
import shutil
import subprocess

import pytest

from helpers.packages import TOP


def program(name):
    own = TOP / ".dev/go" / name
    found = str(own) if own.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"needs: {name} (./dev test installs it with Go 1.25 or newer)")
    return found


class Client:
    """client("push", ...) is what it prints; its home is the test's own."""

    def __init__(self, name, home, **env):
        home.mkdir(exist_ok=True)
        self.program, self.env = program(name), {"PATH": "/usr/bin:/bin", "HOME": str(home), **env}

    def run(self, *arguments, cwd=None, stdin=None):
        return subprocess.run([self.program, *map(str, arguments)], cwd=cwd, input=stdin, env=self.env, capture_output=True, check=False, timeout=300)

    def __call__(self, *arguments, cwd=None, stdin=None):
        done = self.run(*arguments, cwd=cwd, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: {done.stdout.decode(errors='replace')[-3000:]}{done.stderr.decode(errors='replace')[-3000:]}"
        return done.stdout.decode()
