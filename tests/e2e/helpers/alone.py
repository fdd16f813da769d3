"""slipway with nothing else: the static program in a folder that it takes for the whole system."""
import os
import pathlib
import shutil
import socket
import threading

from helpers.runner import Slipway


class Alone(Slipway):
    """Paths of the outside that lie in its folder (top) may be given as they are: they become its own."""

    def __init__(self, program, top):
        self.top = pathlib.Path(top)
        super().__init__("/slipway", self.top)
        shutil.copy(program, self.top / "slipway")
        self.env.update(PATH="/", LANG="")

    def inside(self, value):
        return str(value).replace(str(self.top), "")

    def put(self, path, content):
        """A file of the folder, such as etc/hosts."""
        target = self.top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def start(self, *arguments, env=None, cwd=None, **popen):
        def enter():
            os.chroot(self.top)
            os.chdir(self.inside(cwd) if cwd else "/")

        env = {k: self.inside(v) for k, v in {**self.env, **(env or {})}.items() if v is not None}
        saved, self.env = self.env, env
        try:
            return super().start(*map(self.inside, arguments), preexec_fn=enter, cwd="/", **popen)
        finally:
            self.env = saved


class Names(threading.Thread):
    """A DNS server at 127.0.0.x:53 that knows some names: asked holds what it was asked; silent, it never answers."""

    def __init__(self, address, names, silent=False):
        super().__init__(daemon=True)
        self.names, self.silent, self.asked = names, silent, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.start()

    def run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
            except OSError:
                return
            if len(query) < 17:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind = ".".join(labels), int.from_bytes(query[at + 1:at + 3], "big")
            self.asked.append((name, {1: "A", 28: "AAAA"}.get(kind, kind)))
            if not self.silent:
                self.socket.sendto(self.answer(query, at + 5, name, kind), peer)

    def answer(self, query, end, name, kind):
        """RFC 1035, 4.1: the question again and, of a known name, its address."""
        known = name.lower() in self.names
        addresses = [self.names[name.lower()]] if known and kind == 1 else []
        header = query[:2] + bytes([0x81, 0x80 | (0 if known else 3)]) + b"\0\1" + len(addresses).to_bytes(2, "big") + bytes(4)
        records = b"".join(b"\xc0\x0c\0\1\0\1" + (60).to_bytes(4, "big") + b"\0\4" + bytes(map(int, a.split("."))) for a in addresses)
        return header + query[12:end] + records

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.socket.getsockname())
        self.join(5)
        self.socket.close()
