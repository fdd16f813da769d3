"""Files of Debian packages that are not to be installed: theirs would start a server, or push another package out."""
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[3]


def unpacked(package, file):
    """The path of a package's file, fetched when it is asked for first."""
    return pathlib.Path(subprocess.run([TOP / "tests/fixtures/fetch_deb.sh", package, file], check=True, capture_output=True, text=True).stdout.strip())
