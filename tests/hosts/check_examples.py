#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the files of examples/hosts/ are accepted by their programs: `make check-examples`.

Each file is checked by its own program, in a network namespace of its own. If the program is not
available, the file is checked by its schema. One line is printed for each check. The last line has
the counts.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples" / "hosts"
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parents[1] / "build")).resolve()
PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
# nginx opens its port even with -t.
ISOLATED = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net", "--"]
SEED = "sticky-seed 1\n0123456789abcdef\n"


class Skipped(Exception):
    pass


def run(*words):
    """Run a command. Returns its error messages, or None if it succeeds."""
    if not shutil.which(str(words[0]), path=PATH):
        raise Skipped(f"{words[0]} is not installed")
    result = subprocess.run([*map(str, words)], check=False, capture_output=True, text=True,
                            env={**os.environ, "PATH": PATH})
    return None if result.returncode == 0 else (result.stderr + result.stdout).strip()


def isolated(program, *words):
    if not shutil.which(program, path=PATH):
        raise Skipped(f"{program} is not installed")
    return run(*ISOLATED, program, *words)


def copy(path, place, *changes):
    """Make a copy of an example whose paths lead to a directory of the check."""
    text = path.read_text()
    for old, new in (("/run/", f"{place}/"), *changes):
        text = text.replace(old, new)
    target = place / path.name
    target.write_text(text)
    return target


def check_haproxy(path, place):
    return isolated("haproxy", "-c", "-f", copy(path, place))


def check_nginx(path, place):
    module = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not module.exists():
        raise Skipped("libnginx-mod-stream is not installed")
    return isolated("nginx", "-t", "-q", "-e", "stderr", "-c", copy(path, place))


def check_stickyctl(path, place):
    seed = place / "seed"
    seed.write_text(SEED)
    seed.chmod(0o600)
    return run(BUILD / "stickyctl", "check", "-c",
               copy(path, place, ("/etc/sticky/seed", str(seed)),
                    ("command: [node,", "command: [sh,")))


def check_keepalived(path, place):
    """keepalived needs a network device of this name."""
    script = f"ip link add eth0 type veth && exec keepalived -t -f {copy(path, place)}"
    if not shutil.which("keepalived", path=PATH):
        raise Skipped("keepalived is not installed")
    return run(*ISOLATED, "sh", "-c", script)


def check_shell(path, _):
    return run("sh", "-n", path)


def check_by_schema(name):
    def check(path, _):
        modules = BUILD / "tests" / "hosts" / name
        if not (modules / "installed").exists():
            raise Skipped(f"no packages of npm for {name}")
        return run("node", HERE / name / "check.mjs", modules, path)
    return check


def check_mistake(name, path, old, new):
    """Check that a mistake is found: a schema that accepted everything would prove nothing."""
    def check(_, place):
        text = path.read_text()
        assert old in text
        broken = place / path.name
        broken.write_text(text.replace(old, new))
        return None if check_by_schema(name)(broken, place) else f"'{new}' is accepted"
    return check


CHECKS = {"haproxy*.cfg": check_haproxy, "nginx*.conf": check_nginx,
          "keepalived.conf": check_keepalived, "web*.yaml": check_stickyctl,
          "*.sh": check_shell, "envoy.yaml": check_by_schema("envoy"),
          "kubernetes/*.yaml": check_by_schema("kubernetes")}
MISTAKES = {
    "a mistake in a manifest": check_mistake(
        "kubernetes", EXAMPLES / "kubernetes" / "deployment.yaml", "failureThreshold",
        "failureTreshold"),
    "a mistake in envoy.yaml": check_mistake(
        "envoy", EXAMPLES / "envoy.yaml", "source_ip", "source_addr"),
}


def checks():
    for pattern, check in CHECKS.items():
        for path in sorted(EXAMPLES.glob(pattern)):
            yield str(path.relative_to(EXAMPLES)), check, path
    for name, check in MISTAKES.items():
        yield name, check, None


def main():
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for name, check, path in checks():
        with tempfile.TemporaryDirectory(prefix="sticky-examples-") as place:
            try:
                wrong = check(path, pathlib.Path(place))
                state = "FAIL" if wrong else "ok"
            except Skipped as reason:
                wrong, state = str(reason), "skip"
        counts[state] += 1
        print(f"{state:4} {name}{': ' + wrong if wrong else ''}", flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
