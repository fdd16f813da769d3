"""Equal inputs give equal layers: another user, folder, locale, time zone, umask, order of files, sandbox."""
import os
import pathlib
import shutil
import subprocess

import pytest

from helpers.images import read_layout

FILES = {"app/main.py": "print(1)\n", "app/run.sh": "#!/bin/sh\n", "app/z/deep/file": "x" * 5000, "app/a": "", "app/B": "",
         "app/ä ö": "umlauts", "app/\u65e5\u672c": "kanji", "app/.hidden": "h", "app/link": ("link", "../outside"),
         "app/empty": None, "one": "1"}
TEXT = """FROM scratch
COPY app /app/
COPY --chown=5:6 one /one/
COPY --chmod=750 app/z /z
COPY --parents app/z/deep /parents/
ADD packed.tar /packed/
COPY --exclude=*.py app /excluded/
WORKDIR /made/by/workdir
COPY <<EOF /here
text
EOF
"""
LOCALES = ["C", "POSIX", "C.UTF-8", "tr_TR.UTF-8"]
ZONES = ["UTC", "Asia/Kolkata", "America/St_Johns", "XYZ+11:30"]
UMASKS = [0, 0o77, 0o27, 0o7]


@pytest.fixture
def original(context):
    top = context({"Dockerfile": TEXT, **FILES})
    with open(os.fsencode(top / "app") + b"/latin-\xe4", "wb") as f:
        f.write(b"not UTF-8")
    for number, path in enumerate(sorted(pathlib.Path(top).rglob("*"))):
        if not path.is_symlink():
            os.chmod(path, 0o755 if path.is_dir() else (0o644, 0o755, 0o640)[number % 3])
            os.utime(path, ns=(0, (1_500_000_000 + number) * 10**9 + 123456789))
    os.chmod(top / "app/run.sh", 0o4755)
    subprocess.run(["tar", "--sort=name", "--mtime=@1400000000", "-C", top, "-cf", top / "packed.tar", "app/z", "one"],
                   check=True)
    os.chmod(top / "packed.tar", 0o644)
    os.utime(top / "packed.tar", (1_500_000_000, 1_500_000_000))
    return top


def copied(original, to):
    """A copy with times and modes kept, its names made in another order and with other inodes."""
    to.mkdir()
    for name in sorted(os.listdir(original), reverse=True):
        subprocess.run(["cp", "-a", original / name, to / name], check=True)
    app = os.fsencode(to / "app")
    for name in sorted(os.listdir(app), reverse=True):
        os.rename(app + b"/" + name, app + b"/moved")
        os.rename(app + b"/moved", app + b"/" + name)
    shutil.copystat(original / "app", to / "app")
    shutil.copystat(original, to)
    return to


def layers(slipway, top, *options, **run_options):
    slipway.build(top, "-t", "l:1", *options, **run_options).ok()
    image = read_layout(slipway.root, "l:1").verify()
    return [layer["digest"] for layer in image.layers]


@pytest.mark.root
@pytest.mark.parametrize("user", ["slipway_user", "slipway_single"])
def test_another_user_in_another_folder_locale_and_time_zone(request, slipway, original, folder, user):
    other = request.getfixturevalue(user)
    wanted = layers(slipway, original, env={"LC_ALL": "C", "LANG": None, "TZ": "UTC"})
    elsewhere = folder / "a" / "quite different" / "place"
    elsewhere.parent.mkdir(parents=True)
    other.give(copied(original, elsewhere), recursive=True)
    # Changing the owner takes setuid bits away.
    os.chmod(elsewhere / "app/run.sh", 0o4755)
    assert layers(other, elsewhere, env={"LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata"}) == wanted


def test_locales_time_zones_and_umasks(slipway, original, folder):
    wanted = layers(slipway, original)
    for number, (locale, zone, mask) in enumerate(zip(LOCALES, ZONES, UMASKS)):
        elsewhere = copied(original, folder / f"copy{number}")
        other = slipway.other(LC_ALL=locale, LANG=locale, TZ=zone)
        old = os.umask(mask)
        try:
            found = layers(other, elsewhere)
        finally:
            os.umask(old)
        assert found == wanted, (locale, zone, mask)


def test_a_copy_hits_the_cache_of_the_original(slipway, original, folder):
    """Not only equal bytes, but equal keys: nothing is made again."""
    slipway.build(original, "-t", "l:1", "--progress", "plain").ok()
    result = slipway.build(copied(original, folder / "copy"), "-t", "l:2", "--progress", "plain").ok()
    steps = sum(line.startswith(("COPY", "ADD", "WORKDIR")) for line in TEXT.splitlines())
    assert result.err.count(" CACHED") == steps, str(result)


def test_the_number_of_cpus_and_what_else_a_store_holds_do_not_count(slipway, original):
    wanted = layers(slipway, original)
    other = slipway.other()
    other.build(original, "-t", "noise:1", "--compression", "zstd").ok()
    built = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), other.binary, "build", "-t", "l:1", original],
                           env=other.env, check=False, capture_output=True)
    assert built.returncode == 0, built.stderr.decode()
    assert [layer["digest"] for layer in read_layout(other.root, "l:1").verify().layers] == wanted


RUNS = """FROM tiny
RUN mkdir -p /data/sub && echo one > /data/one && echo two > /data/sub/two && chmod 640 /data/one && ln -s one /data/link
RUN rm /data/one && ln /data/sub/two /data/hard && chmod 1777 /data && mkfifo /data/fifo
RUN rm -r /data/sub && mkdir /data/sub && touch /data/sub/new
RUN true
USER 1000:1000
RUN touch /data/mine
COPY f /f
"""


@pytest.mark.root
@pytest.mark.parametrize("user", ["slipway_user", "slipway_single"])
def test_deterministic_runs_in_another_sandbox(request, slipway, context, tiny, user):
    """With --timestamp the layers of RUN are the same bytes in every mode of the sandbox."""
    # With one id there is no other user to become.
    text = RUNS if user == "slipway_user" else RUNS.replace("USER 1000:1000\n", "")
    top = context({"Dockerfile": text, "f": "f"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}", "--timestamp", "1500000000"]
    wanted = layers(slipway, top, *options)
    assert layers(request.getfixturevalue(user), top, *options) == wanted


def test_the_same_steps_once_more_give_the_same_image(slipway, context, tiny):
    top = context({"Dockerfile": RUNS, "f": "f"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}", "--timestamp", "1500000000"]
    wanted = layers(slipway, top, *options)
    assert layers(slipway, top, *options, "--no-cache") == wanted
    assert layers(slipway.other(), top, *options) == wanted


@pytest.mark.root
def test_a_sandbox_of_one_id_makes_no_hits_for_better_ones(slipway, build, folder):
    """There USER changes nothing; who gives the user more ids, as doctor says, or imports the cache elsewhere, wants it done."""
    text = "FROM tiny\nRUN touch /f && chown 5:6 /f\nRUN touch /g\n"
    single, root = {"SLIPWAY_SANDBOX": "rootless-single"}, {"SLIPWAY_SANDBOX": "root"}
    made = build(text, None, "--cache-to", f"type=local,dest={folder}/cache", env=single)
    assert made.tree["f"].uid == 5 and made.result.err.count("CACHED") == 1
    assert build.again(env=single).result.err.count("CACHED") == 3
    better = build.again("--explain", env=root)
    assert (better.tree["f"].uid, better.tree["f"].gid) == (5, 6)
    assert "MISS step 2: nothing changed, but it was made where there is one user id only" in better.result.err
    # The other way round what is there is what was asked for.
    assert build.again(env=single).tree["f"].uid == 5
    other = slipway.other()
    options = ("-t", "x", "--progress", "plain", *build.options, "--cache-from", f"type=local,src={folder}/cache")
    assert other.build(build.last, *options, env=root).ok().err.count("CACHED") == 1
    assert read_layout(other.root, "x:latest").tree()["f"].uid == 5
    third = slipway.other()
    assert third.build(build.last, *options, env=single).ok().err.count("CACHED") == 3
    assert read_layout(third.root, "x:latest").tree()["f"].uid == 5
