import os, socket, threading, time, subprocess, io, struct, signal
import pytest
from helpers.images import read_layout
from helpers import processes

ASK = '''python3 - <<'PY'
import socket, os, struct, time
def ask(body, n=1, raw=None):
    s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect(os.environ["SSH_AUTH_SOCK"])
    s.sendall(raw if raw is not None else struct.pack(">I", len(body)) + body)
    try:
        out = b""
        while True:
            d = s.recv(65536)
            if not d: return ("closed", len(out), out[:20])
            out += d
            if len(out) >= 4 and len(out) >= 4 + struct.unpack(">I", out[:4])[0]: return ("answer", len(out), out[:20])
    except socket.timeout: return ("timeout", len(out), out[:20])
    except OSError as e: return ("err", str(e))
for op in list(range(0, 40)) + [255]:
    print("op", op, ask(bytes([op]) + b"abc"), flush=True)
print("empty", ask(b""))
print("big", ask(b"", raw=struct.pack(">I", 1 << 30) + b"x"))
print("limit", ask(b"\\x0d" + b"x" * (256 * 1024 - 1)))
print("over", ask(b"\\x0d" + b"x" * (256 * 1024)))
print("short", ask(b"", raw=b"\\0\\0"))
PY
'''

class Agent:
    def __init__(self, path, answer):
        self.path, self.answer, self.got, self.open = str(path), answer, [], 0
        self.s = socket.socket(socket.AF_UNIX); self.s.bind(self.path); self.s.listen(50)
        threading.Thread(target=self.run, daemon=True).start()
    def run(self):
        while True:
            try: c, _ = self.s.accept()
            except OSError: return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()
    def serve(self, c):
        self.open += 1
        try:
            while True:
                d = c.recv(1 << 20)
                if not d: break
                self.got.append(d[:8])
                self.answer(c, d)
        except OSError: pass
        finally: self.open -= 1; c.close()

def good(c, d): c.sendall(struct.pack(">IB", 5, 12) + b"\0\0\0\0")
def huge(c, d): c.sendall(struct.pack(">I", 1 << 31) + b"x" * 1000)
def never(c, d): time.sleep(100)
def short(c, d): c.sendall(b"\0\0"); c.close()
def cut(c, d): c.sendall(struct.pack(">I", 100) + b"x"); c.close()
def zero(c, d): c.sendall(b"\0\0\0\0")
def endless(c, d):
    while True: c.sendall(b"\0\0\0\x05\x0c\0\0\0\0" * 1000)

@pytest.mark.parametrize("name", ["good", "huge", "short", "cut", "zero", "endless", "never"])
def test_agent(slipway, folder, context, python_slim, name):
    a = Agent(folder / "a", globals()[name])
    c = context({"Dockerfile": "FROM py\nRUN --mount=type=ssh <<EOF\n" + (ASK if name == "good" else ASK.replace("list(range(0, 40)) + [255]", "[11, 13]").replace("settimeout(3)", "settimeout(1)")) + "EOF\n"})
    fds = None
    r = slipway.build(c, "--progress", "plain", "--build-context", f"py=oci-layout:{python_slim}", "--ssh", f"default={folder}/a", timeout=120)
    print(r.code, r.err[-3500:])
    print(set(a.got), a.open)

def test_many(slipway, folder, context, python_slim):
    a = Agent(folder / "a", never)
    c = context({"Dockerfile": '''FROM py
RUN --mount=type=ssh <<EOF
python3 - <<'PY'
import socket, os
l = []
for i in range(600):
    s = socket.socket(socket.AF_UNIX); s.settimeout(1)
    try: s.connect(os.environ["SSH_AUTH_SOCK"]); s.sendall(b"\\0\\0\\0\\1\\x0b")
    except OSError as e: print(i, e); break
    l.append(s)
print("conns", len(l))
PY
EOF
'''})
    r = slipway.build(c, "--progress", "plain", "--build-context", f"py=oci-layout:{python_slim}", "--ssh", f"default={folder}/a", timeout=120)
    print(r.code, r.err[-800:], r.seconds)

def test_modes(slipway, folder, context, python_slim, tiny):
    a = Agent(folder / "a", good); b = Agent(folder / "b", good)
    d = '''FROM py
RUN --mount=type=ssh,mode=0666,uid=5,gid=6 --mount=type=ssh,id=two,target=/x/y --mount=type=ssh,id=three stat -c '%n %F %a %u %g' $SSH_AUTH_SOCK /run/buildkit/* /x/y > /o; env | grep SSH >> /o
RUN --mount=type=ssh,id=three env | grep SSH > /p
RUN ls /run /x > /q 2>&1 || true
'''
    c = context({"Dockerfile": d})
    r = slipway.build(c, "-t", "x", "--progress", "plain", "--build-context", f"py=oci-layout:{python_slim}", "--ssh", f"default={folder}/a", "--ssh", f"two={folder}/b", timeout=120)
    print(r.code, r.err[-800:])
    t = read_layout(slipway.root, "x:latest").tree()
    print(t.text("/o"), t.text("/p"), t.text("/q"))

def test_killed(slipway, folder, context, python_slim):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "k")], check=True)
    c = context({"Dockerfile": "FROM py\nRUN --mount=type=ssh touch /x && sleep 100\n"})
    p = slipway.start("build", "--progress", "plain", "--build-context", f"py=oci-layout:{python_slim}", "--ssh", f"default={folder}/k", str(c))
    time.sleep(6)
    print(subprocess.run("ps -ef | grep -E 'ssh-agent|slipway|sleep 100' | grep -v grep", shell=True, capture_output=True, text=True).stdout)
    p.kill(); p.wait(); time.sleep(1)
    print(subprocess.run("ps -ef | grep -E 'ssh-agent|slipway|sleep 100' | grep -v grep", shell=True, capture_output=True, text=True).stdout)
    print([str(x) for x in (slipway.root / "ingest").rglob("*")])
    r = slipway("prune", "--force"); print(r)
    slipway.build(context({"Dockerfile": "FROM scratch\nLABEL a=1\n"}))
    print([str(x) for x in (slipway.root / "ingest").rglob("*")])
