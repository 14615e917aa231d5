"""Makes the application: `create_app(config)`. Nothing here serves it; see `server`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from webdemo import api, model, page, refusals, safety

DEFAULTS: dict[str, Any] = {
    "RUN": Path("runs/latest"),  # folder with the converted models
    "NUM_THREADS": 1,  # threads of the runtime
    "HOST": "127.0.0.1",  # the address it listens on, and so a name that a browser may call it by
    "MAX_CONTENT_LENGTH": 20_000_000,  # bytes of an upload; a 12-megapixel JPEG has 3 to 8 million
    "MAX_FORM_PARTS": 32,  # photos and fields of an upload
    "MAX_PIXELS": 64_000_000,  # of a photo, by its header; decoding takes 6 bytes for each, progressive JPEGs up to 11
    "MAX_UPLOADS": 8,  # in memory at once
}


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the page and its API, with the model loaded.

    Args:
        config: What differs from `DEFAULTS`, and any setting of Flask's.

    Raises:
        UserError: If the run's folder holds no model that loads.
    """
    app = Flask(__name__)
    app.config.from_mapping(DEFAULTS)
    app.config.from_mapping(config or {})
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it, its base class not
    app.extensions[model.EXTENSION] = model.open_model(Path(app.config["RUN"]), app.config["NUM_THREADS"])
    safety.protect(app)
    refusals.register(app)
    app.register_blueprint(page.blueprint)
    app.register_blueprint(api.create_blueprint(app.config["MAX_UPLOADS"]))
    return app
