"""Serves a page that classifies photos with a run's model: `python -m webdemo`.

Prints the page's address once it listens. SIGTERM and Ctrl-C end it with exit code 0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edge.command import add_num_threads_flag, add_run_flag, command, parser

_WAIT_FOR_MODEL_S = 5.0


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until a signal ends it."""
    flags = parser("python -m webdemo", "Serve a page that classifies photos with a run's model, int8 if it has one.")
    add_run_flag(flags)
    flags.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets the whole network in")
    flags.add_argument("--port", type=_port, default=8000, metavar="N", help="port to listen on; 0 takes any free one")
    add_num_threads_flag(flags)
    args = flags.parse_args(argv)

    from webdemo.app import create_app
    from webdemo.model import model_of
    from webdemo.server import address_of, listen, serve

    with listen(args.host, args.port) as listening:
        app = create_app({"RUN": args.run, "NUM_THREADS": args.num_threads, "HOST": args.host})
        model = model_of(app)

        def announce() -> None:
            print(
                f"{model.name} of {model.run} answers on {address_of(listening, args.host)} (Ctrl-C ends it)",
                flush=True,
            )

        serve(app, listening, announce)
        model.wait_until_idle(_WAIT_FOR_MODEL_S)  # the runtime must not be torn down in the middle of a photo
    return 0


def _port(text: str) -> int:
    """Parse a TCP port, as an argparse type."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
