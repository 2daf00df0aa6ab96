"""python -m ui: open an index, follow its corpus folder, and serve the chat."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from pathlib import Path

from index import open_index
from index.encoding.loading import preload
from index.errors import ClippingsError
from index.library import default_path
from qa.reader import preload_reader


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ui", description="Ask your articles in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve at (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=7860, help="port to serve at (default: %(default)s)")
    parser.add_argument(
        "--index",
        default=default_path(),
        help="the index directory (default: $CLIPPINGS_INDEX, or .index)",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for library_name in ("httpx", "watchfiles", "faiss"):
        logging.getLogger(library_name).setLevel(logging.WARNING)
    try:
        preload(Path(options.index))  # while gradio loads
        preload_reader()
        library = open_index(options.index)
        from index.watching import watching
        from ui.app import create_app, serve  # late: gradio takes seconds, and errors above should show at once

        following = contextlib.nullcontext() if library.store.exported else watching(library.corpus, library.path)
        app = create_app(library)
        url = serve(app, options.host, options.port, wait=False)
        with following:  # only now, so that nothing is built if the port is in use
            print(f"Clippings is at {url} (Ctrl+C stops it)", flush=True)
            app.block_thread()
    except ModuleNotFoundError as error:
        print(f"The chat needs {error.name}. Run: pip install 'clippings[ui]'", file=sys.stderr)
        return 1
    except ClippingsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def port_number(text: str) -> int:
    """The number of a port, as typed on the command line."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
