"""Services from npm to measure with, each a folder here of a package.json and a server.mjs."""

import pathlib
import shutil
import subprocess
import sys

from .machine import CACHE, Process, free_port

HERE = pathlib.Path(__file__).resolve().parent


def install(name):
    """Whether it is there; it is installed where that is possible."""
    home, source = CACHE / name, HERE / name
    done, wanted = home / "packages", (source / "package.json").read_text()
    if not (done.exists() and done.read_text() == wanted):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "package.json").write_text(wanted)
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            # A package may have to be compiled where there is no binary of it.
            subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=1800)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name} is left out, for it cannot be installed: {error}", file=sys.stderr)
            return False
        # Written last, so that half an installation does not pass for one.
        done.write_text(wanted)
    shutil.copy(source / "server.mjs", home)
    return True


def serve(name, *arguments):
    """Starts it; answers it and its port."""
    port = free_port()
    return Process(["node", "server.mjs", port, *arguments], cwd=CACHE / name).wait_for(port), port
