#!/usr/bin/env python3
"""Whether a unit's SystemCallFilter lets through the system calls that strace has counted.

    syscalls.py UNIT SUMMARY        SUMMARY: from strace -c -U name
"""

import re
import subprocess
import sys
from pathlib import Path


def groups():
    """The calls and groups in each group of systemd."""
    found, name = {}, ""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], check=True, capture_output=True).stdout.decode()
    # Colours, and what follows the groups: the calls that are in none.
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            found[name] = set()
        elif line.startswith(" ") and word and not word.startswith("#") and name:
            found[name].add(word)
        elif line.startswith("#"):
            name = ""
    return found


def calls(names, known):
    for name in names:
        if name.startswith("@"):
            yield from calls(known[name], known)
        else:
            yield name


def main():
    unit, summary = (Path(argument).read_text() for argument in sys.argv[1:])
    known = groups()
    allowed = set(calls(["@default"], known))
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        named = set(calls(line.lstrip("~").split(), known))
        allowed = allowed - named if line.startswith("~") else allowed | named
    made = {line.split()[-1] for line in summary.splitlines() if re.fullmatch(r"\s*\w+\s*", line)} - {"syscall", "total"}
    # Before the filter is in force.
    refused = made - allowed - {"execve"}
    if len(made) < 20:
        sys.exit(f"strace has seen next to nothing: {sorted(made)}")
    if refused:
        sys.exit(f"the filter refuses {sorted(refused)}")
    print(f"    {len(made)} system calls, all let through")


if __name__ == "__main__":
    main()
