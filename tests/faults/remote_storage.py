"""Remote storage in this process that can stop answering: the part of WebHDFS that reading needs."""

import contextlib
import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class WebHdfs:
    """A server of the files in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._go_on = threading.Event()
        self._go_on.set()
        self._number = -1
        self.held = False  # whether a reader waits
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "WebHdfs":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()

    def files(self) -> list[Path]:
        """The files, sorted."""
        return sorted(self._folder.iterdir())

    def url(self, path: Path) -> str:
        """Where a file is."""
        return f"webhdfs://127.0.0.1:{self._server.server_port}/clips/{path.name}"

    def hold(self, number: int) -> None:
        """Let readers of the file of this number wait."""
        self._number = number
        self._go_on.clear()

    def let_go(self) -> None:
        """Answer from now on."""
        self._go_on.set()

    def read(self, path: Path, offset: int, length: int) -> bytes:
        """A part of a file, which may take as long as `hold` says."""
        if self._number >= 0 and path.name == self.files()[self._number].name and not self._go_on.is_set():
            self.held = True
            self._go_on.wait()
        return path.read_bytes()[offset : offset + length]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        storage = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked = urllib.parse.urlsplit(self.path)
                query = {name.lower(): value for name, value in urllib.parse.parse_qsl(asked.query)}
                path = storage._folder / asked.path.rpartition("/")[2]
                if query["op"] == "OPEN":
                    self._answer(storage.read(path, int(query["offset"]), int(query["length"])))
                elif query["op"] == "GETFILECHECKSUM":
                    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
                    self._answer(json.dumps({"FileChecksum": {"algorithm": "SHA-256", "bytes": checksum}}).encode())
                else:
                    facts = {"length": path.stat().st_size, "type": "FILE", "pathSuffix": ""}
                    self._answer(json.dumps({"FileStatus": facts}).encode())

            def _answer(self, content):
                with contextlib.suppress(ConnectionError):  # who asked may be gone
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler
