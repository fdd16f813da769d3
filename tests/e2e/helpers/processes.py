"""Finding what a test left behind: processes and mounts.

The test run makes itself the reaper of orphans, so whatever slipway leaves behind becomes its child, whatever
session or process group it moved to.
"""
import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36

SHIM = "containerd-shim"  # the parent of a container of the tests' dockerd, which leaves it to the reaper of orphans

servers = set()  # process ids that tests run on purpose


def adopt_orphans():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def table():
    """pid -> (parent pid, state, name) of all processes."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                    text = f.read()
            except OSError:
                continue
            command, _, rest = text.partition(" (")[2].rpartition(") ")
            fields = rest.split()
            found[int(name)] = (int(fields[1]), fields[0], command)
    return found


def descendants(of=None):
    """{pid: name} of the living descendants of a process (of this one) that are not servers of the tests."""
    processes = table()
    living, level = {}, {of or os.getpid()}
    while level:
        level = {pid for pid, (parent, _, name) in processes.items()
                 if parent in level and pid not in servers and name != SHIM}
        living.update({pid: processes[pid][2] for pid in level if processes[pid][1] != "Z"})
    return living


def _command_line(pid):
    """As the kernel has it, a zero byte after each argument; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


def programs(of, command):
    """The descendants of a process whose command line begins so, but for those that one of them forked and that are no other program yet."""
    processes = table()
    found = [pid for pid in descendants(of) if _command_line(pid).startswith(command)]
    return [pid for pid in found if pid in processes and processes[pid][0] not in found]


def running(word):
    """Processes of anybody whose command line holds the word, but for those that have ended."""
    return [pid for pid, (_, state, _) in table().items() if state != "Z" and word.encode() in _command_line(pid)]


def reap():
    """Collects orphans that have ended."""
    for pid, (parent, state, _) in table().items():
        if parent == os.getpid() and state == "Z" and pid not in servers:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def wait_until(condition, seconds=60):
    """Polls until the condition holds; returns its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def high_water(pid):
    """Peak resident KiB of a running program; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)
    except FileNotFoundError:
        return 0


def peak_memory(process):
    """The same of a Popen that ends well; what wait4 tells would be the peak of the process that forked, which is pytest."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, high_water(process.pid))
        time.sleep(0.01)
    assert process.returncode == 0, process.stderr.read().decode()
    return peak


def leftovers(folder, patience=10.0):
    """What is still there of a test that worked in the folder, as a list of sentences. What was killed has some seconds to end."""
    wait_until(lambda: not descendants(), patience)
    found = [f"process {pid} ({name}) still runs" for pid, name in descendants().items()]
    for pid in descendants():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_until(lambda: not descendants())
    reap()
    found += [f"still mounted: {point}" for point in mounts(folder)]
    return found


def mounts(below):
    """Mount points at or below a folder."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        points = [line.split(" ")[4].replace("\\040", " ") for line in f]
    return [p for p in points if p == str(below) or p.startswith(f"{below}/")]
