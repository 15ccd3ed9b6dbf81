"""`python -m sglang.launch_server` without a GPU: its command line and its HTTP by server.ts, a process of Node."""

import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    server = Path(__file__).parents[1] / "server.ts"
    # The pipe ends with this process, and the server with the pipe.
    with subprocess.Popen([os.environ["STANDIN_NODE"], server, *sys.argv[1:]], stdin=subprocess.PIPE) as process:
        sys.exit(process.wait())
