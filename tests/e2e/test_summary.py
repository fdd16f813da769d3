"""The last lines of ./dev test: what counts as passed, failed, skipped, and what failed beside others only."""
import os
import subprocess
import sys

SUMMARY = os.path.join(os.path.dirname(__file__), "..", "summary.py")


def junit(path, **cases):
    """Writes a JUnit file: name="" passed, else its element."""
    path.write_text("<testsuite>" + "".join(f'<testcase classname="c" name="{name}">{inner}</testcase>' for name, inner in cases.items())
                    + "</testsuite>")
    return path


def failed(why):
    return f'<failure message="{why}"/>'


def summary(tmp_path, *rows, **env):
    (tmp_path / "steps").write_text("".join(f"{name}\t{code}\t{path}\n" for name, code, path in rows))
    ended = subprocess.run([sys.executable, SUMMARY, tmp_path / "steps"], capture_output=True, text=True,
                           env={**os.environ, "CI": "", **env})
    assert not ended.stderr
    return ended.returncode, ended.stdout.splitlines()


def test_counts(tmp_path):
    xml = junit(tmp_path / "x", a="", b=failed("b broke"), s='<skipped message="needs: root"/>', t='<skipped message="later"/>')
    assert summary(tmp_path, ("build", 0, "-"), ("tests", 1, xml)) == (
        1, ["failed: tests: c::b: b broke", "skipped: tests: c::s: needs: root", "skipped: tests: c::t: later", "2 passed, 1 failed, 2 skipped"])
    assert summary(tmp_path, ("tests", 1, xml), CI="true")[1][-1] == "1 passed, 2 failed, 1 skipped"
    assert summary(tmp_path, ("build", 2, "-")) == (1, ["failed: build: build: exit code 2", "0 passed, 1 failed, 0 skipped"])
    assert summary(tmp_path, ("tests", 0, tmp_path / "none"))[0] == 1
    assert summary(tmp_path, ("tests", 3, junit(tmp_path / "y", a="")))[1][0] == "failed: tests: tests: exit code 3 without a failed case"
    assert summary(tmp_path)[0] == 1, "nothing was looked at"


def test_failed_beside_others_alone(tmp_path):
    xml = junit(tmp_path / "x", a="", b=failed("late"), d=failed("wrong"))
    junit(tmp_path / "x.again", b="", d=failed("wrong again"))
    assert summary(tmp_path, ("tests", 1, xml)) == (
        1, ["unsteady: tests: c::b: late", "failed: tests: c::d: wrong", "2 passed, 1 failed, 0 skipped"])
    junit(tmp_path / "x.again", d="")
    assert summary(tmp_path, ("tests", 1, xml))[1][0] == "failed: tests: c::b: late", "it was not run again"
    junit(tmp_path / "x.again", b="", d="")
    assert summary(tmp_path, ("tests", 0, xml))[0] == 0
    # A skip is no pass, and a result that cannot be read none at all.
    junit(tmp_path / "x.again", b="", d='<skipped message="needs: x"/>')
    assert summary(tmp_path, ("tests", 0, xml))[0] == 1
    (tmp_path / "x.again").write_text("<test")
    assert summary(tmp_path, ("tests", 0, xml))[0] == 1


def test_many_unsteady_ones_are_a_failure(tmp_path):
    for count, code, last in (3, 0, "3 passed, 0 failed, 0 skipped"), (4, 1, "0 passed, 4 failed, 0 skipped"):
        xml = junit(tmp_path / "x", **{f"t{i}": failed("late") for i in range(count)})
        junit(tmp_path / "x.again", **{f"t{i}": "" for i in range(count)})
        assert summary(tmp_path, ("tests", 0, xml))[0] == code
        assert summary(tmp_path, ("tests", 0, xml))[1][-1] == last
