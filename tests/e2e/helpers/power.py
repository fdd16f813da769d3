"""What a power cut leaves of a folder: the system calls that change it are recorded and played back up to any point.

    disk = Disk(root)                               what is there now has long reached the disk
    calls = record(slipway, "build", ...)           runs it under strace
    for call in disk.own(calls):                    those that change something below root
        disk.apply(call)
        disk.crash("empty").write(root)             the folder as it is found when power comes back

Only fsync makes anything last: of a file its bytes, of a folder its names. Everything later may or may not have got
there, in any order. The boot in which the calls were recorded is over, so its id reads differently afterwards.
"""
import copy
import os
import random
import re
import shutil
import stat
import subprocess

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CALLS = ("open openat openat2 creat mkdir mkdirat rename renameat renameat2 unlink unlinkat rmdir link linkat symlink symlinkat "
         "mknod mknodat write pwrite64 writev pwritev pwritev2 ftruncate truncate fallocate copy_file_range sendfile "
         "splice ioctl fsync fdatasync syncfs sync").split()

# What overlays and mounts of a step are made in: not synced, and not seen through the names that strace shows.
LOOSE = re.compile(r"(.*/)?(ingest/(run|probe)-[^/]+/|layers/[^/]+/[^/]+/fs/)")

LINE = re.compile(r"(\d+) +(.*)")
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
DONE = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?")
HEXES = re.compile(r"(?:\\x[0-9a-f]{2})+")


def _bytes(text):
    assert not text or HEXES.fullmatch(text), text[:200]
    return bytes.fromhex(text.replace("\\x", ""))


class Call:
    """One finished system call: name, args as strace prints them, result."""

    def __init__(self, name, args, result, opened):
        self.name, self.args, self.result = name, [a.strip() for a in args.split(", ")], result
        self.opened = os.fsdecode(_bytes(opened)) if opened and opened.startswith("\\x") else None

    def __str__(self):
        def plain(found):
            return os.fsdecode(_bytes(found.group()[:400]))

        return f"{self.name}({', '.join(re.sub(HEXES, plain, a) for a in self.args)})"

    def data(self, index):
        text = self.args[index]
        assert text.startswith('"') and text.endswith('"'), f"strace cut {self.name}: {text[-60:]}"
        return _bytes(text[1:-1])

    def of_fd(self, index):
        """The path behind a descriptor, or None for what has none (sockets, deleted files)."""
        _, _, rest = self.args[index].partition("<")
        path, _, after = rest.partition(">")
        return os.fsdecode(_bytes(path)) if path.startswith("\\x") and not after else None

    def path(self, folder, index):
        """The absolute path of an argument, relative to the descriptor in another one (None: has none)."""
        name = os.fsdecode(self.data(index))
        if folder is None:
            return os.path.normpath(name) if name.startswith("/") else None
        base = self.of_fd(folder)
        return os.path.normpath(os.path.join(base, name)) if base or name.startswith("/") else None


def parse(lines):
    """Calls in the order in which they returned: a call that depends on another one comes after it."""
    begun = {}
    for line in lines:
        pid, text = LINE.match(line).groups()
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
            continue
        if resumed := RESUMED.match(text):
            text = begun.pop(pid) + resumed.group(2).lstrip()
        if done := DONE.match(text):
            name, args, result, opened = done.groups()
            if int(result) >= 0:
                yield Call(name, args, int(result), opened)


def record(slipway, *arguments):
    """Runs it to its end, which must be a good one, and returns the calls that may have changed a disk."""
    log = slipway.folder / "calls"
    command = ["strace", "-f", "-qq", "-y", "-xx", "-s", str(64 << 20), "-e", "signal=none", "-e",
               "trace=" + ",".join(CALLS), "-o", log, slipway.binary, *map(str, arguments)]
    # A traced process cannot look for leaks, which takes tracing itself.
    options = ":".join(filter(None, [slipway.env.get("ASAN_OPTIONS"), "detect_leaks=0"]))
    done = subprocess.run(command, env={**slipway.env, "ASAN_OPTIONS": options}, cwd=slipway.folder,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL, start_new_session=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    calls = list(parse(log.read_text().splitlines()))
    log.unlink()
    return calls


class File:
    """Its bytes, and those that are safe."""

    def __init__(self, mode, data=b""):
        self.mode, self.data, self.synced, self.at = mode, data, b"", 0

    def write(self, data, at):
        self.data = self.data[:at].ljust(at, b"\0") + data + self.data[at + len(data):]

    def sync(self):
        self.synced = self.data

    def left(self, how, rng):
        now, safe = self.data, self.synced
        if how == "any":
            how = rng.choice(["synced", "empty", "zeros", "cut", "all"])
        if now == safe or how == "all":
            return now
        if how in ("synced", "empty"):
            return safe
        kept = len(safe) if now.startswith(safe) else 0
        if how == "zeros":
            return now[:kept] + bytes(len(now) - kept)
        return now[:rng.randrange(kept, len(now))] if len(now) > kept else now


class Folder:
    """Its names, those that are safe, and all that a name has stood for since."""

    def __init__(self, mode):
        self.mode, self.names, self.safe, self.since = mode, {}, {}, {}

    def set(self, name, node):
        self.since.setdefault(name, [self.names.get(name)]).append(node)
        if node is None:
            del self.names[name]
        else:
            self.names[name] = node

    def sync(self):
        self.safe, self.since = dict(self.names), {}

    def left(self, how, rng):
        if how == "synced":
            return self.safe
        if how != "any":
            return self.names
        found = dict(self.names)
        for name, versions in self.since.items():
            found[name] = rng.choice(versions)
        return {name: node for name, node in found.items() if node is not None}


class Crash:
    """What is found after the power came back: files, sorted (path, mode, bytes or None for a folder); None: no root."""

    def __init__(self, files):
        self.files = None if files is None else tuple(sorted(files))

    def write(self, root):
        """In place of what is there."""
        shutil.rmtree(root, ignore_errors=True)
        if self.files is None:
            return
        root.mkdir(mode=0o700)
        for path, mode, data in self.files:
            target = root / path
            if data is None:
                target.mkdir()
            else:
                target.write_bytes(data)
            target.chmod(mode)


# synced: nothing that was not synced, neither names nor bytes. The others keep all names, of files whose bytes were not
# synced: none, as many zeros, or the first ones. any: each name and file for itself.
WAYS = ("synced", "empty", "zeros", "cut", "any")


class Disk:
    """A folder as system calls see it, and what of it is safe."""

    def __init__(self, root):
        self.root = str(root)
        self.top = None
        self.above = Folder(0o755)
        boot = open(BOOT_ID, "rb").read().strip()
        self.boot, self.other_boot = boot, bytes(b"0123456789abcdef"["fedcba9876543210".index(chr(c))]
                                                 if c != ord("-") else c for c in boot)
        assert self.boot != self.other_boot
        if os.path.isdir(self.root):
            self.top = self._read(self.root)
            self.above.set("root", self.top)
        self.above.sync()

    def _read(self, path):
        st = os.lstat(path)
        if not stat.S_ISDIR(st.st_mode):
            file = File(stat.S_IMODE(st.st_mode), open(path, "rb").read() if stat.S_ISREG(st.st_mode) else b"")
            file.sync()
            return file
        folder = Folder(stat.S_IMODE(st.st_mode))
        for name in os.listdir(path):
            folder.names[name] = self._read(os.path.join(path, name))
        folder.sync()
        return folder

    # -- where things are --

    def _parts(self, path):
        """Names below the root; None for what is elsewhere or loose."""
        if path is None or (path != self.root and not path.startswith(self.root + "/")):
            return None
        inside = path[len(self.root) + 1:]
        return None if LOOSE.match(inside) else [p for p in inside.split("/") if p]

    def _place(self, path):
        """(folder, name) of a path, None when it is not ours."""
        parts = self._parts(path)
        if parts is None:
            return None
        node, name = self.above, "root"
        for part in parts:
            node, name = node.names[name], part
        return node, name

    def _node(self, path):
        place = self._place(path)
        return place and place[0].names.get(place[1])

    def _file(self, path):
        node = self._node(path)
        return node if isinstance(node, File) else None

    def _put(self, path, node):
        place = self._place(path)
        if place:
            place[0].set(place[1], node)
        return bool(place)

    def _remove(self, path):
        place = self._place(path)
        if not place or place[1] not in place[0].names:
            return False
        place[0].set(place[1], None)
        return True

    # -- calls --

    def own(self, calls):
        """The calls that change the folder; they must explain all of what has become of it."""
        trial = copy.deepcopy(self)
        found = [call for call in calls if trial.apply(call)]
        unexplained = trial.differences()
        assert not unexplained, unexplained
        return found

    def apply(self, call):
        """Does what the call did; False when it has nothing to do with the folder."""
        known = getattr(self, "_do_" + call.name.removesuffix("64"), None)
        if known:
            return bool(known(call))
        if call.name == "openat2" and not any("O_CREAT" in a or "O_TRUNC" in a for a in call.args):
            return False
        paths = [call.of_fd(i) for i, a in enumerate(call.args) if re.match(r"\d+<", a)]
        assert all(p is None or self._parts(p + "/") is None for p in paths), f"cannot play back {call.name} {paths}"
        return False

    def _do_openat(self, call, flags=2, mode=3):
        if "O_CREAT" not in call.args[flags] and "O_TRUNC" not in call.args[flags]:
            return False
        place = self._place(call.opened)
        if not place:
            return False
        found = place[0].names.get(place[1])
        if found is None:
            place[0].set(place[1], File(int(call.args[mode], 8)))
            return True
        found.at = 0
        if "O_TRUNC" in call.args[flags]:
            found.data = b""
        return "O_TRUNC" in call.args[flags]

    def _do_open(self, call):
        return self._do_openat(call, 1, 2)

    def _do_mkdir(self, call, path=None, mode=1):
        path = path or call.path(None, 0)
        return self._put(path, Folder(int(call.args[mode], 8)))

    def _do_mkdirat(self, call):
        return self._do_mkdir(call, call.path(0, 1), 2)

    def _do_rename(self, call, old=None, new=None):
        old, new = old or call.path(None, 0), new or call.path(None, 1)
        node = self._node(old)
        if node is None:
            # The change set of a step becomes a layer; what is in it was never synced.
            return self._put(new, Folder(0o755)) if LOOSE.match(os.path.relpath(old, self.root)) else False
        # The old name goes first: moved within one folder, a file may lose both.
        self._remove(old)
        return self._put(new, node)

    def _do_renameat(self, call):
        # Where nothing may be replaced, nothing was: calls that failed are not played.
        assert len(call.args) < 5 or call.args[4] in ("0", "RENAME_NOREPLACE"), call.args[4]
        return self._do_rename(call, call.path(0, 1), call.path(2, 3))

    _do_renameat2 = _do_renameat

    def _do_unlink(self, call):
        return self._remove(call.path(None, 0))

    _do_rmdir = _do_unlink

    def _do_unlinkat(self, call):
        return self._remove(call.path(0, 1))

    def _do_write(self, call):
        file = self._file(call.of_fd(0))
        if not file:
            return False
        file.write(call.data(1)[:call.result], file.at)
        file.at += call.result
        return call.result > 0

    def _do_pwrite(self, call):
        file = self._file(call.of_fd(0))
        if file:
            file.write(call.data(1)[:call.result], int(call.args[3]))
        return bool(file)

    def _do_ftruncate(self, call):
        file, size = self._file(call.of_fd(0)), int(call.args[1])
        if file:
            file.data = file.data[:size].ljust(size, b"\0")
        return bool(file)

    def _do_ioctl(self, call):
        file = self._file(call.of_fd(0)) if len(call.args) > 1 and "FICLONE" in call.args[1] else None
        if not file:
            return False
        source = call.of_fd(2)
        file.data = (self._file(source) or File(0, open(source, "rb").read())).data
        return True

    def _do_fsync(self, call):
        node = self._node(call.of_fd(0))
        # The folder above is asked for by the path of the root's parent.
        if call.of_fd(0) == os.path.dirname(self.root):
            node = self.above
        if node is None:
            return False
        node.sync()
        return True

    _do_fdatasync = _do_fsync

    def _do_syncfs(self, call):
        raise AssertionError("a syncfs would make everything last: play it back")

    _do_sync = _do_syncfs

    # -- results --

    def crash(self, how, seed=0):
        """What a power cut at this moment leaves, in one of WAYS."""
        rng, found = random.Random(seed), []

        def walk(folder, path):
            for name, node in sorted(folder.left(how, rng).items()):
                below = f"{path}{name}"
                if isinstance(node, Folder):
                    found.append((below, node.mode, None))
                    walk(node, below + "/")
                else:
                    found.append((below, node.mode, node.left(how, rng).replace(self.boot, self.other_boot)))

        top = self.above.left(how, rng).get("root")
        if top is None:
            return Crash(None)
        walk(top, "")
        return Crash(found)

    def differences(self):
        """What the calls did not tell of the folder as it is now; nothing, if they are all that changes it."""
        found = []

        def compare(folder, path):
            names = set(os.listdir(path))
            found.extend(f"{path}/{n}: only {'there' if n in names else 'played back'}"
                         for n in names ^ set(folder.names) if self._parts(f"{path}/{n}") is not None)
            for name in names & set(folder.names):
                below, node = os.path.join(path, name), folder.names[name]
                if isinstance(node, Folder) and os.path.isdir(below):
                    if not LOOSE.match(os.path.relpath(below, self.root) + "/"):
                        compare(node, below)
                elif isinstance(node, Folder) or os.path.isdir(below) or node.data != open(below, "rb").read():
                    found.append(f"{below}: differs")

        compare(self.above.names["root"], self.root)
        return found
