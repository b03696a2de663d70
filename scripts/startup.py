#!/usr/bin/env python3
"""Measures a start script from its first line to READY, on a machine without a network: startup.py BINARY...

Runs each binary in turn, in one run and one sandbox, so that all are measured under the same load. It runs what a second start
of a workspace runs: install.sh with the binary installed, and apply with no changes needed. Fails if the median of the last
binary is above 100 ms. Processor time does not depend on the load of the machine.
"""

import hashlib
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS, BUDGET = 25, 100
CRATE = Path(__file__).resolve().parent.parent


def prepare(binary: Path, home: Path) -> dict[str, str]:
    """A home that one start has provisioned, and the environment of the next."""
    home.mkdir()
    for name in ("app", "docs"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
    keys = '{"acme/app": "%s", "acme/docs": "%s"}' % tuple(
        (home / name).read_text().replace("\n", "\\n") for name in ("app", "docs"))
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "PUSHREADY_VERSION": "0", "PUSHREADY_DOWNLOAD_URL": str(binary),
        "PUSHREADY_SHA256": hashlib.sha256(binary.read_bytes()).hexdigest(), "PUSHREADY_DEPLOY_KEYS": keys,
        "PUSHREADY_CLAUDE_OAUTH_TOKEN": "sk-ant-oat01-" + "x" * 80, "CODER_SCRIPT_BIN_DIR": str(home / "bin"),
    }
    first = subprocess.run(["sh", "-c", STEPS["install.sh and apply"]], env=environment, capture_output=True, text=True)
    if first.returncode:
        sys.exit(first.stdout + first.stderr)
    return environment


INSTALL = f"{CRATE}/scripts/install.sh"
STEPS = {
    "an empty script": ":",
    "install.sh": f"sh {INSTALL}",
    "apply": '"$HOME/.local/bin/pushready" apply',
    "install.sh and apply": f'sh {INSTALL} && "$HOME/.local/bin/pushready" apply',
}


def processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(script: str, environment: dict[str, str]) -> tuple[float, float]:
    """Milliseconds: on the clock, and of the processor."""
    clock, used = time.perf_counter(), processor()
    subprocess.run(["sh", "-c", script], env=environment, stdout=subprocess.PIPE, check=True)
    return (time.perf_counter() - clock) * 1000, (processor() - used) * 1000


def inside(binaries: list[Path]) -> None:
    environments = [prepare(binary, Path(f"/tmp/home{number}")) for number, binary in enumerate(binaries)]
    times = {(step, number): [] for step in STEPS for number in range(len(binaries))}
    for _ in range(RUNS):
        for step, number in times:
            times[step, number].append(measure(STEPS[step], environments[number]))
    for (step, number), measured in times.items():
        clock, used = zip(*measured)
        print(f"{step:22} {binaries[number].name:16} median {statistics.median(clock):6.1f} ms ({min(clock):.1f} to "
              f"{max(clock):.1f}), processor {statistics.median(used):6.1f} ms")
    if statistics.median(clock) > BUDGET:
        sys.exit(f"error: above the budget of {BUDGET} ms")


if sys.argv[1:] in (["-h"], ["--help"]):
    sys.exit(print(__doc__))
if sys.argv[1:2] == ["--inside"]:
    inside([Path(name) for name in sys.argv[2:]])
elif len(sys.argv) > 1:
    binds, names = [], []
    for number, name in enumerate(sys.argv[1:]):
        names.append(f"/run/rig/{number}-{Path(name).name}"[:40])
        binds += ["--ro-bind", name, names[-1]]
    os.execv(CRATE / "tests/behaviour/support/sandbox.sh",
             ["sandbox.sh", str(CRATE), *binds, "--", "/usr/bin/python3", "scripts/startup.py", "--inside", *names])
else:
    sys.exit(__doc__)
