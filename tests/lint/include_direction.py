#!/usr/bin/env python3
"""Who may include whom: folders downward only, and one wrapper file per library."""
import os
import re

import source

MAY_INCLUDE = {
    "base": set(),
    "net": {"base"},
    "dockerfile": {"base"},
    "oci": {"base"},
    "sandbox": {"oci", "base"},
    "builder": {"dockerfile", "oci", "sandbox", "base"},
    "registry": {"net", "oci", "base"},
    "server": {"net", "oci", "base"},
    "aws": {"net", "base"},
    "deploy": {"aws", "oci", "base"},
    "local": {"net", "oci", "sandbox", "registry", "server", "aws", "deploy", "base"},
    "cli": {"local", "aws", "builder", "deploy", "registry", "server", "sandbox", "dockerfile", "oci", "net", "base"},
}
# A header of the library, and the files that wrap it.
LIBRARIES = [
    (r"curl/", r"net/http\.c"),
    (r"(zlib|zstd\w*|isa-l|igzip_lib|crc)\.h|isa-l/", r"oci/compress\w*\.[ch]"),
    (r"openssl/", r"base/sha256\.c|net/\w+\.c"),
    (r"archive(_entry)?\.h", r"oci/(layer|archive)\w*\.[ch]"),
    (r"seccomp\.h", r"sandbox/seccomp\.c"),
    (r"jansson\.h", r"base/json\.[ch]"),
    (r"microhttpd\.h", r"net/server\w*\.[ch]"),
    (r"crypt\.h", r"server/htpasswd\.c"),
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def wants(path):
    return source.is_c(path)


def owner(path):
    """The folder whose rule holds for the file: tests of a folder may include what the folder may."""
    match = re.match(r"(?:tests/(?:unit|fuzz)/)?(\w+)/", path)
    return match.group(1) if match else None


def includes(text):
    """(line, bracket, name) of each include outside comments."""
    text = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    for match in INCLUDE.finditer(text):
        yield source.line_of(text, match.start(1)), match.group(1), match.group(2)


def check(path, text):
    mine = owner(path)
    if mine not in MAY_INCLUDE:
        return
    for line, bracket, name in includes(text):
        if bracket == '"':
            folder = name.split("/", 1)[0] if "/" in name else None
            if path.startswith("tests/") and (folder is None or folder == "tests"):
                continue
            if folder is None:
                yield line, f'"{name}": includes start at the top folder ("{mine}/{name}")'
            elif folder != mine and folder not in MAY_INCLUDE[mine]:
                allowed = ", ".join(sorted(MAY_INCLUDE[mine])) or "nothing"
                yield line, f'{mine}/ must not include "{name}" (it may include: {allowed})'
            continue
        if path.startswith("tests/"):
            continue
        for pattern, wrappers in LIBRARIES:
            if re.match(pattern, name) and not re.fullmatch(wrappers, path):
                yield line, f"<{name}> is included only by {wrappers}"


def cycle():
    """The first cycle among the headers themselves, as a list of paths, or None."""
    graph = {p: [n for _, b, n in includes(source.read(p)) if b == '"']
             for p in source.project_files() if p.endswith(".h") and source.in_program(p)}
    done, trail = set(), []

    def visit(path):
        if path in trail:
            return trail[trail.index(path):] + [path]
        if path in done or path not in graph:
            return None
        trail.append(path)
        for name in graph[path]:
            found = visit(name)
            if found:
                return found
        trail.pop()
        done.add(path)
        return None

    for path in graph:
        found = visit(path)
        if found:
            return found
    return None


if __name__ == "__main__":
    around = cycle()
    if around:
        print(f"{around[0]}:1: headers include each other: {' -> '.join(around)}")
        raise SystemExit(1)
    source.main()
