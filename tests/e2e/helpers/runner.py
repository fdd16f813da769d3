"""Running the slipway binary with a state folder, home and environment of the test's own."""
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import time

from helpers import processes

PASSED_ON = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "http_proxy", "https_proxy", "no_proxy",
             "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclasses.dataclass
class Result:
    """How a run ended; out and err as text (bytes that are not UTF-8 as \\xNN)."""
    argv: list
    code: int
    out: str
    err: str
    seconds: float
    raw: bytes

    def __str__(self):
        return (f"$ slipway {' '.join(self.argv[1:])}\nexit code {self.code}, {self.seconds:.2f} s\n"
                f"--- stdout\n{self.out}--- stderr\n{self.err}---")

    def ok(self):
        assert self.code == 0, str(self)
        return self

    def fails(self, *words, code=1):
        """Exit code and words that the message must hold, in any case of letters."""
        assert self.code == code, str(self)
        for word in words:
            assert word.lower() in self.err.lower(), f"no {word!r} in\n{self}"
        # Neither a sanitizer nor an assertion is an answer to wrong input.
        for crash in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "Assertion"):
            assert crash not in self.err, str(self)
        return self


class Slipway:
    """Call it with arguments: slipway("build", "-t", "app", folder).ok()."""

    def __init__(self, binary, folder, entry=None, env=None):
        self.binary = str(binary)
        self.folder = pathlib.Path(folder)
        self.entry = entry  # passwd entry of the user to run as; None: the present one
        self.root = self.folder / "root"
        self.home = self.folder / "home"
        self.tmp = self.folder / "tmp"
        self.run = self.folder / "run"
        self.unfinished_allowed = False  # partial downloads may stay in ingest/
        self.n_others = 0
        for made in (self.folder, self.home, self.tmp, self.run):
            made.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.give(made)
        self.run.chmod(0o700)
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
            "HOME": str(self.home), "SLIPWAY_ROOT": str(self.root), "TMPDIR": str(self.tmp),
            "XDG_RUNTIME_DIR": str(self.run),
            **{k: os.environ[k] for k in PASSED_ON if k in os.environ}, **(env or {}),
        }

    def give(self, path, recursive=False):
        """Makes the user of this runner the owner of a path."""
        if self.entry:
            os.chown(path, self.entry.pw_uid, self.entry.pw_gid, follow_symlinks=False)
            if recursive:
                for folder, folders, files in os.walk(path):
                    for name in folders + files:
                        os.chown(os.path.join(folder, name), self.entry.pw_uid, self.entry.pw_gid,
                                 follow_symlinks=False)
        return path

    def other(self, **env):
        """The same user, home and logins with another, empty state folder."""
        self.n_others += 1
        other = Slipway(self.binary, self.folder / f"other{self.n_others}", self.entry, {**self.env, **env})
        other.home = self.home
        for name, value in (("HOME", other.home), ("SLIPWAY_ROOT", other.root), ("TMPDIR", other.tmp),
                            ("XDG_RUNTIME_DIR", other.run)):
            other.env[name] = str(value)
        return other

    def _options(self, env, cwd):
        options = {"cwd": cwd or self.folder, "env": {**self.env, **(env or {})}, "start_new_session": True}
        options["env"] = {k: v for k, v in options["env"].items() if v is not None}
        if self.entry:
            options.update(user=self.entry.pw_uid, group=self.entry.pw_gid, extra_groups=[])
        return options

    def start(self, *arguments, env=None, cwd=None, **popen):
        """Starts it and returns the Popen, stdout and stderr piped unless told otherwise."""
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([self.binary, *map(str, arguments)], **self._options(env, cwd), **popen)

    def __call__(self, *arguments, stdin=b"", env=None, cwd=None, timeout=300):
        begin = time.monotonic()
        process = self.start(*arguments, env=env, cwd=cwd, stdin=subprocess.PIPE)
        try:
            out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                out, err = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
            raise AssertionError(f"{' '.join(process.args)} took more than {timeout} s:\n"
                                 f"{out.decode(errors='replace')}\n{err.decode(errors='replace')}") from None
        return Result(process.args, process.returncode, out.decode(errors="backslashreplace"),
                      err.decode(errors="backslashreplace"), time.monotonic() - begin, out)

    def build(self, context, *arguments, **options):
        """slipway build with arguments before the context."""
        return self("build", *arguments, context, **options)

    def leftovers(self):
        """Sentences about what a finished run must not leave."""
        found = processes.leftovers(self.folder)
        for tmp in self.folder.glob("**/tmp") if self.n_others else [self.tmp]:
            if tmp.parent == self.folder or tmp.parent.name.startswith("other"):
                found += [f"temporary file left: {p}" for p in tmp.iterdir()]
        ingest = self.root / "ingest"
        if ingest.is_dir() and not self.unfinished_allowed:
            found += [f"unfinished blob left: {p}" for p in ingest.rglob("*") if p.is_file()]
        return found

    def remove(self):
        """Removes the folder; files of mapped users need their user namespace."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            subprocess.run(["unshare", "--map-auto", "--map-root-user", "rm", "-rf", str(self.folder)],
                           check=False, capture_output=True)
