"""Asks a runtime of the browser, in headless Chromium: `chromium.py MODEL PHOTOS ANSWER PAGE MODULES CHROMIUM`.

PAGE is a script whose `answer(model, photos, shape)` gives scores and whether they are integers; MODULES the folder
node_modules, which is served beside it on loopback. No runtime of the browser has a way to the labels.
"""

import json
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

model, photos, answer, page, modules, chromium = sys.argv[1:]
with np.load(photos, allow_pickle=False) as file:
    images = np.ascontiguousarray(file["images"])
# Bare imports are resolved by the browser itself, so nothing is bundled.
HTML = """<!doctype html><meta charset="utf-8"><title>consumer</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {
    "@litertjs/core": "/modules/@litertjs/core/dist/index.js",
    "@litertjs/wasm-utils": "/modules/@litertjs/wasm-utils/dist/index.js",
    "onnxruntime-web/wasm": "/modules/onnxruntime-web/dist/ort.wasm.min.mjs"
}}</script>"""
ASK = "async (shape) => (await import('/page.js')).answer('/model', '/photos', shape)"
MADE = {
    "/": ("text/html", HTML.encode()),
    "/page.js": ("text/javascript", Path(page).read_bytes()),
    "/model": ("application/octet-stream", Path(model).read_bytes()),
    "/photos": ("application/octet-stream", images.tobytes()),
}


class Handler(SimpleHTTPRequestHandler):
    """Gives what is made here, and the files of node_modules."""

    def do_GET(self) -> None:
        if self.path in MADE:
            kind, content = MADE[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/modules"))

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=modules))
threading.Thread(target=server.serve_forever, daemon=True).start()
with sync_playwright() as playwright:
    # Chromium's own sandbox needs rights that root in a container hasn't; it meets nothing but our own server.
    browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu", "--no-sandbox"])
    tab = browser.new_page()
    tab.goto(f"http://127.0.0.1:{server.server_port}/")
    told = tab.evaluate(ASK, list(images.shape))
    seen = f"Chromium {browser.version.partition('.')[0]}"
    browser.close()
server.shutdown()
package = next(name for name in ("@litertjs/core", "onnxruntime-web") if name in Path(page).read_text(encoding="utf-8"))
version = json.loads(Path(modules, package, "package.json").read_text(encoding="utf-8"))["version"]
told |= {"version": f"{version}, {seen}", "labels": None}
Path(answer).write_text(json.dumps(told), encoding="utf-8")
