#!/usr/bin/env python3
"""The part of bench.sh that runs in the sandbox: bench.py [--quick]. Prints the table; writes /run/out/performance.md and .svg."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

QUICK = "--quick" in sys.argv
KEYS = [1, 3] if QUICK else [1, 10, 50, 200]
SERVED = [1, 2] if QUICK else [1, 10, 20, 50, 200]
# connections to a host that the doctor has open at once (src/doctor/connections.rs)
AT_ONCE = 4
# up to so many keys or clones each step is repeated
REPEATED = 20
CLONES = [2, 4] if QUICK else [10, 100, 1000, 10000]
ROUNDS = 2 if QUICK else 9
HOME = Path("/home/coder")
SCRIPT = "/run/rig/crate/scripts/typical_start.sh"
TOKEN = "sk-ant-oat01-" + "x" * 80
COLUMNS = "| what | size | clock, ms | processor, ms | floors | peak memory, MiB |"
FLOOR = "floor"
PROBES = "the bare push probes"
OVER_NETWORK = "`doctor` (ssh and push)"


SUPPORT = "/run/rig/crate/tests/behaviour/support"
SERVER = Path("/srv/git")


def empty_home() -> None:
    """A home in which nothing is but who commits."""
    for entry in HOME.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    (HOME / ".gitconfig").write_text("[user]\n\tname = Dev\n\temail = dev@example.com\n")


class Server:
    """A real sshd that answers as github.com does: the one of the behaviour tests."""

    def __init__(self) -> None:
        SERVER.mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", SERVER / "host_key"], check=True)
        (SERVER / "authorized_keys").touch()
        sshd = ["/usr/sbin/sshd", "-f", f"{SUPPORT}/sshd_config", "-E", SERVER / "sshd.log"]
        penalties = ["-o", "PerSourcePenalties=no"]
        known = subprocess.run([*sshd, "-t", *penalties], stderr=subprocess.DEVNULL).returncode == 0
        self.daemon = subprocess.Popen([*sshd, "-D", *(penalties if known else [])])
        while subprocess.run(["ssh-keyscan", "github.com"], capture_output=True).stdout == b"":
            if self.daemon.poll() is not None:
                sys.exit("error: sshd ended")

    def known_hosts(self) -> str:
        return "github.com " + " ".join((SERVER / "host_key.pub").read_text().split()[:2])

    def serve(self, name: str, key: Path) -> None:
        subprocess.run(["git", "init", "--quiet", "--bare", SERVER / f"{name}.git"], check=True)
        with open(SERVER / "authorized_keys", "a") as file:
            public = key.with_suffix(".pub").read_text().strip()
            file.write(f'restrict,command="{SUPPORT}/serve key deploy-key {name} {name} write" {public}\n')

    def sessions(self) -> int:
        return (SERVER / "sshd.log").read_text().count("Accepted publickey for ")


def peak(command: list[str], environment: dict[str, str]) -> float:
    """MiB of the process alone, seen from outside while it runs: nearly its peak."""
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, cwd=HOME)
    kilobytes = 0
    while child.poll() is None:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{child.pid}/status").read_text().splitlines())
        # until it executes the program it is a copy of this one
        if "VmHWM" in lines and not lines["Name"].strip().startswith("python"):
            kilobytes = max(kilobytes, int(lines["VmHWM"].split()[0]))
    return kilobytes / 1024


def measure(command: list[str], environment: dict[str, str], may_fail: bool = False) -> tuple[float, float]:
    """Milliseconds on the clock, and of the processor with all children."""
    clock = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, cwd=HOME)
    _, status, usage = os.wait4(child.pid, 0)
    clock = time.perf_counter() - clock
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode and not may_fail:
        sys.exit(f"error: {command} ended with {child.returncode}")
    return clock * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def probes(count: int, environment: dict[str, str]) -> tuple[tuple[float, float], list[float]]:
    """The same of the bare questions that a doctor cannot do without: one connection for each key, as many at once as the doctor
    opens to a host. And the milliseconds of each."""

    def ask(number: int) -> float:
        ask = ["ssh", "-o", "BatchMode=yes", "git@github.com", f"git-receive-pack 'acme/r{number}.git'"]
        start = time.perf_counter()
        subprocess.run(ask, env=environment, input=b"0000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - start) * 1000

    used = lambda: sum(os.times()[2:4])
    clock, before = time.perf_counter(), used()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        each = list(pool.map(ask, range(count)))
    return ((time.perf_counter() - clock) * 1000, (used() - before) * 1000), each


class Table:
    def __init__(self) -> None:
        self.found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.peaks: dict[tuple[str, str], float] = {}
        # by number of keys, for each of them
        self.connections: dict[int, float] = {}
        # by number of keys, of each round: the slowest connection, all of them shared by those that are open at once, and how much
        # later than its connections alone the doctor ends
        self.schedules: dict[int, list[tuple[float, float, float]]] = {}

    def add(self, what: str, size: str, measured: tuple[float, float]) -> None:
        self.found.setdefault((what, size), []).append(measured)

    def median(self, what: str, size: str, part: int) -> float:
        return statistics.median(values[part] for values in self.found[what, size])

    def rows(self) -> list[str]:
        floor = self.median(FLOOR, "", 1)
        rows = []
        for what, size in self.found:
            clock, used = (self.median(what, size, part) for part in range(2))
            memory = self.peaks.get((what, size))
            memory = f"{memory:.1f}" if memory else ""
            rows.append(f"| {what} | {size} | {clock:.1f} | {used:.1f} | {used / floor:.2f} | {memory} |")
        return rows


def keys_of(count: int) -> str:
    return f"{count} key" + "s" * (count > 1)


def generated_keys() -> list[str]:
    keys = []
    for number in range(max(KEYS)):
        path = Path(f"/tmp/key{number}")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        keys.append(path.read_text())
    return keys


def main() -> None:
    base = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LANG")}
    table, keys = Table(), generated_keys()
    typical = base | {"CODEX_AUTH_JSON": json.dumps({"OPENAI_API_KEY": "x"}), "CLAUDE_CODE_OAUTH_TOKEN": TOKEN, "DEPLOY_KEY": keys[0]}

    def configured(count: int) -> dict[str, str]:
        given = {f"acme/r{number}": key for number, key in enumerate(keys[:count])}
        return base | {"PUSHREADY_DEPLOY_KEYS": json.dumps(given), "PUSHREADY_CLAUDE_OAUTH_TOKEN": TOKEN}

    def floor() -> None:
        ssh = measure(["ssh", "-G", "nowhere.invalid"], base)
        git = measure(["git", "config", "--global", "-l"], base, may_fail=True)
        table.add("bare `ssh -G`", "", ssh)
        table.add("bare `git config --global -l`", "", git)
        table.add(FLOOR, "", (ssh[0] + git[0], ssh[1] + git[1]))

    def steps(count: int) -> None:
        size = keys_of(count)
        given = configured(count)
        empty_home()
        table.add("`apply`, first", size, measure(["pushready", "apply"], given))
        # a workspace starts again later: of folders that were made just now, a change might not be seen
        time.sleep(0.1)
        table.add("`apply`, no changes", size, measure(["pushready", "apply"], given))
        table.add("`status`", size, measure(["pushready", "status"], base))
        table.add("`doctor --offline`", size, measure(["pushready", "doctor", "--offline"], base, may_fail=True))
        ask = ["ssh", "-G", "git@github.com", f"git-receive-pack 'acme/r{count - 1}.git'"]
        table.add("a start of ssh", size, measure(ask, base))
        match = [str(HOME / ".local/state/pushready/bin/pushready"), "ssh-match", "0" * 16]
        table.add("`ssh-match`", size, measure(match, base, may_fail=True))
        url = ["git", "ls-remote", "--get-url", "git@github.com:acme/r0.git"]
        table.add("a git command", size, measure(url, base))
        table.add("`remove`", size, measure(["pushready", "remove"], base))

    for _ in range(ROUNDS):
        table.add("`/bin/true`", "", measure(["/bin/true"], base))
        floor()
        empty_home()
        table.add("typical start script, first", "1 key", measure(["sh", SCRIPT], typical))
        table.add("typical start script, again", "1 key", measure(["sh", SCRIPT], typical))
        for count in KEYS:
            steps(count)
    server = Server()
    for number in range(max(SERVED)):
        server.serve(f"acme/r{number}", Path(f"/tmp/key{number}"))
    known = {"PUSHREADY_KNOWN_HOSTS": server.known_hosts()}
    for count in SERVED:
        size = keys_of(count)
        empty_home()
        measure(["pushready", "apply"], configured(count) | known)
        examine = ["pushready", "doctor", "--only", "ssh,push"]
        for _ in range(ROUNDS if count <= REPEATED else 1):
            alone, each = probes(count, base)
            table.add(PROBES, size, alone)
            before = server.sessions()
            doctor = measure(examine, base, may_fail=count > REPEATED)
            table.add(OVER_NETWORK, size, doctor)
            schedule = max(each), sum(each) / min(count, AT_ONCE), doctor[0] - alone[0]
            table.schedules.setdefault(count, []).append(schedule)
            table.connections[count] = (server.sessions() - before) / count
        table.peaks[OVER_NETWORK, size] = peak(examine, base)
    for count in KEYS:
        size = keys_of(count)
        empty_home()
        for what, command, given in (
            ("`apply`, first", ["apply"], configured(count)), ("`apply`, no changes", ["apply"], configured(count)),
            ("`status`", ["status"], base), ("`doctor --offline`", ["doctor", "--offline"], base), ("`remove`", ["remove"], base),
        ):
            table.peaks[what, size] = peak(["pushready", *command], given)
    empty_home()
    made = 0
    for count in CLONES:
        for number in range(made, count):
            folder = HOME / f"src/{number // 100}/{number}/.git"
            for name in ("objects", "refs"):
                (folder / name).mkdir(parents=True)
            (folder / "HEAD").write_text("ref: refs/heads/main\n")
            (folder / "config").write_text(f'[remote "origin"]\n\turl = https://github.com/acme/other{number}\n')
        made = count
        size = f"{count} clones"
        given = configured(1) | known
        measure(["pushready", "apply"], given)
        commands = {
            "`apply`, no changes": (["apply"], given),
            "`doctor --offline --all`": (["doctor", "--offline", "--all"], base),
            "`doctor --all`": (["doctor", "--all"], base),
        }
        for _ in range(1 if count >= 1000 else ROUNDS):
            for what, (command, variables) in commands.items():
                table.add(what, size, measure(["pushready", *command], variables, may_fail="doctor" in command))
        for what, (command, variables) in commands.items():
            table.peaks[what, size] = peak(["pushready", *command], variables)
    server.daemon.terminate()
    rows = table.rows()
    print("\n".join([COLUMNS, "|---|---|---|---|---|---|", *rows]))
    check(rows)
    write(table, rows)


def check(rows: list[str]) -> None:
    """Fails where a row is missing, or has no figure."""
    wanted = 4 + 2 + 8 * len(KEYS) + 2 * len(SERVED) + 3 * len(CLONES)
    if len(rows) != wanted:
        sys.exit(f"error: {len(rows)} rows instead of {wanted}")
    for row in rows:
        figures = [float(cell) for cell in row.split("|")[3:6]]
        if figures[0] <= 0 or figures[2] <= 0:
            sys.exit(f"error: nothing was measured: {row}")


def plot(table: Table) -> str:
    """Milliseconds on the clock against the number of keys, both axes logarithmic."""
    import math

    width, height, left, bottom = 640, 360, 60, 40
    names = ["`apply`, first", "`apply`, no changes", "`doctor --offline`", "a start of ssh", "a git command"]
    colours = ["#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#8c564b"]
    sizes = [(count, keys_of(count)) for count in KEYS]
    across = lambda count: left + (width - left - 170) * math.log(count) / math.log(max(KEYS))
    up = lambda ms: height - bottom - (height - bottom - 20) * math.log10(max(ms, 1)) / 4
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<title>Milliseconds against the number of keys</title><rect width="{width}" height="{height}" fill="white"/>']
    for power in range(5):
        y = up(10**power)
        parts.append(f'<path d="M{left} {y:.0f}H{width - 170}" stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.0f}" '
                     f'text-anchor="end">{10**power} ms</text>')
    for count, _ in sizes:
        parts.append(f'<text x="{across(count):.0f}" y="{height - 18}" text-anchor="middle">{count}</text>')
    parts.append(f'<text x="{left}" y="{height - 3}">keys on one host</text>')
    for nth, (name, colour) in enumerate(zip(names, colours)):
        points = " ".join(f"{across(count):.0f},{up(table.median(name, size, 0)):.0f}" for count, size in sizes)
        y = 30 + 18 * nth
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{width - 160}" y="{y}" fill="{colour}">{name.replace("`", "")}</text>')
    return "\n".join([*parts, "</svg>", ""])


def write(table: Table, rows: list[str]) -> None:
    first, again = (table.median(f"typical start script, {which}", "1 key", 0) for which in ("first", "again"))
    cold, same = (table.median(f"`apply`, {which}", "1 key", 0) for which in ("first", "no changes"))
    starts = {count: table.median("a start of ssh", keys_of(count), 0) for count in KEYS}
    used = [table.median("a start of ssh", keys_of(count), 1) for count in (KEYS[0], KEYS[-1])]
    used = (used[1] - used[0]) / (KEYS[-1] - KEYS[0])
    each = (starts[KEYS[-1]] - starts[KEYS[0]]) / (KEYS[-1] - KEYS[0])
    felt = max(1, round(100 / used)) if used > 0 else 0
    size = os.stat("/run/rig/bin/pushready").st_size / 1e6
    listed = lambda texts: " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]
    connections = listed([f"{each:.2g} with {keys_of(count)}" for count, each in table.connections.items()])
    schedule = lambda count, part: statistics.median(values[part] for values in table.schedules[count])
    beyond = listed([f"{schedule(count, 2):.0f} (with {keys_of(count)})" for count in SERVED if count <= REPEATED])
    schedules = [f"| {count} | {-(-count // AT_ONCE)} | {schedule(count, 0):.0f} | {schedule(count, 1):.0f} | "
                 f"{table.median(PROBES, keys_of(count), 0):.0f} | {table.median(OVER_NETWORK, keys_of(count), 0):.0f} | "
                 f"{schedule(count, 2):.0f} |" for count in SERVED]
    load = os.getloadavg()[1]
    shared = f" that other programs used too (load {load:.0f})" if load > os.cpu_count() + 1 else ""
    text = f"""# Performance

`scripts/bench.sh` wrote this page on a machine with {os.cpu_count()} processors{shared}: medians of {ROUNDS} rounds, all steps in
one run. Read the ratios: milliseconds depend on the machine and on its load. One **floor** is a bare `ssh -G` and a bare `git config --global -l`,
one after the other; the column compares processor time. Peak memory is that of pushready alone. The typical start script is
`scripts/typical_start.sh`: it writes two logins and one key, asks no server and proves nothing.

- `apply` takes {cold / first:.2f} of the typical start script at the first start, {same / again:.2f} when nothing changes.
- Connections that `doctor` opens for each push URL which can be written: {connections}.
- `doctor` ends {beyond} ms later than its connections alone do, {AT_ONCE} at once: see below the large table.
- A start of ssh takes {used:.1f} ms of the processor more for each key on the host ({each:.1f} ms on the clock of this run). From about {felt} keys on
  one host this is 100 ms, which a person notices at each push; other hosts cost nothing.
- The binary has {size:.2f} MB.

![milliseconds against the number of keys](performance.svg)

{COLUMNS}
|---|---|---|---|---|---|
""" + "\n".join(rows) + f"""

`doctor` opens at most {AT_ONCE} connections to a host at once, for servers drop those that come faster (sshd_config(5), MaxStartups). So many
keys on one host are asked about in rounds, and the bound for the doctor is not its slowest connection but what all of them take that way
when nothing else is done: the same bare `ssh` questions, {AT_ONCE} at once, in the same round of this run. No schedule ends before the slowest
connection, or before the time of all of them divided by {AT_ONCE}. Each start of ssh takes the processor for each key on the host, so that
connections which are open at once delay each other. The doctor ends after 30 s at the latest, and reports what it has not asked by then.

| keys on one host | rounds | slowest connection, ms | all divided by those at once, ms | the connections alone, ms | `doctor`, ms | later, ms |
|---|---|---|---|---|---|---|
""" + "\n".join(schedules) + "\n"
    Path("/run/out/performance.md").write_text(text)
    Path("/run/out/performance.svg").write_text(plot(table))


main()
