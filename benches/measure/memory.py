"""How well memories are found, beside plain BM25, and what a question costs one user.

No server is asked: the index is measured by itself, by the program in benches/memory.
"""

import subprocess

from .machine import ROOT


def run(_bench):
    """Two tables, the half constants were chosen on and the half to report, and a line."""
    command = ["cargo", "bench", "--quiet", "--bench", "memory"]
    made = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return made.stdout.strip()
