"""Connections that end as a test wants it."""
import fcntl
import os
import socket
import struct
import termios
import time


def drain(connection):
    """Until the other side's kernel has all that was sent: that survives a reset."""
    end = time.monotonic() + 10
    while time.monotonic() < end and struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0]:
        time.sleep(0.01)


def reset(connection):
    """RST: nothing that was sent and has not arrived arrives for sure."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # A TLS socket would say goodbye first.
    os.close(connection.detach())
