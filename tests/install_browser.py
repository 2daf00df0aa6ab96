"""Find the Chromium that the browser tests drive, or install one.

Without arguments: find or install it, and in CI fail if neither works. With ``--marks``: print the mark
expression that pytest then needs. With ``--left-out``: say loudly what was not tested, if anything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

APT = (
    ["apt-get", "-qq", "update"],
    ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"],
)
PLAYWRIGHT = ([sys.executable, "-m", "playwright", "install", "chromium"],)
LEFT_OUT = """
**********************************************************************
*  THE BROWSER TESTS WERE LEFT OUT: no Chromium could be started.    *
*  Install one, or name it in CLIPPINGS_CHROMIUM, and test again.    *
**********************************************************************
"""


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for; the exit status is 1 only if CI would lack a browser."""
    if arguments == ["--marks"]:
        print("" if find_browser() else "not browser")
        return 0
    if arguments == ["--left-out"]:
        if not find_browser():
            print(LEFT_OUT)
        return 0
    browser = find_browser() or install_browser()
    print(browser or LEFT_OUT, flush=True)
    return 1 if not browser and os.environ.get("CI") == "true" else 0


def find_browser() -> str | None:
    """The first browser that starts: the one named, one of the system's, or Playwright's own."""
    return next((path for path in candidates() if starts(path)), None)


def candidates() -> Iterator[str]:
    """Where a browser may be, the most wanted first."""
    named = os.environ.get("CLIPPINGS_CHROMIUM")
    if named:
        yield named
        return
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            yield found
    from playwright.sync_api import sync_playwright  # late: most systems have answered by now

    with sync_playwright() as playwright:
        yield playwright.chromium.executable_path


def starts(path: str) -> bool:
    """Whether the program at ``path`` is a browser: distributions put stubs there that only explain."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install_browser() -> str | None:
    """Install Chromium from the distribution, which brings what it needs, or else Playwright's."""
    named = os.environ.get("CLIPPINGS_CHROMIUM")
    if named:
        print(f"CLIPPINGS_CHROMIUM names {named}, which does not start.", flush=True)
        return None
    as_root = os.geteuid() == 0 and shutil.which("apt-get")
    for commands in (APT, PLAYWRIGHT) if as_root else (PLAYWRIGHT,):
        for command in commands:
            print("No browser yet:", " ".join(command), flush=True)
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            if subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False).returncode:
                break
        browser = find_browser()
        if browser:
            return browser
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
