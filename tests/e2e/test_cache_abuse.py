"""Downloads and images that try to get wrong files into an image or a cache: rows 54 and 55 of the list of abuses."""
import hashlib
import subprocess

import pytest

from helpers.images import Layout, entry, make_tar, read_layout
from helpers.web import Web

RANDOM = "cat /proc/sys/kernel/random/uuid > /uuid"


@pytest.mark.parametrize("target, words", [("file:///etc/passwd", ["file", "refused"]), ("ftp://127.0.0.1/x", ["refused"]),
                                           ("gopher://127.0.0.1:1/x", ["refused"])])
def test_a_download_is_never_sent_to_another_scheme(build, target, words):
    with Web({"/f": (302, {"Location": target}, b"")}) as web:
        build.fails(f"FROM scratch\nADD {web.url}/f /f\n", "Dockerfile:2", *words)
        assert web.asked == ["/f"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/x"])
def test_only_http_is_downloaded(build, url):
    """Other schemes are paths of the context, as for docker."""
    build.fails(f"FROM scratch\nADD {url} /f\n", "Dockerfile:2", "not found")


def test_endless_redirects_end(build):
    with Web({"/f": (302, {"Location": "/f"}, b"")}) as web:
        build.fails(f"FROM scratch\nADD {web.url}/f /f\n", "redirects")
        assert len(web.asked) < 20


def test_a_password_in_a_url_is_refused(build):
    with Web({"/f": b"x"}) as web:
        url = web.url.replace("://", "://user:hunter2@")
        failed = build.fails(f"FROM scratch\nADD {url}/f /f\n", "password")
        assert web.asked == [] and failed.out.count("hunter2") == 0


def test_a_download_that_is_too_large_is_refused_before_it_fills_the_disk(build, slipway):
    with Web({"/f": (200, {"Content-Length": str(100 << 30)}, b"x" * 1000)}) as web:
        build.fails(f"FROM scratch\nADD {web.url}/f /f\n", "32 GiB", timeout=30)
    assert not [p for p in (slipway.root / "ingest").rglob("*") if p.is_file()]


def test_checksums_are_checked_each_time(build):
    good, bad = hashlib.sha256(b"good").hexdigest(), hashlib.sha256(b"bad").hexdigest()
    with Web({"/f": b"good"}) as web:
        text = f"FROM scratch\nADD --checksum=sha256:{{}} {web.url}/f /f\n"
        assert build(text.format(good)).text("/f") == "good"
        build.fails(text.format(bad), "checksum", bad, good)
        # What was right once does not make a wrong answer right, nor is a wrong answer kept.
        web.pages["/f"] = b"bad"
        build.fails(text.format(good), "checksum", options=("--no-cache",))
        assert build(text.format(bad)).text("/f") == "bad"
        assert build(text.format(good)).text("/f") == "good", "kept by its digest"


def test_a_changed_download_is_seen(build):
    with Web({"/f": b"one"}) as web:
        text = f"FROM tiny\nADD {web.url}/f /f\nRUN {RANDOM}\n"
        one = build(text)
        assert one.text("/uuid") == build(text).text("/uuid")
        web.pages["/f"] = b"two"
        two = build(text)
        assert two.text("/f") == "two" and two.text("/uuid") != one.text("/uuid")


def crafted(folder, history, config=None):
    """An image of one layer whose history says that the steps of a Dockerfile made it."""
    layout = Layout(folder)
    tar = make_tar([entry("evil", data=b"evil"), entry("f", data=b"evil")])
    layout.image("evil:1", [tar], config={"history": [{"created_by": text, "comment": "buildkit.dockerfile.v0"}
                                                      for text in history], **(config or {})})
    return folder


DOCKERFILE = """FROM scratch
COPY f /f
WORKDIR /w
HEALTHCHECK CMD true
ONBUILD RUN true
"""


@pytest.mark.parametrize("how", ["load", "context"])
def test_an_image_whose_history_reads_like_the_dockerfile_is_no_cache(build, slipway, folder, how):
    """CVE-2024-24557: the classic builder took images for cache whose texts matched."""
    honest = build(DOCKERFILE, {"f": "honest"})
    history = [h["created_by"] for h in honest.history]
    slipway("prune", "-a", "-f", "--grace", "0s").ok()
    evil = crafted(folder / "evil", history)
    if how == "load":
        subprocess.run(["tar", "-C", evil, "-cf", folder / "evil.tar", "."], check=True)
        slipway("load", "-i", folder / "evil.tar").ok()
    else:
        build("FROM evil\nLABEL a=1\n", {}, "--build-context", f"evil=oci-layout:{evil}")
    built = build(DOCKERFILE, {"f": "honest"}, "--build-context", f"evil=oci-layout:{evil}")
    assert built.text("/f") == "honest"
    built.lacks("/evil")
    assert "CACHED" not in built.result.err


def test_a_base_with_the_same_history_is_another_base(build, folder):
    """Two bases that differ in their bytes alone: no step on one is taken from the other."""
    for name, data in (("a", b"one"), ("b", b"two")):
        layout = Layout(folder / name)
        layout.image("x:1", [make_tar([entry("base", data=data)])])
    text = "FROM x\nCOPY f /f\n"
    one = build(text, {"f": "1"}, "--build-context", f"x=oci-layout:{folder / 'a'}")
    two = build(text, {"f": "1"}, "--build-context", f"x=oci-layout:{folder / 'b'}")
    assert (one.text("/base"), two.text("/base")) == ("one", "two")


def test_healthcheck_and_onbuild_come_from_the_dockerfile_alone(build):
    """They make no layer: a build whose layers all hit has those of its own text, not of the build before."""
    one = build(DOCKERFILE, {"f": "x"})
    two = build(DOCKERFILE.replace("CMD true", "CMD evil").replace("RUN true", "RUN evil"), {"f": "x"})
    assert one.config["Healthcheck"]["Test"] == ["CMD-SHELL", "true"] and one.config["OnBuild"] == ["RUN true"]
    assert two.config["Healthcheck"]["Test"] == ["CMD-SHELL", "evil"] and two.config["OnBuild"] == ["RUN evil"]
    three = build("FROM scratch\nCOPY f /f\nWORKDIR /w\n", {"f": "x"})
    assert "Healthcheck" not in three.config and "OnBuild" not in three.config
    assert one.document["rootfs"] == two.document["rootfs"] == three.document["rootfs"]


def test_a_record_of_another_layer_is_not_believed(build, slipway):
    """A record is only found under its own key; damaged ones are misses."""
    one = build("FROM scratch\nCOPY f /f\n", {"f": "one"})
    for record in (slipway.root / "cache/steps").glob("*.json"):
        text = record.read_text()
        record.write_text(text.replace('"sha256:', '"sha256:0', 1)[:len(text)])
    again = build.again()
    assert again.text("/f") == "one"
    assert read_layout(slipway.root, "t2:latest").verify()
    assert one.document["rootfs"] == again.document["rootfs"]
