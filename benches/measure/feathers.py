"""A FeathersJS service of contacts, from npm: what the CRM's clients come from. It is
measured where it can be installed."""

import shutil
import subprocess
import sys

from .machine import CACHE, ROOT, Process, free_port

SOURCE = ROOT / "benches" / "measure" / "feathers"
HOME = CACHE / "feathers"


def install():
    """Whether it is there; it is installed where that is possible."""
    done, wanted = HOME / "packages", (SOURCE / "package.json").read_text()
    if not (done.exists() and done.read_text() == wanted):
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        (HOME / "package.json").write_text(wanted)
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            # One package is compiled where there is no binary of it.
            subprocess.run(command, cwd=HOME, check=True, capture_output=True, timeout=1800)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"FeathersJS is left out, for it cannot be installed: {error}", file=sys.stderr)
            return False
        # Written last, so that half an installation does not pass for one.
        done.write_text(wanted)
    shutil.copy(SOURCE / "server.mjs", HOME)
    return True


def serve(store):
    """Starts it on a database; answers it and its port."""
    port = free_port()
    return Process(["node", "server.mjs", port, store], cwd=HOME).wait_for(port), port
