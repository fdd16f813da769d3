"""Random edits of a Dockerfile and its context: each build with a cache must give what one without it gives.

The store of the first keeps what all edits left; the second starts empty each time. A third, empty as well, has only what the
first exported. A seed that failed is in the name of the test.
"""
import random
import shutil

import pytest

from helpers.images import read_layout

NAMES = ["a", "b", "d/a", "d/b", "d/e/a", "d2/a", ".h"]
SOURCES = ["a", "b", "d", "d/a", "d/*", "d*", ".", "[ab]", "d/e", "*", "d2", "./d/./a"]
PLACES = ["/x", "/x/", "/y/z", ".", "rel/", "/w/", "/lnk/"]
FLAGS = ["--chown=1", "--chown=1:2", "--chown=app", "--chmod=644", "--chmod=755", "--chmod=u=rwX,go=rX", "--chmod=a-w", "--link", "--exclude=a",
         "--exclude=*", "--exclude=**/a"]
METADATA = ["LABEL a=1", "CMD x", 'ENTRYPOINT ["y"]', "EXPOSE 80", "VOLUME /v", 'SHELL ["/bin/sh", "-ec"]', "HEALTHCHECK NONE"]
LIST = "find {0} -exec stat -c '%n %a %F %s %u %g %N' {{}} + | sort"


class Change:
    """What a user may do between two builds."""

    def __init__(self, seed, top):
        self.random, self.top, self.stages = random.Random(seed), top, []
        for name in NAMES[:5]:
            self.write(name, "1")
        self.renew()

    def pick(self, *values):
        return self.random.choice(values)

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)

    def context(self):
        """One edit; what cannot be done is not."""
        path = self.top / self.pick(*NAMES)
        try:
            kind = self.random.randrange(6)
            if kind <= 1:
                self.write(path.relative_to(self.top), self.pick("", "1", "2", "one\n"))
            elif kind == 2:
                path.unlink()
            elif kind >= 3:
                path.chmod(self.pick(0o644, 0o600, 0o755, 0o4755))
            elif kind == 4:
                path.unlink(missing_ok=True)
                path.symlink_to(self.pick("a", "/d/a", "../b", "d", "nowhere"))
            else:
                self.write(".dockerignore", self.pick("", "a\n", "d/*\n!d/a\n", "*\n!d\n", "**/a\n"))
            (self.top / self.pick("d", "d/e")).chmod(self.pick(0o755, 0o700, 0o2755))
        except OSError:
            pass

    def flags(self):
        return " ".join(self.random.sample(FLAGS, self.pick(0, 0, 1, 1, 2)))

    def instruction(self, earlier):
        kind = self.random.randrange(12)
        if kind <= 3:
            return f"COPY {self.flags()} {self.pick(*SOURCES)} {self.pick(*PLACES)}"
        if kind == 4:
            return f"ADD {self.flags()} {self.pick(*SOURCES)} {self.pick(*SOURCES)} {self.pick(*PLACES)}"
        if kind == 5 and earlier:
            return f"COPY {self.flags()} --from={self.pick(*earlier)} {self.pick('/x', '/o', '/w', '/etc/passwd', '/x/*')} {self.pick(*PLACES)}"
        if kind == 6:
            return "RUN (env | grep -v HOSTNAME | sort; id; pwd; ls -lnR /x /w /y | grep -v :) > /o 2>/dev/null; true"
        if kind == 7:
            return f"RUN --mount=source={self.pick('a', 'd', 'd/e', '.', 'd/a')},target=/m{self.pick('', ',rw')} ({LIST.format('/m')}) > /o2"
        if kind == 8 and earlier:
            return f"RUN --mount=from={self.pick(*earlier)},source={self.pick('/x', '/o', '/etc')},target=/m ({LIST.format('/m')}) > /o3"
        if kind == 9:
            return self.pick("ENV A=1", "ENV A=2", "ENV B=$A", "ARG A", "ARG B=1", "ARG G", *METADATA)
        if kind == 10:
            return self.pick("WORKDIR /w", "WORKDIR rel", "WORKDIR /x", "USER app", "USER 0", "USER 1")
        return f"COPY {self.flags()} <<E {self.pick(*PLACES)}\nbody {self.pick('1', '2')} $A\nE"

    def renew(self):
        self.stages = []
        for number in range(self.random.randrange(1, 4)):
            earlier = [name for name, _, _ in self.stages]
            start = ["RUN ln -s /etc /lnk"] if self.random.random() < 0.3 else []
            steps = start + [self.instruction(earlier) for _ in range(self.random.randrange(1, 5))]
            self.stages.append((f"s{number}", self.pick("tiny", "tiny", *earlier), steps))

    def dockerfile(self):
        number = self.random.randrange(len(self.stages))
        steps, kind = self.stages[number][2], self.random.randrange(6)
        if kind == 0:
            steps.insert(self.random.randrange(len(steps) + 1), self.instruction([s[0] for s in self.stages[:number]]))
        elif kind == 1 and len(steps) > 1:
            steps.pop(self.random.randrange(len(steps)))
        elif kind == 2:
            self.random.shuffle(steps)
        elif kind >= 3:
            self.reflag(steps)

    def reflag(self, steps):
        """Other flags for a copy that is otherwise the same."""
        copies = [i for i, step in enumerate(steps) if step.startswith(("COPY", "ADD"))]
        if copies:
            at = self.pick(*copies)
            name, *words = steps[at].split(" ")
            kept = [word for word in words if word and (word.startswith("--from") or not word.startswith("--"))]
            steps[at] = " ".join([name, self.flags(), *kept])

    def text(self):
        return "ARG G=g\n" + "".join(f"FROM {base} AS {name}\n" + "".join(step + "\n" for step in steps)
                                     for name, base, steps in self.stages)


def seen(slipway):
    image = read_layout(slipway.root, "t:latest").verify()
    tree = image.tree()
    files = {path: (tree[path].kind, tree[path].mode, tree[path].uid, tree[path].gid, tree[path].data, tree[path].link)
             for path in tree}
    history = [step["created_by"] for step in image.config["history"] if "created_by" in step]
    return files, image.config["config"], history


@pytest.mark.parametrize("seed", range(2))
def test_a_cached_build_is_what_a_fresh_one_is(slipway, build, folder, count, seed):
    top = folder / "context"
    top.mkdir()
    change = Change(seed, top)
    built, hits, arguments = 0, 0, []
    for _ in range(count(12, 400)):
        change.context()
        change.pick(change.dockerfile, change.context)()
        arguments = change.pick(arguments, arguments, [], ["--build-arg", "A=1"], ["--network", "none"])
        (top / "Dockerfile").write_text(change.text())
        common = ["-t", "t", "--progress", "plain", *build.options, *arguments]
        fresh, third = slipway.other(), slipway.other()
        first = slipway.build(top, *common, "--cache-to", f"type=local,dest={folder}/cache,mode=max")
        second = fresh.build(top, *common)
        assert first.code == second.code in (0, 1), f"{change.text()}\n{first}\n{second}"
        if first.code == 0:
            built, hits = built + 1, hits + first.err.count("CACHED")
            assert seen(slipway) == seen(fresh), change.text()
            third.build(top, *common, "--cache-from", f"type=local,src={folder}/cache").ok()
            assert seen(third) == seen(fresh), change.text()
        else:
            change.renew()
        for other in (fresh, third):
            shutil.rmtree(other.root, ignore_errors=True)
    assert built and hits, "nothing was compared"
