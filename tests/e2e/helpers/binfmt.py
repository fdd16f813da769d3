#!/usr/bin/env python3
"""A table of emulators (binfmt_misc) for one program alone, in a user namespace with all ids: nothing of the machine's own
table is seen or changed. Kernels from 6.7 on have such tables.

    binfmt.py COMMAND [ARG...]      with the lines of BINFMT_ENTRIES registered, and BINFMT_SWITCH ("0") written to
                                    the entry of that name first: "qemu-aarch64=0"; BINFMT_HIDE: not mounted
"""
import ctypes
import os
import pathlib
import sys

FOLDER = "/proc/sys/fs/binfmt_misc"
CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x20000, 0x10000000, 0x4000, 0x40000
# What Debian registers: the ELF header of programs of that machine, and which of its bits count.
HEADERS = {"aarch64": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00",
           "arm": b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x28\x00"}
MASK = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"


def line(machine, interpreter, flags):
    """What is written to the table's file "register"."""
    def text(data):
        return "".join(f"\\x{byte:02x}" for byte in data)
    return f":qemu-{machine}:M::{text(HEADERS[machine])}:{text(MASK)}:{interpreter}:{flags}"


def _call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def enter():
    """A user namespace with this process's ids, and a mount namespace."""
    me, (ready, go) = os.getpid(), os.pipe()
    maps = "0 0 4294967295" if os.geteuid() == 0 else f"0 {os.geteuid()} 1"
    helper = os.fork()
    if helper == 0:
        os.close(go)
        os.read(ready, 1)
        if os.geteuid() != 0:
            pathlib.Path(f"/proc/{me}/setgroups").write_text("deny")
        pathlib.Path(f"/proc/{me}/uid_map").write_text(maps)
        pathlib.Path(f"/proc/{me}/gid_map").write_text(maps)
        os._exit(0)
    _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    os.write(go, b"x")
    if os.waitpid(helper, 0)[1] != 0:
        raise OSError("the ids could not be mapped")
    _call("mount", b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)


def main():
    enter()
    _call("mount", b"none", FOLDER.encode(), b"binfmt_misc", ctypes.c_ulong(0), None)
    for entry in filter(None, os.environ.pop("BINFMT_ENTRIES", "").split("\n")):
        pathlib.Path(FOLDER, "register").write_text(entry)
    for name, _, value in [s.partition("=") for s in os.environ.pop("BINFMT_SWITCH", "").split()]:
        pathlib.Path(FOLDER, name).write_text(value)
    if os.environ.pop("BINFMT_HIDE", ""):
        _call("mount", b"none", FOLDER.encode(), b"tmpfs", ctypes.c_ulong(0), None)
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
