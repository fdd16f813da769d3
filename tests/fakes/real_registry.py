#!/usr/bin/env python3
"""Debian's docker-registry over TLS with a login, for C tests: prints one line of JSON and serves until its input ends."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from helpers.registry import Registry  # noqa: E402


def main():
    registry = Registry(sys.argv[1])
    try:
        print(json.dumps({"host": registry.host, "url": registry.url, "ca": str(registry.ca),
                          "user": registry.user, "password": registry.password}), flush=True)
        sys.stdin.buffer.read()
    finally:
        registry.stop()


if __name__ == "__main__":
    main()
