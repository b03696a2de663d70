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

COLUMNS, FONT, ADVANCE, LEADING, MARGIN = 134, 14, 8.43, 19, 20
# the headings whose commands are shown, and the commands
SHOWN = {
    "The secrets come from variables, as a template would set them": ("pushready apply",),
    "Clone by the HTTPS URL, commit, push: everything uses SSH with this repository's own key":
        ("git clone --quiet https://github.com/acme/app", "git push origin HEAD"),
    "The other repository gets the other key, which has read access only: a push fails": ("git push origin HEAD",),
    "The doctor's report, for a person and for a program": ("pushready doctor --only push",),
}
STYLES = {"": "#d4d4d8", "1": "#ffffff", "2": "#8ab4f8"}


def run() -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parent.parent)
        os.environ.pop("NO_COLOR", None)
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


def lines(output: str) -> list[tuple[str, str]]:
    """(style, text) of each line, as it is when the cursor has left it; a line of try.sh has one style."""
    found = []
    for line in output.replace("\r\n", "\n").split("\n"):
        style = re.match(r"\x1b\[([12])m", line)
        text = re.sub(r"\x1b\[[0-9;]*m|\x07", "", line)
        found.append((style[1] if style else "", text.rsplit("\r", 1)[-1].rstrip()))
    return found


def chosen(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    heading, shown = "", False
    for style, text in found:
        if style == "1":
            heading, shown = text.removeprefix("# "), False
            if heading in SHOWN:
                kept += [("", ""), (style, text)]
        elif style == "2":
            shown = text.removeprefix("$ ") in SHOWN.get(heading, ())
        if style != "1" and shown and text:
            kept.append((style, text))
    missing = set(SHOWN) - {text.removeprefix("# ") for style, text in kept if style == "1"}
    if missing:
        sys.exit(f"error: scripts/try.sh has no heading {missing}")
    return kept[1:]


def draw(kept: list[tuple[str, str]]) -> str:
    # the terminal breaks lines where it ends
    rows = [(style, text[start:start + COLUMNS]) for style, text in kept for start in range(0, len(text) or 1, COLUMNS)]
    width, height = round(2 * MARGIN + COLUMNS * ADVANCE), 2 * MARGIN + len(rows) * LEADING
    picture = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="{FONT}">',
        "<title>pushready apply, a push, and the report of pushready doctor about a read-only deploy key</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b1b1f"/>',
    ]
    for number, (style, text) in enumerate(rows):
        weight = ' font-weight="bold"' if style == "1" else ""
        picture.append(f'<text x="{MARGIN}" y="{MARGIN + number * LEADING + FONT}" fill="{STYLES[style]}"{weight} '
                       f'xml:space="preserve">{html.escape(text)}</text>')
    return "\n".join([*picture, "</svg>", ""])


file = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs/terminal.svg")
file.parent.mkdir(exist_ok=True)
file.write_text(draw(chosen(lines(run()))))
