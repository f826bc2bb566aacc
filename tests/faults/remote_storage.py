"""A storage server in this process that can stop answering. It has the part of WebHDFS that reading needs."""

import contextlib
import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class WebHdfs:
    """WebHDFS server for the files in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._released = threading.Event()
        self._released.set()
        self._number = -1
        self.held = False  # whether a reader has been held
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "WebHdfs":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def files(self) -> list[Path]:
        """Returns the sorted paths of the files."""
        return sorted(self._folder.iterdir())

    def url(self, path: Path) -> str:
        """Returns the URL of a file."""
        return f"webhdfs://127.0.0.1:{self._server.server_port}/clips/{path.name}"

    def hold(self, number: int) -> None:
        """Holds all readers of the file with this number."""
        self._number = number
        self._released.clear()

    def release(self) -> None:
        """Releases held readers and answers from now on."""
        self._released.set()

    def read(self, path: Path, offset: int, length: int) -> bytes:
        """Returns a part of a file. Waits first if the file is held."""
        if self._number >= 0 and path.name == self.files()[self._number].name and not self._released.is_set():
            self.held = True
            self._released.wait()
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
                with contextlib.suppress(ConnectionError):  # the client may have ended
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler
