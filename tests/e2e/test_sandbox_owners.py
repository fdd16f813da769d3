"""Owners where one user id is all there is (rootless-single): the tree of a Dockerfile is the one that mode root makes, which has real ids."""
import shutil
import subprocess

import pytest

from helpers.images import read_layout

pytestmark = pytest.mark.root

MODES = {"slipway": "root", "slipway_single": "rootless-single"}


def comparable(tree):
    """What does not depend on the clock."""
    of_the_moment = ("etc/shadow", "etc/shadow-")
    return {path: (e.kind, e.mode, e.uid, e.gid, "" if path in of_the_moment else e.digest, e.link, e.device,
                   e.xattrs) for path, e in tree.items()}


@pytest.fixture
def both(slipway, slipway_single, context, debian_base, tiny):
    """both(Dockerfile, files): the tree, which is the same in both modes."""
    def build(text, files=None):
        trees = []
        for runner, mode in ((slipway, "root"), (slipway_single, "rootless-single")):
            top = context({"Dockerfile": text, **(files or {})})
            runner.build(top, "-t", "o:1", "--no-cache", "--build-context", f"debian=oci-layout:{debian_base}", "--build-context",
                         f"tiny=oci-layout:{tiny}", env={"SLIPWAY_SANDBOX": mode}, timeout=280).ok()
            trees.append(read_layout(runner.root, "o:1").verify().tree())
        real, noted = (comparable(tree) for tree in trees)
        assert {p: (noted.get(p), real.get(p)) for p in {*real, *noted} if noted.get(p) != real.get(p)} == {}
        return trees[1]
    return build


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """program(source): a static program, for COPY."""
    def compile_it(source):
        folder = tmp_path_factory.mktemp("program")
        (folder / "p.c").write_text(source)
        subprocess.run([shutil.which("cc"), "-static", "-O1", "-pthread", "-o", folder / "p", folder / "p.c"], check=True)
        return (folder / "p").read_bytes()
    return compile_it


def owner(tree, path):
    return tree[path].uid, tree[path].gid


def test_links_and_pipes_of_earlier_steps(both):
    tree = both("""FROM tiny
RUN mkdir /a && ln -s x /a/own && ln -s y /a/later && ln -s z /a/moved && chown -h 5:6 /a/own /a/moved && mkfifo /a/pipe && chown 7:8 /a/pipe
RUN chown -h 7:8 /a/later && stat -c %u:%g /a/own /a/later /a/pipe > /seen && mv /a/moved /moved
RUN mv /a /b && rm /moved && ln -s q /moved && stat -c %u:%g /b/own /b/later /b/pipe /moved >> /seen
""")
    assert tree.text("/seen") == "5:6\n7:8\n7:8\n5:6\n7:8\n7:8\n0:0\n"
    assert [owner(tree, f"b/{n}") for n in ("own", "later", "pipe")] == [(5, 6), (7, 8), (7, 8)]
    assert owner(tree, "moved") == (0, 0)


def test_links_of_a_base_image(both, slipway_single, context):
    """Owners of an image that was pulled, and of layers that are extracted again."""
    tree = both("""FROM tiny AS base
RUN mkdir /a && ln -s x /a/l && chown -h 11:12 /a/l
FROM tiny
COPY --from=base /a /c
COPY --from=base --chown=21:22 /a /d
RUN mv /c /e && stat -c %u:%g /e/l /d/l > /seen
""")
    assert tree.text("/seen") == f"{tree['e/l'].uid}:{tree['e/l'].gid}\n21:22\n"
    assert owner(tree, "d/l") == (21, 22)
    exported = slipway_single.folder / "image" if hasattr(slipway_single, "folder") else slipway_single.root.parent / "image"
    slipway_single("save", "-o", str(exported), "o:1").ok()
    other = slipway_single.other()
    other("load", "-i", str(exported)).ok()
    top = context({"Dockerfile": "FROM o:1\nRUN stat -c %u:%g /d/l > /again && mv /d /f\n"})
    other.build(top, "-t", "o:2", env={"SLIPWAY_SANDBOX": "rootless-single"}).ok()
    again = read_layout(other.root, "o:2").verify().tree()
    assert again.text("/again") == "21:22\n" and owner(again, "f/l") == (21, 22)


def test_setgid_folders(both):
    tree = both("""FROM tiny
RUN mkdir /g && touch /g/before && chgrp 50 /g && chmod 2775 /g && touch /g/f && mkdir /g/d && ln -s x /g/l && mkfifo /g/p && echo a > /g/d/inner
RUN touch /g/later /g/d/later && umask 077 && mkdir /g/private && touch /g/private/f && cp /g/f /g/copy && mv /seen /g 2>/dev/null; chown 3 /g/f; true
""")
    assert owner(tree, "g/before") == (0, 0) and owner(tree, "g/f") == (3, 50)
    for name in ("d", "l", "p", "d/inner", "later", "d/later", "private", "private/f", "copy"):
        assert owner(tree, f"g/{name}") == (0, 50), name
    assert (tree["g/d"].mode, tree["g/private"].mode, tree["g/private/f"].mode) == (0o2755, 0o2700, 0o600)


def test_user(both):
    """Files of another user's steps, what it may not do, and who it sees that it is."""
    tree = both("""FROM debian
RUN groupadd -g 2000 team && useradd -m -u 2001 -G team -s /bin/bash app && install -d -o app -g team -m 2775 /srv/app && mkdir -m 1777 /open && touch /open/root
USER app
WORKDIR /home/app
RUN id -un > name && id > id && echo $HOME > home && mkdir d && ln -s x l && mkfifo p && umask 077 && touch private && (echo a > /srv/app/f)
RUN touch /etc/x || echo refused > x; rm -f /etc/passwd /open/root || echo refused >> x; test -w /usr/bin || echo no >> x; test -w /open && echo yes >> x
RUN chmod 777 /etc/passwd || echo refused >> x; chown 0 d || echo refused >> x; chgrp team d && mv /etc/hosts.allow /open/ 2>/dev/null || echo refused >> x; ls /root/ >/dev/null; true
RUN cat /etc/passwd > copy && ln -s dangling2 dangling && echo made > dangling && cp -a /srv/app/f kept && mktemp -d /open/XXXXXX > /dev/null && rmdir /open/??????
USER 1234:77
RUN id -u > /open/u && id -G > /open/g && mkdir /open/d
USER root
RUN su app -c 'id > /open/su; touch /srv/app/su' && setpriv --reuid=app --regid=team --clear-groups id > /open/setpriv && id > /open/id
""")
    home = "home/app"
    assert tree.text(f"/{home}/name") == "app\n" and tree.text(f"/{home}/home") == "/home/app\n"
    assert tree.text(f"/{home}/id") == "uid=2001(app) gid=2001(app) groups=2001(app),2000(team)\n" == tree.text("/open/su")
    for name in ("name", "l", "p", "private", "dangling2", "copy"):
        assert owner(tree, f"{home}/{name}") == (2001, 2001), name
    assert owner(tree, f"{home}/d") == (2001, 2000) and owner(tree, "srv/app/f") == owner(tree, "srv/app/su") == (2001, 2000)
    assert tree.text(f"/{home}/x").split() == ["refused", "refused", "no", "yes", "refused", "refused", "refused"]
    assert tree[f"{home}/private"].mode == 0o600 and "open/root" in tree
    assert (tree.text("/open/u"), tree.text("/open/g"), owner(tree, "open/d")) == ("1234\n", "77\n", (1234, 77))
    assert tree.text("/open/setpriv") == "uid=2001(app) gid=2000(team) groups=2000(team)\n" and tree.text("/open/id").startswith("uid=0(root) gid=0(root)")


def test_setuid_programs_and_daemons(both, program):
    """Who a program becomes by its file's owner; what a child is whose parent has gone, or that vfork and threads made."""
    source = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static void make(const char *name) { close(open(name, O_CREAT | O_WRONLY, 0644)); }
static void *thread(void *name) { make(name); return NULL; }
int main(int argc, char **argv) {
	uid_t r, e, s; struct ucred peer; socklen_t len = sizeof(peer); int pair[2]; pthread_t t; pid_t pid; struct rlimit l;
	char *child[] = {argv[0], "child", NULL};
	if (argc > 1 && !strcmp(argv[1], "child")) { make("/out/spawned"); return 0; }
	getresuid(&r, &e, &s);
	printf("%d %d %d\n", r, e, s);
	if (argc > 1) return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &len)) return 1;
	printf("%d %d\n", peer.uid, peer.gid);
	if (getrlimit(RLIMIT_RTTIME, &l) || l.rlim_cur != RLIM_INFINITY) return 2;
	if (setresgid(30, 30, 30) || setresuid(30, 30, 31)) return 3;
	pthread_create(&t, NULL, thread, "/out/thread"); pthread_join(t, NULL);
	posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child, environ); waitpid(pid, NULL, 0);
	if (setuid(0) == 0 || setgroups != NULL && setgid(5) == 0) return 4;
	pid = vfork(); if (pid == 0) { make("/out/vfork"); _exit(0); } waitpid(pid, NULL, 0);
	if (fork() == 0) { setsid(); if (fork() == 0) { while (getppid() != 1) usleep(1000); make("/out/daemon"); _exit(0); } _exit(0); }
	wait(NULL); while (access("/out/daemon", F_OK)) usleep(1000);
	if (seteuid(31)) return 5;
	getresuid(&r, &e, &s); printf("%d %d %d\n", r, e, s);
	return 0;
}
"""
    source = source.replace("setgroups != NULL && ", "")
    tree = both("""FROM tiny
COPY --chmod=755 p /p
RUN mkdir -m 777 /out && cp /p /suid && chown 40:41 /suid && chmod 4755 /suid && cp /p /root-suid && chmod 4755 /root-suid
RUN /p > /seen
USER 50
RUN /suid look > /out/suid && /root-suid look > /out/root-suid && /p look > /out/plain
""", {"p": program(source)})
    assert tree.text("/seen") == "0 0 0\n0 0\n30 31 31\n"
    assert [owner(tree, f"out/{n}") for n in ("thread", "spawned", "vfork", "daemon")] == [(30, 30)] * 4
    assert (tree.text("/out/suid"), tree.text("/out/root-suid"), tree.text("/out/plain")) == ("50 40 40\n", "50 0 0\n", "50 50 50\n")


def test_every_way_to_ask_and_to_give(both, program):
    """By path, descriptor, O_PATH descriptor, /proc/self/fd, and from a root of one's own."""
    source = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
static int n;
static int file(int flags) { char name[32]; snprintf(name, sizeof(name), "/t/%d", n++); close(open(name, O_CREAT | O_RDWR, 0644)); return open(name, flags); }
int main(void) {
	char path[64]; struct stat st; struct statx x; int fd;
	mkdir("/t", 0755);
	fd = file(O_RDWR); if (fchown(fd, 1, 2)) return 1;
	fstat(fd, &st); printf("fstat %d:%d\n", st.st_uid, st.st_gid);
	fd = file(O_PATH); if (fchownat(fd, "", 3, 4, AT_EMPTY_PATH)) return 2;
	fstatat(fd, "", &st, AT_EMPTY_PATH); printf("fstatat %d:%d\n", st.st_uid, st.st_gid);
	fd = file(O_PATH); snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); if (chown(path, 5, 6)) return 3;
	stat(path, &st); printf("proc %d:%d\n", st.st_uid, st.st_gid);
	statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x); printf("statx %d:%d\n", x.stx_uid, x.stx_gid);
	fd = file(O_RDWR); if (syscall(452, AT_FDCWD, "/t/3", 0640, 0) || fchown(fd, 7, -1)) return 4;
	lstat("/t/3", &st); printf("lstat %d:%d %o\n", st.st_uid, st.st_gid, st.st_mode & 07777);
	symlink("3", "/t/link"); if (lchown("/t/link", 8, 9)) return 5;
	lstat("/t/link", &st); printf("link %d:%d\n", st.st_uid, st.st_gid);
	stat("/t/link", &st); printf("through %d:%d\n", st.st_uid, st.st_gid);
	if (chown("/t/none", 1, 1) == 0 || fchown(999, 1, 1) == 0) return 6;
	mkdir("/t/root", 0755); mkdir("/t/root/proc", 0755); close(open("/t/root/proc/f", O_CREAT | O_WRONLY, 0644));
	if (chroot("/t/root") || chdir("/") || chown("/proc/f", 10, 11)) return 7;
	stat("/proc/f", &st); printf("chroot %d:%d\n", st.st_uid, st.st_gid);
	return 0;
}
"""
    tree = both("FROM tiny\nCOPY --chmod=755 p /p\nRUN /p > /seen\n", {"p": program(source)})
    assert tree.text("/seen") == ("fstat 1:2\nfstatat 3:4\nproc 5:6\nstatx 5:6\nlstat 7:0 640\nlink 8:9\nthrough 7:0\nchroot 10:11\n")
    assert owner(tree, "t/root/proc/f") == (10, 11) and owner(tree, "t/link") == (8, 9)


def test_who_lets_nobody_look_into_it(both, program):
    """sudo is one: what it asks, and gives away, is answered all the same."""
    source = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
	uid_t r, e, s; struct stat st;
	if (prctl(PR_SET_DUMPABLE, 0) || getresuid(&r, &e, &s) || chown("/f", 5, 6) || stat("/f", &st)) return 1;
	printf("%d %d %d %d:%d\n", r, e, s, st.st_uid, st.st_gid);
	return 0;
}
"""
    tree = both("FROM tiny\nCOPY --chmod=755 p /p\nRUN touch /f && /p > /seen && grep ^CapBnd /proc/self/status > /caps\n", {"p": program(source)})
    assert tree.text("/seen") == "0 0 0 5:6\n" and owner(tree, "f") == (5, 6)


def test_devices(both):
    """As in mode root they are in the layer, and cannot be used."""
    tree = both("""FROM tiny
RUN mkdir -p /jail/dev && mknod -m 666 /jail/dev/null c 1 3 && mknod /jail/dev/disk b 8 1 && chown 4:5 /jail/dev/disk && stat -c %F /jail/dev/null > /seen
RUN ! mknod /none c 0 0 && mv /jail /cell && stat -c '%F %t:%T %u:%g' /cell/dev/disk >> /seen
USER 9
RUN ! mknod /tmp/none c 1 3
""")
    assert tree.text("/seen") == "character special file\nblock special file 8:1 4:5\n"
    null, disk = tree["cell/dev/null"], tree["cell/dev/disk"]
    assert (null.kind, null.mode) == ("char", 0o666) and disk.kind == "block" and owner(tree, "cell/dev/disk") == (4, 5)


def test_many_at_once_and_some_that_die(both):
    """Callers that are killed while they wait for their answer are nobody's trouble."""
    tree = both("""FROM tiny
RUN mkdir /t && for p in 1 2 3 4 5 6 7 8; do (i=0; while [ $i -lt 40 ]; do : > /t/$p.$i; chown $p:$i /t/$p.$i; i=$((i+1)); done) & done; \
    for k in 1 2 3 4 5; do (while :; do chown 1:1 /t; stat /t > /dev/null; done) & kill -9 $!; done; wait; chown 0:0 /t
""")
    assert {owner(tree, f"t/{p}.{i}") for p in range(1, 9) for i in range(40)} == {(p, i) for p in range(1, 9) for i in range(40)}


def test_owners_leave_with_their_files(both):
    """An inode that is used again is its new file's."""
    tree = both("""FROM tiny
RUN i=0; while [ $i -lt 60 ]; do ln -s x /l; chown -h 5:5 /l; : > /f; chown 6:6 /f; rm /l /f; ln -s y /l.$i; : > /f.$i; i=$((i+1)); done
""")
    assert {owner(tree, f"{n}.{i}") for n in "lf" for i in range(60)} == {(0, 0)}


def test_descriptors_by_their_names(both):
    """What a name in /dev or /proc, or a link to one, leads to is the caller's, and gets the owner."""
    names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", "/l", "/a/relative", "/a/twice", "/a/fds/1", "l",
             "dev/stdout", "a/twice", "/a/thread"]
    asked = " && ".join(f"chown 5:{n} {name} > /w/{n} && stat -L -c %u:%g {name} > /s/{n} && cat /s/{n} >> /seen" for n, name in enumerate(names))
    tree = both(f"""FROM debian
RUN mkdir /a /w /s && ln -s /dev/stdout /l && ln -s ../dev/stdout /a/relative && ln -s /l /a/twice && ln -s /dev/fd /a/fds && ln -s loop /a/loop && \\
    ln -s /proc/thread-self/fd/1 /a/thread && ln -s twice /a/thrice && ln -s none /a/none
RUN {asked}
RUN chown 7:7 /a/relative && chown -h 8:8 /l /a/twice && stat -c %u:%g /l /a/twice >> /seen; chown 1 /a/loop 2>> /seen; chown 1 /a/none 2>> /seen; true
RUN touch /in && chown 9:9 /dev/stdin < /in && touch /err && chown 9:10 /dev/stderr 2> /err && cd /a && chown 9:11 thrice > /out && chown 12 /dev/stdout
RUN useradd joe && ln -s /w/0 /a/file && chown joe /a/file && install -o joe /dev/null /joes && chown joe /l > /x && touch /y && chmod 666 /y
USER joe
RUN chmod 700 /l > /joes && (chmod 777 /l > /y || true) && chmod 640 /a/file
""")
    assert [owner(tree, f"w/{n}") for n in range(1, len(names))] == [(5, n) for n in range(1, len(names))]
    assert owner(tree, "in") == (9, 9) and owner(tree, "err") == (9, 10) and owner(tree, "out") == (9, 11)
