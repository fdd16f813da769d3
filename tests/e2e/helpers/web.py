"""A web server on a loopback port for ADD: with Web({"/f": b"text"}) as web: web.url + "/f"; web.asked is what was asked for."""
import http.server
import threading


class WebServer:
    """Hands each GET and POST to answer(request), which writes to the request as http.server's handlers do."""

    def __init__(self):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.answer(self)

            do_POST = do_GET

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Web(WebServer):
    """pages: {path without query: bytes, (status, headers, bytes), or a function of the request's headers that gives either};
    may be changed while it runs."""

    def __init__(self, pages):
        super().__init__()
        self.pages, self.asked = pages, []

    def answer(self, request):
        self.asked.append(request.path)
        page = self.pages.get(request.path.partition("?")[0], (404, {}, b"not here"))
        page = page(request.headers) if callable(page) else page
        status, headers, body = (200, {}, page) if isinstance(page, bytes) else page
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
