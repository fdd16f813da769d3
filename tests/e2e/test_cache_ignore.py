""".dockerignore against an independent matcher: the reference's rules once more, on random patterns and paths."""
import os
import random
import resource

import pytest

from helpers.images import read_layout


def clean(path):
    """Go's path.Clean."""
    rooted, done = path.startswith("/"), []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and done and done[-1] != "..":
            done.pop()
        elif part != ".." or not rooted:
            done.append(part)
    return ("/" if rooted else "") + "/".join(done) or "."


def characters(text, at):
    """One element of a pattern at that place: (predicate of a character, where it ends)."""
    if text[at] == "\\":
        return (lambda c, wanted=text[at + 1]: c == wanted), at + 2
    if text[at] == "?":
        return (lambda c: c != "/"), at + 1
    if text[at] != "[":
        return (lambda c, wanted=text[at]: c == wanted), at + 1
    at += 1
    negated = text[at] == "^"
    at += negated
    ranges = []
    while True:
        low, at = (text[at + 1], at + 2) if text[at] == "\\" else (text[at], at + 1)
        high = low
        if text[at] == "-":
            at += 1
            high, at = (text[at + 1], at + 2) if text[at] == "\\" else (text[at], at + 1)
        ranges.append((low, high))
        if text[at] == "]":
            break
    return (lambda c: c != "/" and any(a <= c <= b for a, b in ranges) != negated), at + 1


def fits(pattern, path):
    """Whether a pattern is the whole path: "*" stops at "/"; "**" is any number of folders, also none, and at the end anything.

    docker's one exception: "**" before plain text is whatever ends with that text ("**.go" takes "a.go").
    """
    known = {}
    if pattern.startswith("**") and len(pattern) > 2 and not set(pattern[2:]) & set("*?[\\"):
        return path.endswith(pattern[2:]) or path == pattern[2:].removeprefix("/")

    def rest(p, s):
        if (p, s) not in known:
            known[p, s] = decide(p, s)
        return known[p, s]

    def decide(p, s):
        if p == len(pattern):
            return s == len(path)
        if pattern.startswith("**", p):
            after = p + 2 + pattern.startswith("/", p + 2)
            return (after == len(pattern) or rest(after, s)
                    or any(path[i] == "/" and rest(after, i + 1) for i in range(s, len(path))))
        if pattern[p] == "*":
            end = path.find("/", s)
            return any(rest(p + 1, i) for i in range(s, (len(path) if end < 0 else end) + 1))
        predicate, after = characters(pattern, p)
        return s < len(path) and predicate(path[s]) and rest(after, s + 1)

    return rest(0, 0)


def rules(text):
    """[(negated, pattern)] of an ignore file: trimmed, "#" only at column 0, cleaned, "!" once."""
    found = []
    for line in text.removeprefix("\ufeff").split("\n"):
        if line.startswith("#") or not line.strip():
            continue
        line = line.strip()
        negated = line.startswith("!")
        pattern = clean(line[negated:].strip())
        pattern = pattern[1:] if pattern.startswith("/") and len(pattern) > 1 else pattern
        found.append((negated, pattern))
    return found


def ignored(found, path):
    """The last line that matches the path or a folder above it decides."""
    parts = path.split("/")
    above = ["/".join(parts[:i]) for i in range(1, len(parts) + 1)]
    result = False
    for negated, pattern in found:
        if negated != result:
            continue
        if any(fits(pattern, one) for one in above):
            result = not negated
    return result


# What the reference says of patterns, in its own examples: that the witness is not wrong in the same way.
KNOWN = [("*/temp*", "somedir/temporary.txt", True), ("*/temp*", "temporary.txt", False), ("*/*/temp*", "a/b/temporary", True),
         ("temp?", "tempa", True), ("temp?", "temp", False), ("**/*.go", "a.go", True), ("**/*.go", "x/y/a.go", True),
         ("*.md\n!README.md", "README.md", False), ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
         ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False), ("foo/bar", "foo/bar/baz", True),
         ("/foo/bar/", "foo/bar", True), ("a/**", "a", False), ("a/**", "a/b", True), ("*\n!d/keep", "d/keep", False),
         ("**", "a/b", True), ("x/../y", "y", True), (" #x", "#x", True), ("#x", "#x", False), ("[a-c]", "b", True),
         ("[^a-c]", "b", False), ("a/**/b", "a/b", True), ("a/**/b", "a/x/y/b", True), ("**.go", "x/a.go", True), ("**/x", "a/xx", False)]


@pytest.mark.parametrize("text, path, wanted", KNOWN)
def test_the_witness_knows_the_reference(text, path, wanted):
    assert ignored(rules(text), path) == wanted


NAMES = ["a", "b", "ab", "ba", "abc", "x.go", "y.go", "a-b", ".git", "keep", "#c", "a b", "é", "[x]", "a*"]
PIECES = ["a", "b", "ab", "*", "**", "?", "*.go", "x*", "[a-b]", "[^a]*", "a*b", "?b", ".*", "keep", "\\[x]", "a\\*", "*b*", "é",
          "**.go", "a**", "a b"]


def random_tree(dice):
    """Paths of files in folders that share names with them, each path once a file or once a folder."""
    folders, files = {""}, set()
    for _ in range(12):
        folder = "/".join(filter(None, [dice.choice(sorted(folders)), dice.choice(NAMES)]))
        if folder.count("/") < 4:
            folders.add(folder)
    for _ in range(60):
        path = "/".join(filter(None, [dice.choice(sorted(folders)), dice.choice(NAMES)]))
        if path not in folders:
            files.add(path)
    return sorted(files)


def random_line(dice):
    pattern = "/".join(dice.choice(PIECES) for _ in range(dice.choice([1, 1, 1, 2, 2, 3])))
    pattern = dice.choice(["", "", "", "/", "./", "**/", "z/../"]) + pattern + dice.choice(["", "", "", "/", "/**"])
    return dice.choice(["", "", "!", "! "]) + dice.choice(["", "", " ", "\t"])[:0 if pattern[0] == "#" else 1] + pattern \
        + dice.choice(["", "", "  ", "\r", "\t"])


def test_random_patterns_and_paths(slipway, context, count):
    """What COPY takes of a random tree is what the witness leaves; the folders that no pattern could save are not walked."""
    dice = random.Random(1009)
    for number in range(count(40, 3000)):
        files = random_tree(dice)
        text = "\n".join(random_line(dice) for _ in range(dice.choice([1, 2, 3, 5, 8])))
        if dice.random() < 0.3:
            text = "*\n" + text
        top = context({"D": "FROM scratch\nCOPY . /c/\n", "D.dockerignore": text,
                       **{f"t/{p}": "" for p in files}})
        slipway.build(top / "t", "-f", top / "D", "-t", "i:1", "-q").ok()
        found = {p.removeprefix("c/") for p, e in read_layout(slipway.root, "i:1").tree().items() if e.kind == "file"}
        wanted = {p for p in files if not ignored(rules(text), p)}
        assert found == wanted, f"{number}: {text!r}: too many {sorted(found - wanted)}, missing {sorted(wanted - found)}"


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow  # a measurement of CPU time
def test_matching_is_linear_in_the_patterns(slipway, context):
    """Ten times the patterns take about ten times as long, not a hundred; patterns that have to be tried one by one."""
    files = {f"t/{'d/' * (n % 7)}file-{n}.c": "" for n in range(300)}

    def seconds(patterns):
        top = context({"D": "FROM scratch\nCOPY . /c/\n", **files,
                       "D.dockerignore": "".join(f"**/x{n}*y?z/**\n!no{n}/*q*/**\n" for n in range(patterns))})
        def once():
            before = cpu_of_children()
            slipway.build(top / "t", "-f", top / "D", "-t", "l:1", "-q", "--no-cache").ok()
            return cpu_of_children() - before
        return min(once() for _ in range(3))

    nothing, few, many = seconds(0), seconds(400), seconds(4000)
    assert many - nothing < 40 * max(few - nothing, 0.02), (nothing, few, many)


@pytest.mark.parametrize("where", ["beside", "in a folder", "outside"])
def test_the_dockerfiles_own_ignore_file_wins_wherever_it_is(slipway, context, where):
    """NAME.dockerignore beside the Dockerfile, also of -f; never both files."""
    place = {"beside": "t/My.docker", "in a folder": "t/sub/My.docker", "outside": "My.docker"}[where]
    top = context({"t/a": "", "t/b": "", "t/.dockerignore": "a\n", place: "FROM scratch\nCOPY . /c/\n",
                   f"{place}.dockerignore": "b\n"})
    slipway.build(top / "t", "-f", top / place, "-t", "w:1").ok()
    tree = read_layout(slipway.root, "w:1").tree()
    assert "c/a" in tree and "c/b" not in tree
    os.unlink(top / f"{place}.dockerignore")
    slipway.build(top / "t", "-f", top / place, "-t", "w:1").ok()
    tree = read_layout(slipway.root, "w:1").tree()
    assert "c/a" not in tree and "c/b" in tree


def test_a_named_context_has_its_own_ignore_file(build, folder):
    (folder / "more").mkdir()
    for name, text in (("x", ""), ("y", ""), (".dockerignore", "x\n")):
        (folder / "more" / name).write_text(text)
    built = build("FROM scratch\nCOPY --from=more . /m/\nCOPY . /c/\n", {"x": "", ".dockerignore": "y\n"},
                  "--build-context", f"more={folder / 'more'}")
    built.lacks("/m/x")
    built.has("/m/y", "/c/x")


def test_the_ignore_file_of_the_context_is_for_the_context_alone(build):
    """Not for --from; but for bind mounts."""
    built = build("FROM tiny AS s\nRUN mkdir /d && touch /d/x /d/y\nFROM tiny\nCOPY --from=s /d /d\n"
                  "RUN --mount=target=/m ls -A /m > /list\n", {"x": "", "y": "", ".dockerignore": "x\nDockerfile\n"})
    built.has("/d/x", "/d/y")
    assert built.text("/list").split() == [".dockerignore", "y"]


def test_what_is_ignored_does_not_count(build):
    """An ignored file may change, come and go: everything hits."""
    text = "FROM tiny\nCOPY . /c/\nRUN --mount=target=/m cat /proc/sys/kernel/random/uuid > /uuid\n"
    one = build(text, {"a": "1", "logs/x": "1", ".dockerignore": "logs\n*.tmp\n"})
    (build.last / "logs/x").write_text("2")
    (build.last / "b.tmp").write_text("")
    assert build.again().text("/uuid") == one.text("/uuid")
