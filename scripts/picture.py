#!/usr/bin/env python3
"""Runs scripts/try.sh in a terminal of its own and draws what a reader should see of it: picture.py [FILE]

Default: docs/terminal.svg. The text is what that run printed, and nothing else; PUSHREADY_BIN is honoured as try.sh does.
"""

import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

COLUMNS, FONT, ADVANCE, LEADING, MARGIN = 88, 14, 8.43, 19, 20
# the heading and its command that are shown
SHOWN = ("The doctor's report, for a person and for a program", "pushready doctor --repo acme/docs --only push.write")
# SGR parameters (ECMA-48): bold, faint and the colours that are printed
COLOURS = {"2": "#9aa0a6", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#8ab4f8", "36": "#76e3ea"}
PLAIN = "#d4d4d8"


def run() -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parent.parent)
        os.environ.pop("NO_COLOR", None)
        os.environ["TERM"] = "xterm-256color"
        os.execv("scripts/try.sh", ["scripts/try.sh"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    output = b""
    try:
        while chunk := os.read(terminal, 65536):
            output += chunk
    except OSError:  # the other end is closed
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        sys.exit(f"error: scripts/try.sh ended with {status}:\n{output.decode(errors='replace')}")
    return output.decode()


def spans(line: str) -> list[tuple[str, bool, str]]:
    """(colour, bold, text) of each part of a line, as it is when the cursor has left it."""
    line = re.sub(r"\x1b\[[0-9;]*[A-LN-Zac-ln-z]|\x07", "", line.rstrip("\r").rsplit("\r", 1)[-1])
    found, colour, bold = [], PLAIN, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if codes := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
            for code in codes[1].split(";"):
                if code in ("", "0"):
                    colour, bold = PLAIN, False
                bold = bold or code == "1"
                colour = COLOURS.get(code, colour)
        elif part:
            found.append((colour, bold, part))
    return found


def chosen(output: str) -> list[list[tuple[str, bool, str]]]:
    heading, command = SHOWN
    kept: list[list[tuple[str, bool, str]]] = []
    state = "before"
    for line in map(spans, output.replace("\r\n", "\n").split("\n")):
        text = "".join(part for _, _, part in line).rstrip()
        if text == f"# {heading}":
            state = "heading"
        elif text.startswith("$ "):
            state = "shown" if state == "heading" and text == f"$ {command}" else ("before" if state == "shown" else state)
        if state == "shown" and text:
            kept.append(line)
    if not kept:
        sys.exit(f"error: scripts/try.sh shows no `{command}` below {heading!r}")
    return kept


def draw(rows: list[list[tuple[str, bool, str]]]) -> str:
    width, height = round(2 * MARGIN + COLUMNS * ADVANCE), 2 * MARGIN + len(rows) * LEADING
    picture = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="{FONT}">',
        "<title>the report of pushready doctor about a deploy key that has read access only</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b1b1f"/>',
    ]
    for number, row in enumerate(rows):
        parts = "".join(f'<tspan fill="{colour}" font-weight="{"bold" if bold else "normal"}">{html.escape(text)}</tspan>'
                        for colour, bold, text in row)
        picture.append(f'<text x="{MARGIN}" y="{MARGIN + number * LEADING + FONT}" xml:space="preserve">{parts}</text>')
    return "\n".join([*picture, "</svg>", ""])


if sys.argv[1:] in (["-h"], ["--help"]):
    sys.exit(print(__doc__))
file = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs/terminal.svg")
file.parent.mkdir(exist_ok=True)
file.write_text(draw(chosen(run())))
