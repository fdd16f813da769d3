"""Base images of other architectures, and the smallest programs of them."""
import os
import pathlib
import struct
import subprocess
import tarfile
import tempfile

from helpers.images import decompressed, read_layout
from helpers.packages import TOP
from oci_layout import make_tar

CACHE = pathlib.Path(os.environ.get("SLIPWAY_TEST_CACHE", TOP / ".dev/cache"))


def busybox(arch):
    """The bytes of Debian's static busybox for one of its architectures, fetched once."""
    kept = CACHE / f"busybox-{arch}"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            tar = pathlib.Path(work, "root.tar")
            subprocess.run(["mmdebstrap", "--variant=extract", "--include=busybox-static", f"--architectures={arch}",
                            "bookworm", tar], check=True, capture_output=True)
            with tarfile.open(tar) as root:
                found = next(m for m in root.getmembers() if m.name.endswith("bin/busybox"))
                made = pathlib.Path(work, "busybox")
                made.write_bytes(root.extractfile(found).read())
            made.rename(kept)
    return kept.read_bytes()


def add_tiny(layout, ref, tiny, arch, debian_arch=None):
    """The image "tiny" with another architecture's busybox; returns its descriptor with the platform."""
    image = read_layout(tiny)
    with tarfile.open(fileobj=decompressed(image.blob(image.layers[0]["digest"]))) as tar:
        entries = []
        for member in tar.getmembers():
            data = tar.extractfile(member).read() if member.isreg() else b""
            if member.name == "usr/bin/busybox":
                data = busybox(debian_arch or arch)
                member.size = len(data)
            entries.append((member, data))
    return layout.image(ref, [make_tar(entries)], image.config["config"], arch=arch)


def exit_program(machine, code, wide):
    """A static ELF file for little-endian machines that is nothing but these instructions."""
    head, word = (120, "Q") if wide else (84, "I")
    base = 0x400000
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    elf = ident + struct.pack(f"<HHI{word}{word}{word}IHHHHHH", 2, machine, 1, base + head, 64 if wide else 52, 0, 0,
                              64 if wide else 52, 56 if wide else 32, 1, 0, 0, 0)
    total = head + len(code)
    if wide:
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, total, total, 0x10000)
    else:
        segment = struct.pack("<IIIIIIII", 1, 0, base, base, total, total, 5, 0x10000)
    return elf + segment + code
