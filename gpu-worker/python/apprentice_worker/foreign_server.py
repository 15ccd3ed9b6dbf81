"""Another program's HTTP server under the worker's rules; SGLang and sglang-router are started by it.

They do not end with their parent, take their port as it comes, and have their keys on the command line, where every
user of the machine can read them. Here: it ends when standard input ends, and all that it started with it; it listens
on a free port of 127.0.0.1; keys come in the environment and are put among its arguments inside the process.

Usage: python -m apprentice_worker.foreign_server --ready-path /health [--secret=--api-key=VARIABLE] MODULE [flags]
Standard output has one line, {"type": "ready", "port": N}, once GET of the path answers 200; what the program prints
goes to standard error.
"""

import argparse
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

POLL_S = 0.25
"""Between two looks whether it answers. How long that may take in all, the supervisor decides."""
ANSWER_LIMIT_S = 30.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end_all() -> None:
    """Ends this process and every one that it started: it has a process group of its own (`main`)."""
    if sys.platform == "win32":
        os._exit(1)
    os.killpg(0, signal.SIGKILL)


def end_with(parent: int) -> None:
    """Returns never: reads the parent's pipe, which ends when the parent has ended, however it went."""
    while os.read(parent, 4096):
        pass
    end_all()


def answers(url: str) -> bool:
    """Does GET of the URL say 200?"""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_LIMIT_S) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tell_ready(url: str, port: int, out: int) -> None:
    """Writes the ready line as soon as the URL answers."""
    while not answers(url):
        time.sleep(POLL_S)
    os.write(out, (json.dumps({"type": "ready", "port": port}) + "\n").encode())


def main() -> None:
    """Runs the module as `python -m` would, under its own name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready-path", required=True)
    parser.add_argument("--secret", action="append", default=[], help="--flag=VARIABLE")
    parser.add_argument("module")
    parser.add_argument("flags", nargs=argparse.REMAINDER)
    told = parser.parse_args()

    if sys.platform != "win32":
        os.setsid()
    parent, out = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    port = free_port()
    secrets: list[str] = []
    for pair in told.secret:
        flag, variable = str(pair).split("=", 1)
        secrets += [flag, os.environ.pop(variable)]
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    url = f"http://127.0.0.1:{port}{told.ready_path}"
    threading.Thread(target=tell_ready, args=(url, port, out), daemon=True).start()

    sys.argv = [told.module, *told.flags, "--host", "127.0.0.1", "--port", str(port), *secrets]
    try:
        runpy.run_module(told.module, run_name="__main__", alter_sys=True)
    finally:
        # The exit code tells what happened; what the program leaves behind goes with it.
        if sys.platform != "win32":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main()
