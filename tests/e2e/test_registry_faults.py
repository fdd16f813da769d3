"""Everything that can go wrong between client and registry: one fault a test, then random ones.

After each fault: a result or an error that names the cause, nothing wrong stored or tagged on either side, and a second run
without the fault does what is left.
"""
import hashlib
import json
import os
import pathlib
import pty
import random
import signal
import sys
import time

import pytest

from helpers import processes
from helpers.images import read_layout

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry, digest_of  # noqa: E402

SIZE = 3000000
EVERY = [0, 1, SIZE // 2, SIZE - 1]


@pytest.fixture
def fault(slipway):
    slipway.env["SLIPWAY_TEST_RETRY_MS"] = "20"
    with FaultRegistry() as running:
        yield running


@pytest.fixture
def app(slipway, context, fault):
    """An image of one incompressible layer of about SIZE bytes under a name in the registry."""
    return make_app(slipway, context, fault)


@pytest.fixture
def pushed(slipway, app):
    slipway("push", app).ok()
    return app


def make_app(slipway, context, fault, sizes=(SIZE,), name="team/app:1"):
    files = {f"f{i}": os.urandom(size) for i, size in enumerate(sizes)}
    lines = "".join(f"COPY f{i} /f{i}\n" for i in range(len(sizes)))
    full = f"{fault.host}/{name}"
    slipway.build(context({"Dockerfile": "FROM scratch\n" + lines, **files}), "-q", "-t", full).ok()
    return full


def seen(fault, method, part):
    return [e for e in fault.log if e["method"] == method and part in e["path"]]


def layer_of(slipway, name):
    return read_layout(slipway.root, name).layers[0]


def right_there(fault):
    """What the registry holds is what its digests say, and no tag names what is not there."""
    with fault.state.lock:
        blobs, manifests = dict(fault.state.blobs), dict(fault.state.manifests)
    for (_, digest), data in blobs.items():
        assert digest_of(data) == digest
    for (name, reference), (_, text) in manifests.items():
        assert ":" not in reference or digest_of(text) == reference
        document = json.loads(text)
        for part in [document.get("config"), *document.get("layers", [])]:
            assert part is None or len(blobs[name, part["digest"]]) == part["size"]
        assert all((name, child["digest"]) in manifests for child in document.get("manifests", []))


def right_here(slipway):
    for blob in (slipway.root / "blobs/sha256").glob("*"):
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    index = slipway.root / "index.json"
    for entry in json.loads(index.read_text())["manifests"] if index.exists() else []:
        read_layout(slipway.root, entry["annotations"]["org.opencontainers.image.ref.name"]).verify()


def pull_elsewhere(slipway, name):
    other = slipway.other()
    other("pull", name).ok()
    right_here(other)
    return other


# ---- 16 to 18: downloads ----

@pytest.mark.parametrize("at", EVERY)
@pytest.mark.parametrize("end", ["reset", "truncate"])
def test_16_download_that_breaks(slipway, pushed, fault, end, at):
    layer = layer_of(slipway, pushed)
    fault.rule(method="GET", path=layer["digest"], **{end: at})
    pull_elsewhere(slipway, pushed)
    ranges = [e["headers"].get("Range") for e in seen(fault, "GET", layer["digest"])]
    # By FIN nothing is lost; by RST what the kernel had not handed over yet.
    assert len(ranges) == 2 and ranges[0] is None
    if end == "truncate":
        assert ranges[1] == (f"bytes={at}-" if at else None)
    elif at > 1:
        assert ranges[1] and at - int(ranges[1][6:-1]) < 1 << 20


@pytest.mark.parametrize("rule", [
    {"ignore_range": True},
    {"set_headers": {"Content-Range": f"bytes 5-{SIZE}/{SIZE + 1}"}},
    {"set_headers": {"Content-Range": "bytes 0-9/10"}},
    {"set_headers": {"Content-Range": "nonsense"}},
    {"set_headers": {"Content-Range": ""}},
    {"status": 416},
], ids=["200", "other start", "other length", "nonsense", "none", "416"])
def test_17_wrong_answers_to_range(slipway, pushed, fault, rule):
    layer = layer_of(slipway, pushed)
    fault.rule(method="GET", path=layer["digest"], truncate=SIZE // 2)
    fault.rule(method="GET", path=layer["digest"], skip=0, **rule)
    pull_elsewhere(slipway, pushed)


def test_18_redirect_that_expires(slipway, pushed, fault):
    """The blob is at another host, whose signed address ends in mid-download: the registry hands out a new one."""
    layer = layer_of(slipway, pushed)
    data = fault.state.blobs["team/app", layer["digest"]]
    with FaultRegistry() as storage:
        storage.state.blobs["store/x", layer["digest"]] = data
        there = f"{storage.url}/v2/store/x/blobs/{layer['digest']}?sig="
        for number in range(3):
            fault.rule(method="GET", path=layer["digest"], status=307, headers={"Location": f"{there}{number}"})
        storage.rule(method="GET", path="sig=0", truncate=1000000)
        storage.rule(method="GET", path="sig=1", status=403, body="<Error>Request has expired</Error>")
        pull_elsewhere(slipway, pushed)
        assert [(e["path"][-1], e["headers"].get("Range")) for e in storage.log] == \
            [("0", None), ("1", "bytes=1000000-"), ("2", "bytes=1000000-")]
        assert not [e for e in storage.log if "Authorization" in e["headers"]]


def test_blob_that_is_not_what_it_should_be(slipway, pushed, fault):
    """Once: fetched again. Always: an error with both digests, and nothing kept."""
    layer = layer_of(slipway, pushed)
    fault.rule(method="GET", path=layer["digest"], corrupt=1000)
    pull_elsewhere(slipway, pushed)
    fault.rule(method="GET", path=layer["digest"], corrupt=1000, times=-1)
    other = slipway.other()
    assert other("pull", pushed).fails(layer["digest"]).err.count("sha256:") >= 2
    right_here(other)
    assert not (other.root / "blobs/sha256" / layer["digest"][7:]).exists()


# ---- 19 to 21: uploads ----

@pytest.mark.parametrize("at", EVERY)
def test_19_upload_that_breaks(slipway, app, fault, at):
    fault.rule(method="PUT", path="/blobs/", only_body=SIZE, reset_upload=at)
    slipway("push", app).ok()
    sent = [e for e in seen(fault, "PUT", layer_of(slipway, app)["digest"].replace(":", "%3A"))]
    looks = len(seen(fault, "HEAD", layer_of(slipway, app)["digest"]))
    # A kept connection that ends before the first byte of a body proves nothing: the same request goes out again.
    assert len(sent) == 2 and (looks == 2 or at == 0)
    right_there(fault)
    pull_elsewhere(slipway, app)


def test_19_upload_whose_answer_is_lost(slipway, app, fault):
    """Found by a look, not sent again."""
    fault.rule(method="PUT", path="/blobs/", only_body=SIZE, reset_after=True)
    slipway("push", app).ok()
    assert len([e for e in seen(fault, "PUT", "/blobs/") if e["body"] >= SIZE]) == 1
    right_there(fault)


@pytest.mark.parametrize("status, code", [(404, "BLOB_UPLOAD_UNKNOWN"), (416, "BLOB_UPLOAD_INVALID"), (404, None)])
def test_20_session_that_is_lost(slipway, app, fault, status, code):
    body = json.dumps({"errors": [{"code": code}]}) if code else ""
    fault.rule(method="PUT", path="/blobs/", only_body=SIZE, status=status, body=body)
    slipway("push", app).ok()
    sessions = [e["path"].partition("?")[0] for e in seen(fault, "PUT", "/blobs/")]
    assert len(sessions) == len(set(sessions)) == 3
    right_there(fault)


@pytest.mark.parametrize("min_chunk", [None, 900000])
def test_pieces_where_large_requests_are_refused(slipway, app, fault, min_chunk):
    fault.state.settings.update(max_body=1000000, min_chunk=min_chunk)
    assert "in pieces" in slipway("push", "--progress", "plain", app).ok().err
    pieces = [e for e in seen(fault, "PATCH", "/blobs/") if e["status"] == 202]
    assert 3 <= len(pieces) <= 8 and all(e["body"] <= 1000000 for e in pieces)
    assert all(e["body"] >= (min_chunk or 0) for e in pieces[:-1])
    assert sum(e["body"] for e in pieces) == layer_of(slipway, app)["size"]
    right_there(fault)
    pull_elsewhere(slipway, app)


@pytest.mark.parametrize("rule", [
    {"reset_upload": 300000}, {"reset_after": True}, {"status": 500}, {"status": 404}, {"status": 416},
    {"set_headers": {"Range": ""}}, {"status": 429, "headers": {"Retry-After": "0"}},
], ids=lambda rule: "-".join(rule))
def test_pieces_that_break(slipway, app, fault, rule):
    fault.state.settings.update(max_body=1000000)
    fault.rule(method="PATCH", path="/blobs/", only_body=300000, skip=3, **rule)
    slipway("push", app).ok()
    right_there(fault)
    pull_elsewhere(slipway, app)
    sent = sum(e["body"] for e in fault.log if e["method"] == "PATCH")
    size = layer_of(slipway, app)["size"]
    assert sent <= size + (size if rule.get("status") == 404 else 1500000)


def test_end_of_the_pieces_whose_answer_is_lost(slipway, app, fault):
    fault.state.settings.update(max_body=1000000)
    fault.rule(method="PUT", path=layer_of(slipway, app)["digest"].replace(":", "%3A"), skip=1, reset_after=True)
    slipway("push", app).ok()
    right_there(fault)


def test_21_pieces_that_get_lost(slipway, app, fault, context):
    """ECR answers 201 and forgets all pieces but the first: whole again."""
    fault.state.settings.update(stuck_chunks=True)
    fault.rule(method="PUT", path="/blobs/", only_body=SIZE, status=413)
    slipway("push", app).ok()
    assert len(seen(fault, "PATCH", "/blobs/")) == 2
    assert [e["status"] for e in seen(fault, "PUT", "/blobs/") if e["body"] >= SIZE or e["status"] == 413] == [413, 201]
    right_there(fault)
    other = make_app(slipway, context, fault, name="team/other:1")
    fault.state.settings.update(max_body=1000000)
    slipway("push", other).fails("413", "client_max_body_size")
    right_there(fault)


# ---- 22, 23: answers that come late or not ----

@pytest.mark.parametrize("status", [408, 429, 499, 500, 502, 503, 504, 522])
def test_22_passing_failures(slipway, app, fault, status):
    for method, path in (("HEAD", "/blobs/"), ("POST", "/uploads/"), ("PUT", "/blobs/"), ("PUT", "/manifests/")):
        fault.rule(method=method, path=path, status=status, times=2, headers={"Retry-After": "0"})
    said = slipway("push", "--progress", "plain", app).ok()
    assert f" {status} " in said.err and "retry 1 in" in said.err
    right_there(fault)
    for method, path in (("HEAD", "/manifests/"), ("GET", "/manifests/"), ("GET", "/blobs/")):
        fault.rule(method=method, path=path, status=status, times=2, headers={"Retry-After": "0"})
    pull_elsewhere(slipway, app)


def test_22_seven_times_is_too_often(slipway, app, fault):
    fault.rule(method="POST", path="/uploads/", status=503, times=-1, body='{"errors":[{"code":"X","message":"no disk"}]}')
    said = slipway("push", "--progress", "plain", app).fails("503 Service Unavailable: X: no disk")
    assert "retry 6 in" in said.err and "retry 7 in" not in said.err
    assert not fault.state.manifests


def http_date(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", ["3", "date"])
def test_22_retry_after_holds_for_the_whole_host(slipway, context, fault, status, after):
    app = make_app(slipway, context, fault, sizes=[400000] * 6)
    fault.rule(method="POST", path="/uploads/", skip=2, status=status,
               headers=lambda: {"Retry-After": after if after != "date" else http_date(time.time() + 4)})
    slipway("push", app).ok()
    refused = next(i for i, e in enumerate(fault.log) if e.get("status") == status)
    # Those that were on their way then may still arrive; after them nobody comes for as long as was asked, and then what waited for it.
    came = [(e["time"] - fault.log[refused]["time"], e["method"], e["path"]) for e in fault.log[refused + 1:]]
    assert not [at for at, *_ in came if 1.8 < at < 2.8] and "POST" in [method for at, method, _ in came if at >= 2.8], came
    assert came[-1][0] >= 2.8 and came[-1][1] == "PUT" and "/manifests/" in came[-1][2], came


def test_22_pauses_have_a_bound(slipway, app, fault):
    fault.rule(method="POST", path="/uploads/", status=429, times=-1, headers={"Retry-After": "1000000000"})
    with open(slipway.folder / "said", "wb") as said:
        running = slipway.start("push", "--progress", "plain", app, stderr=said)
    assert processes.wait_until(lambda: "retry 1 in 300.0 s" in (slipway.folder / "said").read_text())
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130


def test_23_slow_end_of_an_upload(slipway, app, fault):
    """The answer to the last byte may take longer than a stall."""
    slipway.env["SLIPWAY_TEST_STALL_MS"] = "1000"
    fault.rule(method="PUT", path="/blobs/", only_body=SIZE, delay=4)
    slipway("push", app).ok()
    assert len([e for e in seen(fault, "PUT", "/blobs/") if e["body"] >= SIZE]) == 1


@pytest.mark.parametrize("rule", [{"delay": 100}, {"drip": 0.5}], ids=["silence", "drip"])
def test_23_stalls_end(slipway, pushed, fault, rule):
    slipway.env["SLIPWAY_TEST_STALL_MS"] = "1000"
    fault.rule(method="GET", path=layer_of(slipway, pushed)["digest"], **rule)
    other = slipway.other()
    said = other("pull", "--progress", "plain", pushed, timeout=30).ok()
    assert "stalled: less than 1024 bytes in 1 s; retry 1 in" in said.err
    right_here(other)


# ---- 24, 25 ----

def log_in(slipway, fault, kind):
    fault.state.settings["auth"] = kind
    slipway("login", "-u", "user", "--password-stdin", fault.host, stdin="secret").ok()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_24_token_that_ends_in_mid_push(slipway, context, fault, at):
    app = make_app(slipway, context, fault, sizes=[400000] * 3)
    log_in(slipway, fault, "bearer")
    before = len(seen(fault, "GET", "/token?"))
    fault.rule(method="PUT", path="/blobs/", skip=at, expire_tokens=True)
    slipway("push", app).ok()
    # One for the push, one after its end; the login at the registry is asked for no more often.
    assert len(seen(fault, "GET", "/token?")) - before <= 3
    right_there(fault)


def test_25_manifest_whose_answer_is_lost(slipway, app, fault):
    fault.rule(method="PUT", path="/manifests/", reset_after=True)
    fault.rule(method="PUT", path="/manifests/", status=500)
    slipway("push", app).ok()
    right_there(fault)


def test_25_the_second_of_two_tags(slipway, app, fault, context):
    second = app.replace(":1", ":2")
    slipway("tag", app, second).ok()
    fault.rule(method="PUT", path="/manifests/2$", status=403, times=-1)
    slipway("push", app, second).fails(second, "403", f"there now: {app}")
    top = context({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "a"})
    slipway.build(top, "-t", app, "-t", second, "--push").fails(second, "403", f"there now: {app}")
    right_there(fault)


# ---- 28: the user ends it ----

@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_28_interrupted_upload(slipway, app, fault, number, code):
    """Out at once; the session is given back."""
    fault.rule(method="PUT", path="/blobs/", only_body=SIZE, delay=30)
    running = slipway.start("push", app)
    assert processes.wait_until(lambda: [e for e in seen(fault, "PUT", "/blobs/") if e["body"] >= SIZE])
    began = time.monotonic()
    running.send_signal(number)
    running.communicate(timeout=25)
    assert running.returncode == code and time.monotonic() - began < 20
    session = next(e["path"] for e in seen(fault, "PUT", "/blobs/") if e["body"] >= SIZE).partition("?")[0]
    assert seen(fault, "DELETE", session) and not fault.state.manifests
    fault.state.rules.clear()
    slipway("push", app).ok()
    right_there(fault)


def test_28_interrupted_download(slipway, pushed, fault):
    fault.rule(method="GET", path=layer_of(slipway, pushed)["digest"], drip=0.01)
    other = slipway.other()
    other.unfinished_allowed = True
    running = other.start("pull", pushed)
    assert processes.wait_until(lambda: seen(fault, "GET", layer_of(slipway, pushed)["digest"]))
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=25)
    assert running.returncode == 130
    other("pull", pushed).ok()
    right_here(other)


# ---- how it looks, and how much at a time ----

def test_four_blobs_at_a_time(slipway, context, fault):
    app = make_app(slipway, context, fault, sizes=[60000] * 9)
    fault.rule(method="PUT", path="/blobs/", delay=0.2, times=-1)
    slipway("push", app).ok()
    assert fault.state.most_under_way == 4
    fault.state.most_under_way = 0
    fault.rule(method="GET", path="/blobs/", delay=0.2, times=-1)
    pull_elsewhere(slipway, app)
    assert fault.state.most_under_way == 4


def test_progress_has_a_rate_and_an_end(slipway, pushed, fault):
    """On a terminal: bytes of all bytes, bytes a second, seconds that are left."""
    fault.rule(method="GET", path=layer_of(slipway, pushed)["digest"], drip=0.0001, truncate=20000)
    ours, theirs = pty.openpty()
    other = slipway.other()
    running = other.start("pull", pushed, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # how Linux tells that the other side is closed
    os.close(ours)
    running.communicate(timeout=60)
    assert running.returncode == 0
    lines = [line for line in shown.decode(errors="replace").splitlines() if "/s eta " in line and "MB" in line]
    assert lines, shown[-2000:]


# ---- random faults ----

PUSH = [("HEAD", "/manifests/"), ("HEAD", "/blobs/"), ("POST", "/uploads/"), ("PUT", "/blobs/"), ("PUT", "/manifests/"),
        ("GET", "/token")]
PULL = [("HEAD", "/manifests/"), ("GET", "/manifests/"), ("GET", "/blobs/"), ("GET", "/blobs/"), ("GET", "/token")]
PASSING = [408, 429, 499, 500, 502, 503, 504, 522]


def random_fault(rng, requests, sizes):
    """One fault. What makes the client send a body again is as rare as the bound on that needs."""
    method, path = rng.choice(requests)
    blobs = path == "/blobs/" and method in ("GET", "PUT")
    rule = {"method": method, "path": path, "skip": rng.randint(0, 5 if "blobs" in path else 1)}
    kind = rng.random()
    if blobs and method == "GET" and kind < 0.6:
        effect = rng.choice(["reset", "truncate", "corrupt", "ignore_range"])
        return {**rule, effect: True if effect == "ignore_range" else rng.randint(0, min(sizes) - 1)}
    if blobs and method == "PUT" and kind < 0.5:
        return {**rule, **rng.choice([{"reset_upload": rng.randint(0, max(sizes))}, {"reset_after": True}, {"status": 404},
                                      {"status": 416}, {"status": 413}, {"delay": 0.2}])}
    if kind < 0.7:
        return {**rule, "status": rng.choice(PASSING), "headers": {"Retry-After": "0"}, "times": rng.choice([1, 1, 2, 5])}
    if kind < 0.85:
        return {**rule, **rng.choice([{"reset_after": True}, {"reset": 0}, {"truncate": 0}, {"delay": 0.2}])}
    if kind < 0.89:
        return {**rule, "expire_tokens": True}
    return {**rule, "status": rng.choice([400, 401, 403, 405, 404, 503]), "times": rng.choice([1, -1])}


def add_faults(fault, rng, requests, sizes):
    for _ in range(rng.randint(1, 3)):
        fault.rule(**random_fault(rng, requests, sizes))


def struck(fault):
    with fault.state.lock:
        return sum(rule.get("times") == 0 or rule.get("times", 0) < -1 for rule in fault.state.rules)


def check_push(result, fault, name):
    repository, _, tag = name.partition("/")[2].partition(":")
    right_there(fault)
    if result.code == 0:
        assert (repository, tag) in fault.state.manifests
    else:
        assert result.code == 1 and name.partition("/")[0] in result.err, str(result)


def moved(fault, method):
    return sum(e["body"] for e in fault.log if e["method"] == method and "/blobs/" in e["path"])


def push_under_faults(slipway, fault, rng, name, sizes):
    """The exit code, faults that struck, and bytes of blobs that went out."""
    fault.state.reset()
    add_faults(fault, rng, PUSH, sizes)
    pushed = slipway("push", name, timeout=120)
    check_push(pushed, fault, name)
    found = pushed.code, struck(fault), moved(fault, "PUT") + moved(fault, "PATCH")
    fault.state.rules.clear()
    slipway("push", name).ok()
    right_there(fault)
    return found


def pull_under_faults(slipway, fault, rng, name, sizes):
    add_faults(fault, rng, PULL, sizes)
    other = slipway.other()
    other.unfinished_allowed = True
    pulled = other("pull", name, timeout=120)
    right_here(other)
    assert pulled.code == 0 or pulled.code == 1 and fault.host in pulled.err, str(pulled)
    found = pulled.code, struck(fault)
    fault.state.rules.clear()
    other("pull", name).ok()
    right_here(other)
    other.remove()
    return found


def test_random_faults(slipway, context, fault, count):
    """Each run ends in success or a clear error, with nothing wrong on either side, and without sending much twice."""
    rounds, seed = count(20, 500), int(os.environ.get("SLIPWAY_SEED", "1"))
    sent = size = failures = hits = 0
    slipway.env.update({"SLIPWAY_TEST_STALL_MS": "2000", "SLIPWAY_TEST_RETRY_MS": "5"})
    images = [make_app(slipway, context, fault, sizes=[400000, 90000, 250000, 30000], name=f"random/app{i}:1")
              for i in range(4)]
    log_in(slipway, fault, "bearer")
    for number in range(rounds):
        rng = random.Random(seed * 100000 + number)
        name = images[number % len(images)]
        sizes = [layer["size"] for layer in read_layout(slipway.root, name).layers]
        code, struck_now, sent_now = push_under_faults(slipway, fault, rng, name, sizes)
        pull_code, pull_struck = pull_under_faults(slipway, fault, rng, name, sizes)
        print(f"{seed}/{number}: push {code}, pull {pull_code}, faults {struck_now} and {pull_struck}")
        sent, size = sent + sent_now, size + sum(sizes)
        failures, hits = failures + code + pull_code, hits + struck_now + pull_struck
    print(f"{2 * rounds} runs, {hits} faults, {failures} ended in an error; {sent / size:.2f} of the blobs' bytes were sent")
    assert hits > rounds and failures < rounds / 2, "faults strike, and nearly all are passing ones"
    assert sent <= 1.3 * size
