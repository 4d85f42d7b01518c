"""A hub on the loopback: what the library datasets asks of one dataset of a few files, and files that break off."""

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40


class LoopbackHub(ThreadingHTTPServer):
    """Serves one dataset."""

    def __init__(self, name, files):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name, self.files = name, files  # {file: bytes}
        self.cut = {}  # {file: bytes after which its content ends}

    @property
    def settings(self):
        """The environment of a client."""
        url = f"http://127.0.0.1:{self.server_port}"
        return {"HF_ENDPOINT": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_OFFLINE": "0"}


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        files = self.server.files
        if match := re.fullmatch(rf"/datasets/{self.server.name}/resolve/[^/]+/(.+)", path):
            if match[1] in files:
                return self.send_file(match[1])
        elif re.search(r"/tree/[^/]+$", path):
            return self.send_json([self.entry(name) for name in files])
        elif re.fullmatch(rf"/api/datasets/{self.server.name}(/revision/[^/]+)?", path):
            return self.send_json({"id": self.server.name, "sha": COMMIT, "siblings": [], "tags": []})
        return self.send_head(404, 0, {"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    def entry(self, name):
        raw = self.server.files[name]
        return {"type": "file", "path": name, "size": len(raw), "oid": hashlib.sha1(raw).hexdigest()}

    def send_json(self, found):
        raw = json.dumps(found).encode()
        self.send_head(200, len(raw), {"Content-Type": "application/json"})
        if self.command == "GET":
            self.wfile.write(raw)

    def send_file(self, name):
        raw = self.server.files[name]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        first, last = (int(asked[1]), min(len(raw) - 1, int(asked[2]))) if asked else (0, len(raw) - 1)
        about = {"ETag": hashlib.sha1(raw).hexdigest(), "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if asked:
            about["Content-Range"] = f"bytes {first}-{last}/{len(raw)}"
        self.send_head(206 if asked else 200, last + 1 - first, about)
        if self.command == "GET":
            self.wfile.write(raw[first : last + 1][: self.server.cut.get(name)])
            self.close_connection = name in self.server.cut

    def send_head(self, code, size, about=()):
        self.send_response(code)
        for key, value in dict(about).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(size))
        self.end_headers()
