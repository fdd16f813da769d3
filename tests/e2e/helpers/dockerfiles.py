"""Real Dockerfiles, what they need, and how the trees that they make are compared.

The first lines of tests/fixtures/dockerfiles/NAME.Dockerfile say, each where it is so:

    # needs: apt pip                     the package registries it installs from
    # made as another user: home/app     below these, a mode with one id leaves to root what steps of another user make
    # owner lost in rootless-single: a/b  below these, links of an earlier step and files in a folder with the setgid bit are root's
    # refused in rootless-single: WORDS  a program refuses to run as root, which it is in such a mode
"""
import fnmatch
import os
import pathlib
import re
import shlex
import shutil

FOLDER = pathlib.Path(__file__).parents[2] / "fixtures/dockerfiles"
NAMES = sorted(p.stem for p in FOLDER.glob("*.Dockerfile"))

# Their content holds the time of the build, an inode or a random number: two builds in one mode differ in them, too.
OF_THE_MOMENT = ["etc/shadow", "etc/shadow-", "*.pyc", "var/cache/apt/*pkgcache.bin", "var/cache/ldconfig/aux-cache", "var/lib/dbus/machine-id",
                 "var/log/apt/*.log", "var/log/dpkg.log", "var/log/alternatives.log", "var/cache/debconf/config.dat", "var/cache/debconf/config.dat-old",
                 "etc/ssl/certs/ssl-cert-snakeoil.pem", "etc/ssl/private/ssl-cert-snakeoil.key"]

# How clients of package registries are told of others than the usual ones.
SETTINGS = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "npm_config_registry", "NPM_CONFIG_REGISTRY",
            "GOPROXY", "GONOPROXY", "GOPRIVATE", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]

# What says that a registry is there, by its own client. The first steps are those of the Dockerfiles that need the kind.
PROBES = {"apt": ("FROM debian-base", "apt-get -q update -o APT::Update::Error-Mode=any"),
          "pip": ("FROM python-slim", "pip -q download --no-deps --no-cache-dir -d /tmp gunicorn==23.0.0"),
          "npm": ("npm", "npm view lodash@4.17.21 version"),
          "go": ("go", "cd /tmp && GOTOOLCHAIN=local GOFLAGS=-mod=mod go list -m github.com/pkg/errors@v0.9.1")}


def text_of(name):
    return (FOLDER / f"{name}.Dockerfile").read_text()


def said(name, what):
    """What the Dockerfile says of itself, as words."""
    found = re.search(f"^# {what}: (.*)$", text_of(name), re.M)
    return found[1] if found else ""


def context_of(name, top):
    """A context folder with the Dockerfile."""
    top.mkdir()
    shutil.copy(FOLDER / f"{name}.Dockerfile", top / "Dockerfile")
    return top


class Registries:
    """Package registries, as this machine's environment names them, and what builds are told of them."""

    def __init__(self, folder):
        self.folder, self.known = folder, {}
        folder.mkdir(mode=0o755)
        trusted = next((os.environ[n] for n in ("SSL_CERT_FILE", "PIP_CERT") if os.environ.get(n)), "/etc/ssl/certs/ca-certificates.crt")
        if os.path.exists(trusted):
            shutil.copy(trusted, folder / "ca")
        else:
            (folder / "ca").touch()
        lines = ["PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca NODE_EXTRA_CA_CERTS=/run/secrets/ca"] if os.path.exists(trusted) else []
        lines += [f"{n}={shlex.quote(os.environ[n])}" for n in SETTINGS if os.environ.get(n)]
        (folder / "settings").write_text("".join(f"export {line}\n" for line in lines))
        for made in folder.iterdir():
            made.chmod(0o644)
        self.options = ["--secret", f"id=ca,src={folder}/ca", "--secret", f"id=registries,src={folder}/settings"]

    def missing(self, name, build):
        """Why a Dockerfile cannot be built here, or nothing; build: builds a context folder, gives a Result."""
        for kind in said(name, "needs").split():
            if kind not in self.known:
                begin, command = PROBES[kind]
                begin = begin if begin.startswith("FROM") else text_of(begin).partition("\nFROM tool")[0] + "\nFROM tool"
                top = self.folder / f"{kind}-probe"
                top.mkdir()
                (top / "Dockerfile").write_text(f"{begin}\nRUN --mount=type=secret,id=ca --mount=type=secret,id=registries "
                                                f". /run/secrets/registries && {command}\n")
                tried = build(top)
                self.known[kind] = "" if tried.code == 0 else f"{kind}: {tried.err.strip().splitlines()[-1]}"
            if self.known[kind]:
                return self.known[kind]
        return ""


def comparable(tree):
    """What does not depend on the clock."""
    return {path: (e.kind, e.mode, e.uid, e.gid, "" if any(fnmatch.fnmatch(path, p) for p in OF_THE_MOMENT) else e.digest, e.link, e.device,
                   e.xattrs) for path, e in tree.items()}


def differences(ours, theirs, of_others=()):
    """Paths whose entries differ; below of_others root may be the owner instead."""
    def differ(path):
        a, b = ours.get(path), theirs.get(path)
        if a and b and any(path == o or path.startswith(o + "/") for o in of_others):
            a, b = ((e[:2] + e[4:]) for e in (a, b))
        return a != b
    return {p: (ours.get(p), theirs.get(p)) for p in sorted({*ours, *theirs}) if differ(p)}
