"""A proxy that leads every tunnel (CONNECT) to one port of this machine, and answers plain requests itself."""
import select
import socket
import socketserver
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode()
        headers = []
        while (header := self.rfile.readline()) not in (b"\r\n", b""):
            headers.append(header.decode().strip())
        self.server.seen.append((line.split(" ")[0], line.split(" ")[1] if " " in line else "", headers))
        if self.server.status:
            self.wfile.write(f"HTTP/1.1 {self.server.status} No\r\nContent-Length: 0\r\n\r\n".encode())
        elif line.startswith("CONNECT "):
            self.tunnel()
        else:
            self.wfile.write(b"HTTP/1.1 418 I am a proxy\r\nContent-Length: 0\r\n\r\n")

    def tunnel(self):
        with socket.create_connection(("127.0.0.1", self.server.target)) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            pairs = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(pairs), [], [], 30)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    pairs[ready].sendall(data)


class Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target=0, status=0):
        """status: what every request is answered with; 0: as it should be."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.target, self.status, self.seen = target, status, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that leaves is part of the tests."""

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
