#!/usr/bin/env python3
"""Counts the instructions of an apply that changes nothing and of ssh-match: instructions.py [--update] BINARY.

The apply has a login and no key: below valgrind, /proc/self/exe is valgrind, which apply would install as its own copy. Counts do
not depend on the load of the machine, as times do. They are of pushready's own process alone, by callgrind. Fails where one is
more than 5 % above scripts/instructions.json; --update writes that file.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

CRATE = Path(__file__).resolve().parent.parent
BUDGET = CRATE / "scripts/instructions.json"
ABOVE = 1.05


def count(arguments: list[str], environment: dict[str, str]) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/tmp/callgrind.%p", "/run/rig/bin/pushready", *arguments]
    output = subprocess.run(command, env=environment, capture_output=True, text=True)
    counts = [line.rsplit(":", 1)[1] for line in output.stderr.splitlines() if "Collected" in line]
    if not counts:
        sys.exit(output.stdout + output.stderr)
    # a child that has not yet executed its program prints none or its own, before this one ends
    return int(counts[-1])


def inside() -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "USER")} | {
        "PUSHREADY_CLAUDE_OAUTH_TOKEN": "sk-ant-oat01-" + "x" * 80,
    }
    subprocess.run(["pushready", "apply"], env=environment, check=True, stdout=subprocess.DEVNULL)
    print(json.dumps({"apply": count(["apply"], environment), "ssh-match": count(["ssh-match", "0" * 16], environment)}))


def compare(found: dict[str, int], budget: dict[str, int]) -> bool:
    within = True
    for name, instructions in found.items():
        allowed = budget.get(name, 0) * ABOVE
        print(f"{name}: {instructions} instructions, budget {budget.get(name)}")
        within &= instructions <= allowed
    return within


if sys.argv[1:] in (["-h"], ["--help"]):
    sys.exit(print(__doc__))
if sys.argv[1:] == ["--inside"]:
    inside()
elif len(sys.argv) > 1:
    binary = str(Path(sys.argv[-1]).resolve())
    run = subprocess.run(
        [CRATE / "tests/behaviour/support/sandbox.sh", CRATE, "--ro-bind", binary, "/run/rig/bin/pushready", "--",
         "/usr/bin/python3", "scripts/instructions.py", "--inside"], stdout=subprocess.PIPE, text=True, check=True)
    found, budgets = json.loads(run.stdout), json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    if sys.argv[1] == "--update":
        BUDGET.write_text(json.dumps(budgets | {platform.machine(): found}, indent=2) + "\n")
    elif not compare(found, budgets.get(platform.machine(), {})):
        sys.exit("error: more than 5 % above the budget of scripts/instructions.json: find the cause, or --update it")
else:
    sys.exit(__doc__)
