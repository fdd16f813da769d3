#!/usr/bin/env python3
"""The sum of a run of ./dev test: reads the list of steps (name, exit code, JUnit file or "-", separated by
tabs), prints what failed and what was skipped and why, and as the last line "N passed, N failed, N skipped".

What failed beside other tests and passed by itself (its result is in the JUnit file with ".again") counts as passed, and
is printed as "unsteady" with what went wrong the first time: its cause is to be found. A run with more than a few of them failed.

With CI=true a skip is a failure, unless its reason begins with "needs:", which names something that the
README's set-up cannot install (root, a kernel feature, the network).
"""
import os
import sys
import xml.etree.ElementTree as ElementTree

UNSTEADY_AT_MOST = 3


def cases(path):
    """Yields (name, state, reason) of each test case of a JUnit file."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        problem = case.find("failure")
        if problem is None:
            problem = case.find("error")
        skip = case.find("skipped")
        if problem is not None:
            yield name, "failed", problem.get("message") or ""
        elif skip is not None:
            yield name, "skipped", skip.get("message") or ""
        else:
            yield name, "passed", ""


def step_cases(name, code, path):
    """The cases of one step; a step that ended badly without a failed case counts as one."""
    found = []
    if path == "-":
        return [(name, "failed" if code else "passed", f"exit code {code}")]
    try:
        found = list(cases(path))
        if os.path.exists(path + ".again"):
            passed = {case for case, state, _ in cases(path + ".again") if state == "passed"}
            found = [(case, "unsteady" if state == "failed" and case in passed else state, reason) for case, state, reason in found]
    except (OSError, ElementTree.ParseError) as e:
        found.append((name, "failed", f"no results: {e}"))
    if code and not any(state == "failed" for _, state, _ in found):
        found.append((name, "failed", f"exit code {code} without a failed case"))
    return found


def main():
    in_ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    count = {"passed": 0, "failed": 0, "skipped": 0, "unsteady": 0}
    with open(sys.argv[1], encoding="utf-8") as steps:
        rows = [line.rstrip("\n").split("\t") for line in steps]
    for name, code, path in rows:
        for case, state, reason in step_cases(name, int(code), path):
            if state == "skipped" and in_ci and not reason.startswith("needs:"):
                state, reason = "failed", f"skipped in CI: {reason}"
            count[state] += 1
            if state != "passed":
                first = (reason.strip().splitlines() or [""])[0]
                print(f"{state}: {name}: {case}: {first}")
    count["failed" if count["unsteady"] > UNSTEADY_AT_MOST else "passed"] += count["unsteady"]
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
