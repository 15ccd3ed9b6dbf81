"""Another program's HTTP server under the worker's rules; SGLang and sglang-router are started by it.

They do not end with their parent, take their port as it comes, and have their keys on the command line, where every
user of the machine can read them. Here: the program ends when standard input ends, with all that it started; it listens
on a free port of 127.0.0.1; keys come in the environment and are put among its arguments inside its process.

The program runs in a fork of this process, which only watches: sglang-router keeps Python's lock for as long as it
serves, so that no thread beside it runs. Needs fork, so not Windows, where neither program is to be had.

Usage: python -m apprentice_worker.foreign_server --ready-path /health [--secret=--api-key=VARIABLE] MODULE [flags]
Standard output has one line, {"type": "ready", "port": N}, once GET of the path answers 200; what the program prints
goes to standard error. `{port}` in a flag stands for another free port.
"""

import argparse
import ctypes
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
from contextlib import suppress
from typing import NoReturn

POLL_S = 0.25
"""Between two looks whether it answers. How long that may take in all, the supervisor decides."""
ANSWER_LIMIT_S = 30.0
PR_SET_PDEATHSIG = 1
"""Linux, `man 2 prctl`: the signal that a process gets when its parent ends."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(module: str, flags: list[str], secrets: list[str]) -> None:
    """Runs the module as `python -m` would, under its own name, in a process group of its own."""
    os.setsid()
    if sys.platform == "linux":
        # Also when this process's parent is killed and ends nothing any more.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    keys: list[str] = []
    for pair in secrets:
        flag, variable = pair.split("=", 1)
        keys += [flag, os.environ.pop(variable)]
    sys.argv = [module, *flags, *keys]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def answers(url: str) -> bool:
    """Does GET of the URL say 200?"""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_LIMIT_S) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tell_ready(url: str, port: int) -> None:
    """Writes the ready line as soon as the URL answers."""
    while not answers(url):
        time.sleep(POLL_S)
    os.write(1, (json.dumps({"type": "ready", "port": port}) + "\n").encode())


def end_with_parent(pid: int) -> None:
    """Ends the program when standard input ends: the parent's pipe, however the parent went."""
    while os.read(0, 4096):
        pass
    end(pid)


def end(pid: int) -> None:
    """Kills the program and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def watch(pid: int, url: str, port: int) -> NoReturn:
    """Ends as the program does."""
    threading.Thread(target=end_with_parent, args=(pid,), daemon=True).start()
    threading.Thread(target=tell_ready, args=(url, port), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # What it started and left behind.
    end(pid)
    os._exit(code if code >= 0 else 128 - code)


def main() -> None:
    """Reads the arguments and forks: one watches, one is the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready-path", required=True)
    parser.add_argument("--secret", action="append", default=[], help="--flag=VARIABLE")
    parser.add_argument("module")
    parser.add_argument("flags", nargs=argparse.REMAINDER)
    told = parser.parse_args()
    if sys.platform == "win32":
        sys.exit(f"{told.module} cannot be started by the worker on Windows; start it elsewhere and name its URL.")
    port = free_port()
    flags = [str(free_port()) if flag == "{port}" else flag for flag in told.flags]
    pid = os.fork()
    if pid == 0:
        run(told.module, [*flags, "--host", "127.0.0.1", "--port", str(port)], told.secret)
    else:
        watch(pid, f"http://127.0.0.1:{port}{told.ready_path}", port)


if __name__ == "__main__":
    main()
