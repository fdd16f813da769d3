"""A small web app: a front page, a greeting and a health check, on port 3000."""
import os
import signal
import socket
import sys

from flask import Flask, jsonify
from markupsafe import escape

app = Flask(__name__)


@app.get("/")
def index():
    return f"Hello from slipway's sample app on {socket.gethostname()}\n"


@app.get("/greet/<name>")
def greet(name):
    return f"Hello, {escape(name)}!\n"


@app.get("/health")
def health():
    return jsonify(status="ok")


if __name__ == "__main__":
    # As pid 1 of a container nothing ends on SIGTERM unless it is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", "3000")))
