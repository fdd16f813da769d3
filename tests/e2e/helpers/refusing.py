"""A system call that is refused, as by a container's filter."""
import errno
import os
import sys

# A filter that answers one system call with an error, and leaves all else alone; then the program.
_PROGRAM = """
import ctypes, os, struct, sys
number, call = int(sys.argv[1]), int(sys.argv[2])
code = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, 0x00050000 | number), (0x06, 0, 0, 0x7fff0000)]
program = b"".join(struct.pack("HBBI", *i) for i in code)
held = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(held)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter_, 0, 0) == 0
os.execv(sys.argv[3], sys.argv[3:])
"""


_UNSHARE = {"x86_64": 272, "aarch64": 97}
_LANDLOCK_CREATE_RULESET = 444  # of every machine


def _refuse(call, number, argv):
    return [sys.executable, "-c", _PROGRAM, str(int(number)), str(call), *map(str, argv)]


def unshare(number, *argv):
    """The command that runs argv where unshare(2) fails with the error."""
    return _refuse(_UNSHARE[os.uname().machine], number, argv)


def landlock(*argv):
    """The command that runs argv where the kernel has no Landlock."""
    return _refuse(_LANDLOCK_CREATE_RULESET, errno.ENOSYS, argv)
