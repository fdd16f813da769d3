"""registry serve against those who mean no good, against crashes, and behind TLS and a login."""
import base64
import json
import os
import select
import socket
import ssl
import subprocess
import threading
import time

import pytest

from helpers.registry import make_certificates
from helpers.serve import INDEX, Serve, basic, digest_of, wait_for


def status(answer):
    """Of a raw answer; 0 when the connection was closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize("target", [
    "/v2/../../etc/passwd", "/v2/..%2f..%2fetc/manifests/x", "/v2/%2e%2e/%2e%2e/manifests/x", "/v2/a%2f..%2fb/tags/list",
    "/v2/a%00b/tags/list", "/v2/a/manifests/%00", "/v2/a/blobs/..%2f..%2findex.json", "/v2/a/blobs/uploads/..%2f..%2fx",
    "/v2/a,b/tags/list", "/v2/.lock/tags/list", "/v2/a/blobs/%zz", "/v2/a/tags/list?n=%", "/v2//tags/list",
    "/v2/" + "a/" * 300 + "tags/list", "/v2/" + "a" * 5000 + "/tags/list", "/v2/a/manifests/" + "b" * 5000,
    "v2/a/tags/list", "*", "http:", "//v2/a/tags/list", "/v2/a/\x7f/tags/list", "/v2/a/manifests/x\\..\\y",
])
def test_targets_that_are_none(serve, target):
    answer = serve.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert 400 <= status(answer) < 500, answer[:300]


def hello():
    """What a TLS client says first; its random bytes look like a line of HTTP now and then."""
    said = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


def test_clients_that_try_tls_are_told_that_it_is_http(serve):
    """docker goes on without TLS when the answer begins with HTTP/, and only then."""
    answers = [serve.raw(hello()) for _ in range(60)]
    assert {answer[:13] for answer in answers} == {b"HTTP/1.0 400 "}


def test_the_absolute_form_is_understood(serve):
    answer = serve.raw(f"GET http://{serve.host}/v2/ HTTP/1.1\r\nHost: {serve.host}\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) == 200


@pytest.mark.parametrize("host, expected", [
    ("localhost", 200), ("localhost:5000", 200), ("127.0.0.1", 200), ("127.1.2.3:80", 200), ("[::1]:5000", 200), ("LOCALHOST", 200),
    ("app.localhost:1", 200),
    ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403), ("169.254.169.254", 403),
    ("evil.example:5000", 403), ("user@localhost", 403), ("", 403), ("localhost/", 403), ("a" * 300, 403),
])
def test_names_of_this_host(serve, host, expected):
    """A page that DNS rebinding led here asks with its own host's name."""
    assert serve("GET", "/v2/", Host=host).status == expected


def test_pages_in_a_browser(serve):
    for origin in ("https://evil.example", "null", "http://localhost:3000"):
        for method, path in (("GET", "/v2/"), ("POST", "/v2/a/blobs/uploads/"), ("DELETE", "/v2/a/manifests/x"),
                             ("OPTIONS", "/v2/")):
            answer = serve(method, path, Origin=origin)
            assert answer.status == 403 and answer.code() == "DENIED"
            assert not answer.headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize("headers", [
    "Content-Length: 3\r\nContent-Length: 30", "Content-Length: 3\r\nTransfer-Encoding: chunked", "Content-Length: -1",
    "Content-Length: x", "Content-Length: 99999999999999999999999", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Host: localhost\r\nHost: evil.example", "X: " + "y" * 200000,
])
def test_requests_in_two_minds(serve, headers):
    host = "" if headers.startswith("Host") else "Host: localhost\r\n"
    answer = serve.raw(f"POST /v2/a/blobs/uploads/ HTTP/1.1\r\n{host}{headers}\r\n\r\nabcGET /v2/ HTTP/1.1\r\n\r\n".encode(), 2)
    assert status(answer) == 0 or 400 <= status(answer) < 500, answer[:300]
    assert b"HTTP/1.1 200" not in answer, "the second request was taken for one of its own"


def test_garbage(serve):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 1000, b"GET\r\n\r\n", b"G" * 300000, b"\r\n" * 100):
        assert status(serve.raw(data, 1)) in (0, 400, 413, 414, 431), data[:20]
    assert serve("GET", "/v2/").status == 200


def test_connections_that_say_nothing_do_not_keep_others_out(serve):
    """Slowloris: more than there are places, each with half of a request."""
    idle = []
    for i in range(300):
        s = socket.create_connection(("127.0.0.1", serve.port), timeout=30)
        s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: local" if i % 2 else b"")
        idle.append(s)
    begin = time.monotonic()
    for _ in range(5):
        assert serve("GET", "/v2/").status == 200
    assert time.monotonic() - begin < 15
    for s in idle:
        s.close()


def test_bodies_that_nobody_wants_do_not_keep_others_out(serve):
    """Each was refused by its first line and takes its time with the rest."""
    dripping = []
    for _ in range(256):
        s = socket.create_connection(("127.0.0.1", serve.port), timeout=30)
        s.sendall(b"PUT /v2/A/manifests/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000000\r\n\r\nx")
        time.sleep(0.008)
        dripping.append(s)
    time.sleep(0.5)
    for _ in range(5):
        assert serve("GET", "/v2/").status == 200
    for s in dripping:
        s.close()


def test_slow_downloads_leave_the_other_places(serve):
    """More than half of all places: who comes then is served, and not taken for one that only waits."""
    blob = serve.blob("slow", os.urandom(20 << 20))
    downloads = []
    for _ in range(140):
        s = socket.create_connection(("127.0.0.1", serve.port), timeout=30)
        s.sendall(f"GET /v2/slow/blobs/{blob['digest']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert s.recv(12) == b"HTTP/1.1 200"
        downloads.append(s)
    failed = []

    def ask():
        for _ in range(10):
            try:
                assert serve("GET", "/v2/").status == 200
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for s in downloads:
        s.close()
    assert not failed


def test_an_early_answer_is_seen(serve):
    """The body of a refused request is read to its end, unless its client waits for 100 Continue."""
    data = os.urandom(3 << 20)
    answer = serve("PUT", "/v2/A/manifests/x", data)
    assert answer.status == 400 and answer.code() == "NAME_INVALID"
    got = serve.raw(b"PUT /v2/a/manifests/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
                    b"Expect: 100-continue\r\n\r\n", 2)
    assert status(got) == 413
    got = serve.raw(b"POST /v2/a/blobs/uploads/?digest=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000000000000000\r\n"
                    b"Expect: 100-continue\r\n\r\n" % digest_of(b"x").encode(), 2)
    assert status(got) == 413


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_large_body_for_nothing(serve, method):
    """Too much to read: it is answered, or the connection ends, and neither hangs."""
    done = subprocess.run(["curl", "-s", "-m", "10", "-X", method, "-H", "Expect:", "-H", "Content-Length: 40000000", "-T", "-",
                           "-o", "/dev/null", "-w", "%{http_code}", f"http://{serve.host}/v2/A/manifests/x"],
                          input=bytes(40000000), capture_output=True, check=False)
    assert done.stdout in (b"400", b"405", b"000") and done.returncode != 28, done


def test_a_push_in_one_request_that_breaks_leaves_nothing(serve):
    """Its client never learnt the name of the session: nobody could go on with it."""
    left = set((serve.root / "ingest").iterdir())
    data = os.urandom(100000)
    with socket.create_connection(("127.0.0.1", serve.port), timeout=30) as s:
        s.sendall(b"POST /v2/broken/blobs/uploads/?digest=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
                  % digest_of(data).encode() + data)
        wait_for(lambda: len(set((serve.root / "ingest").iterdir()) - left) == 1)
    wait_for(lambda: set((serve.root / "ingest").iterdir()) == left)
    answer = serve("POST", f"/v2/broken/blobs/uploads/?digest={digest_of(data)}", data, Content_Range="x")
    assert answer.status == 400 and set((serve.root / "ingest").iterdir()) == left


@pytest.mark.root
def test_a_full_disk(binary, folder):
    """It says so, also when the body is long from its end, and goes on when there is space again."""
    place = folder / "serve"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], check=True)
    try:
        serve = Serve(binary, place)
        kept = serve.image("a", "1")
        data = os.urandom(40 << 20)
        answer = serve("POST", f"/v2/a/blobs/uploads/?digest={digest_of(data)}", data)
        assert answer.status == 507 and "space" in answer.json()["errors"][0]["message"]
        session = serve.upload("a")
        assert serve("PATCH", session, data).status == 507
        assert serve("DELETE", session).status == 204
        assert digest_of(serve("GET", "/v2/a/manifests/1").body) == kept["digest"]
        assert not list((place / "root/ingest").glob("upload-*"))
        serve.image("a", "2", "again")
        # What an upload has got stays, and it goes on from there.
        session = serve.upload("a")
        (place / "full").write_bytes(bytes(2 << 20))
        data = data[:3 << 20]
        assert serve("PATCH", session, data).status == 507
        (place / "full").unlink()
        here = int(serve("GET", session).headers["Range"].partition("-")[2]) + 1
        assert 0 < here < len(data)
        answer = serve("PATCH", session, data[here:], Content_Range=f"{here}-{len(data) - 1}")
        assert answer.status == 202, answer
        assert serve("PUT", f"{session}?digest={digest_of(data)}").status == 201
        assert serve.stop() == 0
    finally:
        subprocess.run(["umount", place], check=True)


def test_two_requests_on_one_upload(serve):
    """The second is told so, and the first goes on."""
    session = serve.upload("busy")
    s = socket.create_connection(("127.0.0.1", serve.port), timeout=30)
    s.sendall(f"PATCH {session} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345".encode())
    wait_for(lambda: serve("GET", session).headers["Range"] == "0-4")
    assert serve("PATCH", session, b"x").status == 409
    assert serve("DELETE", session).status == 409
    s.sendall(b"67890")
    assert s.recv(1000).startswith(b"HTTP/1.1 202")
    s.close()
    assert serve("PUT", f"{session}?digest={digest_of(b'1234567890')}").status == 201


def test_the_same_blob_and_tag_from_many(serve):
    data, failed = os.urandom(100000), []

    def push(i):
        try:
            serve.blob("many", data)
            serve.image("many", "latest", str(i % 3))
        except Exception as e:  # noqa: BLE001 - told by the assertion below
            failed.append(e)

    threads = [threading.Thread(target=push, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed
    assert serve("GET", f"/v2/many/blobs/{digest_of(data)}").body == data
    assert serve("GET", "/v2/many/manifests/latest").status == 200
    assert serve("GET", "/v2/many/tags/list").json()["tags"] == ["latest"]


@pytest.mark.slow
def test_memory_stays_fixed(binary, folder):
    """A blob of 300 MB up and down, and manifests that come slowly and all at once."""
    serve = Serve(binary, folder / "serve")

    def peak():
        with open(f"/proc/{serve.process.pid}/status", encoding="utf-8") as f:
            return int(next(line for line in f if line.startswith("VmHWM")).split()[1]) >> 10

    before = peak()
    piece = os.urandom(1 << 20)
    session = serve.upload("large")
    serve("PATCH", session, (piece for _ in range(300)), Transfer_Encoding="chunked")
    digest = digest_of(piece * 300)
    assert serve("PUT", f"{session}?digest={digest}").status == 201
    with subprocess.Popen(["curl", "-s", f"http://{serve.host}/v2/large/blobs/{digest}"], stdout=subprocess.PIPE) as curl:
        total = sum(len(b) for b in iter(lambda: curl.stdout.read(1 << 20), b""))
    assert total == 300 << 20 and peak() - before < 16
    waiting = []
    for _ in range(60):
        s = socket.create_connection(("127.0.0.1", serve.port), timeout=30)
        s.settimeout(0.05)
        try:
            s.sendall(b"PUT /v2/large/manifests/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n" + b" " * 3900000)
        except OSError:
            pass  # it has stopped reading
        waiting.append(s)
    assert peak() - before < 64
    for s in waiting:
        s.close()
    serve.stop()


def test_requests_that_fit_no_buffer_leave_nothing(binary, folder):
    """More parameters than a HTTP library has memory for: all that the request took is given back."""
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    serve = Serve(binary, folder / "serve", env={"ASAN_OPTIONS": options.lstrip(":")})

    def resident():
        with open(f"/proc/{serve.process.pid}/status", encoding="utf-8") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) >> 10

    request = b"GET /v2/a/tags/list?%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % (b"tag=a&" * 15000)
    for _ in range(100):
        assert status(serve.raw(request)) == 414
    before = resident()
    for _ in range(400):
        serve.raw(request)
    assert resident() - before < 16
    assert serve("GET", "/v2/").status == 200
    assert serve.stop() == 0, serve.log()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_too_many_tags(binary, folder, secure):
    """As many parameters as fit into a request line get an answer, over TLS too."""
    if secure:
        make_certificates(folder / "tls", ["localhost"])
    serve = Serve(binary, folder / "serve", tls=folder / "tls" if secure else None)
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    for n, expected in ((50, 201), (51, 414), (15000, 414)):
        tags = "&".join(f"tag=t{i % 10}" for i in range(n))
        answer = serve("PUT", f"/v2/a/manifests/{digest_of(text)}?{tags}", text, Content_Type=INDEX)
        assert answer.status == expected, answer
    assert sorted(serve("GET", "/v2/a/tags/list").json()["tags"]) == [f"t{i}" for i in range(10)]
    assert serve.stop() == 0, serve.log()


# ---- crashes ----

def test_killed_in_the_middle_of_an_upload(binary, folder):
    serve = Serve(binary, folder / "serve")
    data = os.urandom(500000)
    sessions = [serve.upload("a"), serve.upload("a")]
    assert serve("PATCH", sessions[0], data[:100000]).status == 202
    s = socket.create_connection(("127.0.0.1", serve.port))
    s.sendall(f"PATCH {sessions[1]} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n".encode() + data[:200000])
    wait_for(lambda: int(serve("GET", sessions[1]).headers["Range"][2:]) == 199999)
    serve.kill()
    s.close()
    serve.start()
    for session, here in ((sessions[0], 100000), (sessions[1], 200000)):
        answer = serve("GET", session)
        assert answer.status == 204 and answer.headers["Range"] == f"0-{here - 1}"
        assert serve("PATCH", session, data[here:], Content_Range=f"{here}-{len(data) - 1}").status == 202
        assert serve("PUT", f"{session}?digest={digest_of(data)}").status == 201
    assert serve("GET", f"/v2/a/blobs/{digest_of(data)}").body == data
    serve.stop()


def test_killed_at_any_moment(binary, slipway, folder, count):
    """What was answered is there afterwards, and the store is whole."""
    serve = Serve(binary, folder / "serve")
    own = slipway.other()
    own.env["SLIPWAY_ROOT"] = str(serve.root)
    done = []
    for round_ in range(count(4, 60)):
        stop = threading.Event()

        def push(worker, round_=round_, stop=stop):
            for i in range(1000):
                try:
                    tag = f"t{round_}-{worker}-{i}"
                    done.append((tag, serve.image("kill", tag, tag)["digest"]))
                except (OSError, AssertionError):
                    return
                if stop.is_set():
                    return

        threads = [threading.Thread(target=push, args=(w,)) for w in range(3)]
        before = len(done)
        for t in threads:
            t.start()
        wait_for(lambda before=before: len(done) > before)
        time.sleep(0.03 * (round_ % 5))
        serve.kill()
        stop.set()
        for t in threads:
            t.join()
        serve.start()
    for tag, digest in done:
        got = serve("GET", f"/v2/kill/manifests/{tag}")
        assert got.status == 200 and digest_of(got.body) == digest
        for blob in (got.json()["config"], *got.json()["layers"]):
            assert digest_of(serve("GET", f"/v2/kill/blobs/{blob['digest']}").body) == blob["digest"]
    own("fsck").ok()
    serve.stop()


# ---- TLS and logins ----

@pytest.fixture(scope="module")
def secured(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    make_certificates(folder / "tls")
    lines = [subprocess.run(["htpasswd", "-Bbn", "-C", "4", *login], check=True, capture_output=True).stdout
             for login in (("maria", "correct horse"), ("ümlaut", "pässwörd"))]
    (folder / "htpasswd").write_bytes(b"# who may\n" + b"".join(lines))
    running = Serve(binary, folder, "--htpasswd", folder / "htpasswd", tls=folder / "tls")
    yield running
    assert running.stop() == 0, running.log()
    assert "correct horse" not in running.log()


def test_logins(secured):
    for path in ("/v2/", "/v2/a/tags/list", "/v2/a/manifests/x", "/v2/_catalog"):
        answer = secured("GET", path)
        assert answer.status == 401 and answer.code() == "UNAUTHORIZED"
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
        assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    for wrong in (basic("maria", "wrong"), basic("nobody", "correct horse"), basic("maria", ""), basic("", ""), "Basic !!!!",
                  "Basic", "Basic " + base64.b64encode(b"maria").decode(), "Bearer x", basic("maria", "correct horse\0"),
                  basic("maria", "x" * 100), "Basic " + "A" * 8000):
        assert secured("GET", "/v2/", Authorization=wrong).status == 401, wrong
    for _ in range(3):
        assert secured("GET", "/v2/", Authorization=basic("maria", "correct horse")).status == 200
    assert secured("GET", "/v2/", Authorization=basic("ümlaut", "pässwörd")).status == 200
    assert secured("GET", "/v2/", Authorization=basic("maria", "correct horse").replace("Basic", "bAsIc")).status == 200
    # Who knows the password of one does not become another.
    assert secured("GET", "/v2/", Authorization=basic("ümlaut", "correct horse")).status == 401
    # A login proves more than a name: behind a proxy the host is another one.
    assert secured("GET", "/v2/", Authorization=basic("maria", "correct horse"), Host="registry.example").status == 200


def test_guesses_do_not_keep_others_out(binary, folder):
    """Many at once, of a password that is slow to check: who has logged in before does not wait for them."""
    line = subprocess.run(["htpasswd", "-Bbn", "-C", "12", "maria", "right"], check=True, capture_output=True).stdout
    (folder / "htpasswd").write_bytes(line)
    serve = Serve(binary, folder / "serve", "--htpasswd", folder / "htpasswd")
    assert serve("GET", "/v2/", Authorization=basic("maria", "right")).status == 200
    begin = time.monotonic()
    assert serve("GET", "/v2/", Authorization=basic("maria", "guess")).status == 401
    one = time.monotonic() - begin
    guesses = []
    for i in range(12):
        s = socket.create_connection(("127.0.0.1", serve.port), timeout=60)
        s.sendall(f"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic('maria', str(i))}\r\n\r\n".encode())
        guesses.append(s)
    # The first of them is being checked.
    time.sleep(one / 2)
    for _ in range(3):
        assert serve("GET", "/v2/", Authorization=basic("maria", "right")).status == 200
    answered, _, _ = select.select(guesses, [], [], 0)
    assert len(answered) < len(guesses) / 2, "whoever waits in line is answered after them all"
    for s in guesses:
        s.close()
    serve.stop()


def test_the_file_of_logins_is_read_again(secured):
    file = secured.folder / "htpasswd"
    before = file.read_bytes()
    login = basic("late", "comer")
    assert secured("GET", "/v2/", Authorization=login).status == 401
    file.write_bytes(before + subprocess.run(["htpasswd", "-Bbn", "-C", "4", "late", "comer"], check=True,
                                             capture_output=True).stdout)
    assert secured("GET", "/v2/", Authorization=login).status == 200
    file.write_bytes(before)
    assert secured("GET", "/v2/", Authorization=login).status == 401, "what was remembered is forgotten"
    file.write_text("broken\n")
    assert secured("GET", "/v2/", Authorization=basic("maria", "correct horse")).status == 401
    file.write_bytes(before)
    assert secured("GET", "/v2/", Authorization=basic("maria", "correct horse")).status == 200


def test_slipway_over_tls_with_a_login(secured, slipway, build):
    slipway.env["SSL_CERT_FILE"] = str(secured.tls / "ca.crt")
    name = f"{secured.host}/safe/app:1"
    slipway.build(build.context({"Dockerfile": "FROM tiny\nRUN echo x > /x\n"}), "-t", name, *build.options).ok()
    slipway("push", name).fails(secured.host, "login")
    slipway("login", "-u", "maria", "--password-stdin", secured.host, stdin="wrong").fails("password")
    slipway("login", "-u", "maria", "--password-stdin", secured.host, stdin="correct horse").ok()
    slipway("push", name).ok()
    other = slipway.other()
    other("pull", name).ok()


def test_plain_http_at_a_port_of_tls(secured):
    assert status(secured.raw(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 2)) in (0, 400)
    assert secured("GET", "/v2/").status == 401


def test_old_tls_is_refused(secured):
    done = subprocess.run(["openssl", "s_client", "-connect", secured.host, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
                          input=b"", capture_output=True, check=False)
    assert done.returncode != 0
