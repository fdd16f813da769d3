#!/usr/bin/env python3
"""Runs all checks of the source and prints a line for each: run.py [--full] [--junit FILE]."""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKS = ["selftest", "format", "include_direction", "banned_calls", "printing", "lengths",
          "header_comments", "forbidden_words", "syntax", "static_analysis"]


def run(check):
    name, *arguments = check.split()
    start = time.monotonic()
    try:
        done = subprocess.run([sys.executable, "-B", os.path.join(HERE, name + ".py"), *arguments],
                              capture_output=True, text=True, timeout=1200, check=False)
        return done.returncode, (done.stdout + done.stderr).strip(), time.monotonic() - start
    except subprocess.TimeoutExpired:
        return 1, "took more than 20 minutes", time.monotonic() - start


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--full", action="store_true", help="clang-tidy too: some minutes")
    options.add_argument("--junit", help="write the results to this file")
    options = options.parse_args()
    checks = CHECKS + (["static_analysis --tidy"] if options.full else [])
    suite = ElementTree.Element("testsuite", name="lint")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # Results come in the order of the list, whatever ended first.
        for check, (code, text, seconds) in zip(checks, pool.map(run, checks)):
            case = ElementTree.SubElement(suite, "testcase", classname="lint", name=check,
                                          time=f"{seconds:.2f}")
            if code:
                failed += 1
                first = text.splitlines()[0] if text else f"exit code {code}"
                ElementTree.SubElement(case, "failure", message=first).text = text
                print(text)
            print(f"lint {check}: {'FAILED' if code else 'ok'} ({seconds:.1f} s)", flush=True)
    if options.junit:
        ElementTree.ElementTree(suite).write(options.junit, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
