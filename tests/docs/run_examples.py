#!/usr/bin/env python3
"""Runs the examples of the documents, and compares the documents with the code.

    run_examples.py [DOCUMENT...]    every document if none is named

A fenced block whose info string is `sh test` or `python test` is run; the blocks of one document run one after the
other, in one empty directory, beside a server of their own whose data directory is ./jomae-data. What a block exports
or assigns is there for the next one. A `text output` block right after it is what it must print; `…` stands for any
text within a line. The binary is target/debug/jomae, or JOMAE_BIN.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")
BINARY = Path(os.environ.get("JOMAE_BIN", TARGET / "debug/jomae")).resolve()
SDK_PYTHON = TARGET / "clients/venv-sdk/bin/python"
EXAMPLE_SECONDS_MAX = 300
READY_SECONDS_MAX = 60
# Dependencies that are no crates: nothing to name in docs/dependencies.md.
OWN = re.compile(r"jomae(-|$)")

problems = []


def wrong(text):
    problems.append(text)
    print(f"WRONG  {text}", flush=True)


def documents():
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def read(path):
    return (REPOSITORY / path).read_text()


def tasks():
    """All task pages: the tables of settings and metrics stand in several of them."""
    return "".join(path.read_text() for path in sorted((REPOSITORY / "docs/tasks").glob("*.md")))


# ---- examples ----


class Block:
    """One fenced block: its info string, its text, and the line on which its text begins."""

    def __init__(self, info, text, line):
        self.info, self.text, self.line = info, text, line


def blocks(text):
    found, fence, start, info = [], None, 0, ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"(`{3,})(.*)$", line)
        if fence is None and match:
            fence, info, start = match.group(1), match.group(2).strip(), number + 1
        elif fence is not None and line.strip() == fence:
            found.append(Block(info, "\n".join(lines[start:number]) + "\n", start + 1))
            fence = None
    if fence is not None:
        raise ValueError(f"the block that begins in line {start} has no end")
    return found


class Server:
    """`jomae serve` on free ports, with ./jomae-data in the given directory."""

    def __init__(self, directory):
        self.directory = directory
        self.log = open(directory / "server.log", "wb")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data-dir", "./jomae-data", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
            cwd=directory,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        give_up_at = time.monotonic() + READY_SECONDS_MAX
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > give_up_at:
                self.process.kill()
                raise RuntimeError(f"the server does not start: {(directory / 'server.log').read_text()}")
            time.sleep(0.05)

    def admin(self, path):
        env = (self.directory / "jomae-data/env").read_text()
        address = shlex.split(re.search(r"^export JOMAE_ADMIN=(.*)$", env, re.M).group(1))[0]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address + path, timeout=10) as answer:
            return answer.read().decode()

    def ready(self):
        try:
            return self.admin("/readyz") == "ready\n"
        except (OSError, AttributeError):
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        return self.process.returncode


def clean_environment():
    """No setting of the caller's shell reaches an example."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JOMAE_", "ALIBABA_CLOUD_")) and not name.lower().endswith("_proxy")
    }
    return kept | {"PATH": f"{BINARY.parent}:{kept.get('PATH', '')}", "PYTHONDONTWRITEBYTECODE": "1"}


def run_block(block, directory, environment):
    """Gives (exit code, standard output, standard error, environment afterwards)."""
    if block.info.startswith("python"):
        command, script, after = [SDK_PYTHON, "-"], block.text, None
    else:
        # Everything that a block assigns is kept for the next, as it would be in one shell.
        after = directory / ".environment"
        script = f"set -euo pipefail -o allexport\ntrap 'env -0 >{shlex.quote(str(after))}' EXIT\n{block.text}"
        command = ["bash", "-s"]
    done = subprocess.run(
        command,
        input=script.encode(),
        cwd=directory,
        env=environment,
        capture_output=True,
        timeout=EXAMPLE_SECONDS_MAX,
        check=False,
    )
    if after is not None and after.exists():
        pairs = (pair.partition("=") for pair in after.read_text().split("\0") if pair)
        environment = {name: value for name, _, value in pairs}
        after.unlink()
    return done.returncode, done.stdout.decode(), done.stderr.decode(), environment


def matches(expected, printed):
    lines = [".*".join(re.escape(part) for part in line.split("…")) for line in expected.rstrip("\n").split("\n")]
    return re.fullmatch("\n".join(lines), printed.rstrip("\n")) is not None


def run_examples(path):
    """Gives the metric names that the document's server has printed at the end."""
    name = path.relative_to(REPOSITORY)
    found = blocks(path.read_text())
    examples = [(at, block) for at, block in enumerate(found) if block.info in ("sh test", "python test")]
    for block in found:
        if "test" in block.info.split() and block.info not in ("sh test", "python test"):
            wrong(f"{name}:{block.line}: `{block.info}` is no example that can be run")
    if not examples:
        return set()
    if any(block.info == "python test" for _, block in examples) and not SDK_PYTHON.exists():
        wrong(f"{SDK_PYTHON} is missing: run scripts/setup-tests")
        return set()
    with tempfile.TemporaryDirectory(prefix="jomae-docs-") as temporary:
        directory = Path(temporary)
        server = Server(directory)
        try:
            environment = clean_environment()
            for at, block in examples:
                code, out, err, environment = run_block(block, directory, environment)
                if code != 0:
                    wrong(f"{name}:{block.line}: the example ends with {code}\n{out}{err}")
                    break
                following = found[at + 1] if at + 1 < len(found) else None
                if following is not None and following.info == "text output" and not matches(following.text, out):
                    wrong(f"{name}:{following.line}: expected\n{following.text}printed\n{out}")
            metrics = server.admin("/metrics")
        finally:
            code = server.stop()
        if code != 0:
            wrong(f"{name}: the server ended with {code}: {(directory / 'server.log').read_text()}")
    print(f"       {name}: {len(examples)} examples", flush=True)
    return set(re.findall(r"^(jomae_[a-z_]+)", metrics, re.M))


# ---- the documents against the code ----


def anchor(heading):
    """The fragment that a heading gets."""
    text = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def check_links():
    files = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "tests").rglob("*.md")]
    count = 0
    for path in files:
        text = re.sub(r"^(```+).*?^\1", "", path.read_text(), flags=re.M | re.S)
        for label, target in re.findall(r"\[([^\]]+)\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            count += 1
            file, _, fragment = target.partition("#")
            pointed = (path.parent / file).resolve() if file else path
            where = f"{path.relative_to(REPOSITORY)}: the link to {target}"
            if not pointed.exists():
                wrong(f"{where} leads nowhere")
            elif fragment and fragment not in [anchor(h) for h in re.findall(r"^#+ (.*)$", pointed.read_text(), re.M)]:
                wrong(f"{where} names no heading")
            # A link that is labelled with a name in code promises that the file holds the name.
            elif pointed.suffix in (".rs", ".py", ".js") and re.fullmatch(r"`\w+`", label):
                if not re.search(rf"\b{label[1:-1]}\b", pointed.read_text()):
                    wrong(f"{where}: {label} is not in it")
    print(f"       {count} links", flush=True)


def settings(table, prefix=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from settings(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            # Of each of several sections: they are described by their own names.
            yield prefix + name
            yield from settings(value[0])
        else:
            yield prefix + name


def check_settings():
    """Every setting of the example file, and every one that it names in a comment, is described."""
    example = read("docs/jomae.example.toml")
    # A commented line that reads as a setting is one.
    full = re.sub(r"^# (?=[a-z_]+ = |\[)", "", example, flags=re.M)
    described = tasks()
    names = list(settings(tomllib.loads(full)))
    for name in names:
        if f"\n| `{name}` | " not in described:
            wrong(f"docs/tasks does not describe the setting {name}")
    # And the example file holds every setting that there is.
    config = read("crates/jomae-server/src/config.rs").split("#[cfg(test)]")[0]
    renamed = re.findall(r'rename = "(\w+)"[^\n]*\n    pub (\w+): ', config)
    fields = set(re.findall(r"^    pub (\w+): ", config, re.M)) - {field for _, field in renamed} | {name for name, _ in renamed}
    # What the command line alone can ask for is no setting.
    fields -= set(re.findall(r"#\[serde\(skip\)\]\n    pub (\w+): ", config))
    known = {part for name in names for part in name.split(".")}
    for field in sorted(fields - known):
        wrong(f"docs/jomae.example.toml lacks the setting {field}")
    print(f"       {len(names)} settings", flush=True)


# Where the actions of an API stand in docs/compatibility.md, by the first part of their paths in the list of all actions.
CHAPTERS = {"ram": "Actions of RAM", "sts": "Actions of STS", "trail": "Actions of ActionTrail"}


def check_actions():
    compatibility = read("docs/compatibility.md")
    source = read("crates/jomae-api/src/actions/mod.rs")
    public = {"Actions": {action["name"] for action in json.loads(read("crates/jomae-api/tests/actions.json"))["actions"]}}
    versions = {"2015-05-01": CHAPTERS["ram"], "2015-04-01": CHAPTERS["sts"], "2020-07-06": CHAPTERS["trail"]}
    for api in json.loads(read("crates/jomae-api/tests/others.json")):
        public[versions[api["api_version"]]] = {action["name"] for action in api["actions"]}
    offered = {chapter: set() for chapter in public}
    for api, name in re.findall(r"^ +(\w+)::(?:\w+::)+(\w+),$", source, re.M):
        offered[CHAPTERS.get(api, "Actions")].add(name)
    count = 0
    for chapter in public:
        text = re.search(rf"^## {chapter}\n(.*?)(?=^## )", compatibility, re.M | re.S)
        rows = dict(re.findall(r"^\| `(\w+)` \| (complete|partial|extension|not offered\b[^|]*) \|", text[1], re.M) if text else [])
        count += len(rows)
        for name in sorted(offered[chapter] | public[chapter]):
            status = rows.get(name)
            if status is None:
                wrong(f"docs/compatibility.md, {chapter}, does not say whether {name} is offered")
            elif name not in offered[chapter] and not status.startswith("not offered, because "):
                wrong(f"docs/compatibility.md, {chapter}, calls {name} {status}")
            elif name in offered[chapter] and (status == "extension") == (name in public[chapter]):
                wrong(f"docs/compatibility.md, {chapter}, calls {name} {status}")
            elif name in offered[chapter] and status.startswith("not offered"):
                wrong(f"docs/compatibility.md, {chapter}, calls {name} {status}")
            elif status == "partial" and not re.search(rf"^\| `{name}` \| partial \| \S", text[1], re.M):
                wrong(f"docs/compatibility.md, {chapter}, does not say what {name} lacks")
        for name in sorted(set(rows) - offered[chapter] - public[chapter]):
            wrong(f"docs/compatibility.md, {chapter}, lists {name}, which is no action")
        if not offered[chapter]:
            wrong(f"no action of {chapter} was found in crates/jomae-api/src/actions/mod.rs")
    print(f"       {count} actions, {sum(map(len, offered.values()))} of them offered", flush=True)


def check_openapi():
    """docs/openapi.json against its standard, and against a server of its own."""
    with tempfile.TemporaryDirectory(prefix="jomae-openapi-") as temporary:
        directory = Path(temporary)
        server = Server(directory)
        try:
            command = [SDK_PYTHON, REPOSITORY / "tests/docs/check_openapi.py", directory / "jomae-data/env"]
            done = subprocess.run(
                command,
                cwd=directory,
                env=clean_environment(),
                capture_output=True,
                timeout=EXAMPLE_SECONDS_MAX,
                check=False,
            )
        finally:
            server.stop()
        if done.returncode != 0:
            wrong(f"tests/docs/check_openapi.py\n{done.stdout.decode()}{done.stderr.decode()}")
        else:
            print(done.stdout.decode(), end="", flush=True)


def check_errors():
    compatibility = read("docs/compatibility.md")
    row = re.compile(r"^    (\w+)(?:\((?:name|place)\))? => (\d+) \"([^\"]+)\" \"((?:[^\"\\]|\\.)*)\" (\w+) (\w+);$", re.M)
    found = row.findall(read("crates/jomae-api/src/error.rs"))
    for variant, status, code, message, _, source in found:
        message = message.replace('\\"', '"')
        if f"| {status} | `{code}` | `{message}` | {source.lower()} |" not in compatibility:
            wrong(f"docs/compatibility.md lacks the error {variant}: {status} {code} ({source.lower()})")
    if not found:
        wrong("no error was found in crates/jomae-api/src/error.rs")
    print(f"       {len(found)} errors", flush=True)


def check_dependencies():
    text = read("docs/dependencies.md")
    manifests = [*REPOSITORY.glob("crates/*/Cargo.toml"), *(REPOSITORY / name for name in ("tests/Cargo.toml", "bench/Cargo.toml", "fuzz/Cargo.toml"))]
    names = set()
    for manifest in manifests:
        if manifest.exists():
            tables = tomllib.loads(manifest.read_text())
            for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
                names |= set(tables.get(kind, {}))
    names = {name for name in names if not OWN.match(name)}
    listed = set(re.findall(r"^\| `([\w-]+)` \|", text, re.M))
    for name in sorted(names - listed):
        wrong(f"docs/dependencies.md does not list {name}")
    for name in sorted(listed - names):
        wrong(f"docs/dependencies.md lists {name}, which no manifest names")
    print(f"       {len(names)} dependencies", flush=True)


def check_metrics(names):
    described = tasks()
    for name in sorted(names):
        # A histogram's three series are one metric.
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        if f"\n| `{name}` | " not in described and f"\n| `{family}` | " not in described:
            wrong(f"docs/tasks does not describe the metric {name}")
    print(f"       {len(names)} metrics", flush=True)


def check_demo():
    """`make run` does what the README says of it."""
    with tempfile.TemporaryDirectory(prefix="jomae-demo-") as temporary:
        environment = clean_environment() | {
            "JOMAE_BIN": str(BINARY),
            "JOMAE_DEMO_DIR": f"{temporary}/jomae-data",
            "JOMAE_DEMO_LISTEN": "127.0.0.1:0",
            "JOMAE_DEMO_ADMIN_LISTEN": "127.0.0.1:0",
            "JOMAE_DEMO_MIB": "8",
        }
        # Twice: the second time it finds key and data of the first.
        for attempt in ("first", "second"):
            done = subprocess.run(
                [REPOSITORY / "scripts/run-demo", "--once"],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=EXAMPLE_SECONDS_MAX,
                check=False,
            )
            if done.returncode != 0:
                wrong(f"scripts/run-demo --once, {attempt} run: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
                return
    print("       scripts/run-demo", flush=True)


def main():
    if not BINARY.is_file():
        sys.exit(f"{BINARY} is missing: run `cargo build -p jomae`, or set JOMAE_BIN")
    named = [Path(name).resolve() for name in sys.argv[1:]]
    metrics = set()
    for path in named or documents():
        metrics |= run_examples(path)
    if not named:
        check_demo()
        check_openapi()
        check_links()
        check_settings()
        check_actions()
        check_errors()
        check_dependencies()
        check_metrics(metrics)
    sys.exit(f"{len(problems)} problem(s)" if problems else 0)


if __name__ == "__main__":
    main()
