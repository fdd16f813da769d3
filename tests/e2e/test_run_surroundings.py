"""Who, where and with what a RUN runs: the same questions to slipway and to docker's BuildKit; and shells of other kinds."""
import pytest

from helpers.images import read_layout
from helpers.peers import Docker

PREPARE = """FROM tiny
RUN echo 'x:x:1500:1501::/home/x:/bin/sh' >> /etc/passwd; echo 'r:x:1600:1601::relative:/bin/sh' >> /etc/passwd; \\
    echo 'xg:x:1501:' >> /etc/group; echo 'extra:x:1700:x,app' >> /etc/group; mkdir -m 1777 /o
"""

# {name: lines}; the last RUN writes to /o/NAME.
QUESTIONS = {
    "root": "RUN {id} > /o/root",
    "x": "USER x\nRUN {id} > /o/x",
    "x-number": "USER 1500\nRUN {id} > /o/x-number",
    "x-gid": "USER x:4\nRUN {id} > /o/x-gid",
    "x-group": "USER x:extra\nRUN {id} > /o/x-group",
    "numbers": "USER 1500:1700\nRUN {id} > /o/numbers",
    "nobody-knows": "USER 7777\nRUN {id} > /o/nobody-knows",
    "nobody-knows-both": "USER 7777:8888\nRUN {id} > /o/nobody-knows-both",
    "relative-home": "USER r\nRUN {id} > /o/relative-home",
    "root-group": "USER root:extra\nRUN {id} > /o/root-group",
    "zeros": "USER 0:0\nRUN {id} > /o/zeros",
    "variable": "ARG WHO=x\nUSER ${{WHO}}:${{WHO}}g\nRUN {id} > /o/variable",
    "home": "ENV HOME=/custom\nUSER x\nRUN {id} > /o/home",
    "workdir": "WORKDIR /new/deep\nRUN pwd > /o/workdir && stat -c '%a %u %n' . .. >> /o/workdir",
    "path": "ENV PATH=/usr/bin\nRUN echo $PATH > /o/path",
    "stdin": "RUN (cat | wc -c; tty; test -t 1 || echo no-tty; umask; ulimit -c) > /o/stdin",
    "exec": 'RUN ["sh", "-c", "echo \\"$0 $PATH $1\\" > /o/exec", "$HOME", "\\u0041\\tB"]',
    "no-json-quotes": "RUN ['echo', 'x'] ; echo shell > /o/no-json-quotes",
    "no-json-test": 'RUN [ "a" = "a" ] && echo shell > /o/no-json-test',
    "shell": 'SHELL ["/bin/sh", "-ec"]\nRUN echo "$0 $-" > /o/shell; false || true',
    "environment": "ARG A=arg\nENV B=env\nRUN env | grep -E '^(A|B|HOME|PATH|PWD|USER|TERM|HOSTNAME)=' | sort > /o/environment",
    "devices": "RUN ls -l /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty | cut -c1-10 > /o/devices; "
               "readlink /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx >> /o/devices; "
               "stat -c '%a' /dev /dev/shm >> /o/devices",
    "files": "RUN stat -c '%a %u %g' /etc/hosts /etc/resolv.conf > /o/files; cat /etc/hosts >> /o/files",
    "hidden": "RUN head -c1 /proc/kcore | wc -c > /o/hidden; ls /sys/firmware | wc -l >> /o/hidden; "
              "touch /proc/sys/kernel/x 2>/dev/null || echo read-only >> /o/hidden",
    "processes": "RUN (sleep 100 &) ; kill -0 1 && echo alive > /o/processes",
}
# Without the list of groups: 20.10 leaves the first one out of it, which later versions changed (CVE-2022-36109).
ID = "(id -u; id -g; id -un; echo $HOME)"


@pytest.mark.slow
def test_as_docker(build, session_folder, context, tiny):
    engine = Docker(session_folder / "docker-surroundings")
    try:
        engine.add(tiny, "tiny")
        text = PREPARE
        for i, question in enumerate(QUESTIONS.values()):
            text += f"FROM tiny AS s{i}\n" + PREPARE.split("\n", 1)[1] + question.format(id=ID) + "\n"
        text += "FROM tiny\n" + "".join(f"COPY --from=s{i} /o /o/\n" for i in range(len(QUESTIONS)))
        ours = build(text).tree
        theirs = engine.build(context({"Dockerfile": text})).tree()
        answers = [(name, ours.text(f"/o/{name}"), theirs.text(f"/o/{name}")) for name in QUESTIONS]
        assert [a for a in answers if a[1] != a[2]] == []
    finally:
        engine.stop()


@pytest.mark.parametrize("lines, words", [
    ("USER nobody-here\nRUN true", ["Dockerfile:3", "nobody-here", "/etc/passwd"]),
    ("USER x:nogroup-here\nRUN true", ["Dockerfile:3", "user x "]),
    ("USER root:nogroup-here\nRUN true", ["Dockerfile:3", "nogroup-here", "/etc/group"]),
    ("USER 4294967296\nRUN true", ["Dockerfile:3", "out of range"]),
    ("USER :5\nRUN true", ["Dockerfile:3", "invalid user"]),
    ("RUN exit 255", ["exit code: 255"]),
    ("RUN kill -TERM $$", ["exit code: 143"]),
    ("RUN kill -KILL $$", ["exit code: 137"]),
    ('RUN ["/nonexistent"]', ["exit code: 127", "/nonexistent"]),
    ('RUN ["nonexistent"]', ["exit code: 127", "PATH"]),
    ('RUN ["/etc/passwd"]', ["exit code: 126", "executable"]),
    ('SHELL ["/no/shell", "-c"]\nRUN true', ["Dockerfile:3", "exit code: 127", "/no/shell"]),
    ('RUN ["sh", 5]', ["Dockerfile:2", "strings only"]),
    ("RUN []", ["Dockerfile:2", "at least one argument"]),
    ("RUN", ["Dockerfile:2", "at least one argument"]),
    ("SHELL /bin/sh -c", ["Dockerfile:2", "JSON"]),
])
def test_failures(build, lines, words):
    build.fails(f"FROM tiny\n{lines}\n", *words)


@pytest.mark.slow  # for the size of its base; heredocs for a shell that is one are tried with the sanitizers too
def test_shells_that_are_none(slipway, context, python_slim):
    """A heredoc is the text for SHELL, whatever that is; before a command it is the shell's own."""
    top = context({"Dockerfile": r'''FROM python
ENV V=value
RUN python3 <<EOF
open("/prefix", "w").write("a $V \$V\n")
EOF
RUN python3 - arg <<'EOF' && cat 3<<THREE <&3 > /third
import sys
open("/quoted", "w").write(sys.argv[1] + " $V\n")
EOF
in three
THREE
RUN <<PY
#!/usr/bin/env python3
import os, sys
open("/script", "w").write(sys.argv[0] + " " + os.environ["V"] + "\n")
PY
SHELL ["python3", "-c"]
RUN <<EOF
for n in range(2):

    # a comment, and a blank line above
    open("/body", "a").write(f"{n} $V\n")
EOF
RUN open("/line", "w").write("one line\n")
RUN <<-"EOF"
	open("/tabs", "w").write("\t$V")
	EOF
'''})
    slipway.build(top, "-t", "p:1", "--build-context", f"python=oci-layout:{python_slim}").ok()
    tree = read_layout(slipway.root, "p:1").tree()
    assert {p: tree.text(p) for p in ("/prefix", "/quoted", "/third", "/script", "/body", "/line", "/tabs")} == {
        "/prefix": "a value $V\n", "/quoted": "arg $V\n", "/third": "in three\n", "/script": "/dev/pipes/PY value\n",
        "/body": "0 $V\n1 $V\n", "/line": "one line\n", "/tabs": "\t$V"}
