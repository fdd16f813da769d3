"""What is measured. Each workload makes a context and says how a builder is driven over it."""
import os
import random


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def app(context):
    """The shape of an ordinary app: requirements, a RUN that writes files, then the code."""
    write(context / "Dockerfile", "FROM bench/base\nWORKDIR /app\nCOPY requirements.txt .\n"
          "RUN mkdir lib && i=0; while [ $i -lt 500 ]; do echo $i > lib/$i; i=$((i+1)); done\n"
          "COPY src src\nEXPOSE 3000\nCMD [\"python3\", \"src/app.py\"]\n")
    write(context / "requirements.txt", "flask\n")
    for i in range(20):
        write(context / "src" / f"m{i}.py", f"x = {i}\n" * 200)
    write(context / "src" / "app.py", "print('hello')\n")


def layers(context, n=60):
    write(context / "Dockerfile", "FROM bench/base\n" + "".join(f"RUN true {i}\n" for i in range(n)))


def files(context, n, size):
    write(context / "Dockerfile", "FROM scratch\nCOPY data /data\n")
    block = random.Random(1).randbytes(size)
    for i in range(n):
        path = context / "data" / f"d{i // 500}" / f"f{i}"
        if i % 500 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d\n" % i + block)


def bigfile(context, size):
    write(context / "Dockerfile", "FROM scratch\nCOPY big /big\n")
    rng = random.Random(2)
    with open(context / "big", "wb") as out:
        for _ in range(size >> 20):
            out.write(rng.randbytes(1 << 20))


def edit(context):
    with open(context / "src" / "app.py", "a", encoding="utf-8") as out:
        out.write(f"# {os.urandom(4).hex()}\n")


# name: (make the context, what is timed, slow for peers)
WORKLOADS = {
    "noop": (app, "noop", "the app again, nothing changed"),
    "edit": (app, "edit", "the app again, one line of one file changed"),
    "cold": (app, "cold", "the app without a cache, base in the store"),
    "run-steps": (layers, "cold", "60 times RUN true, no cache"),
    "layers-cached": (layers, "noop", "60 times RUN true, all cached"),
    "bigctx-noop": (lambda c: files(c, 50000, 4096), "noop", "COPY of 50,000 files, nothing changed"),
    "bigctx-cold": (lambda c: files(c, 50000, 4096), "cold", "COPY of 50,000 files, no cache"),
    "bigfile": (lambda c: bigfile(c, 2 << 30), "cold", "COPY of one 2 GiB file that does not compress"),
    "manyfiles": (lambda c: files(c, 200000, 1024), "cold", "COPY of 200,000 files"),
}
DEFAULT = ["noop", "edit", "cold", "run-steps", "layers-cached", "bigctx-noop", "bigctx-cold"]
# for these the peak memory of slipway is what matters; peers are left out unless asked for
MEMORY = ["bigfile", "manyfiles"]
