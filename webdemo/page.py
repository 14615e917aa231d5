"""The page itself."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template

from webdemo.model import model_of

blueprint = Blueprint("page", __name__)


@blueprint.get("/")
def index() -> str:
    """Show the page with the facts of its model."""
    return render_template(
        "index.html", model=model_of(current_app), max_upload=current_app.config["MAX_CONTENT_LENGTH"]
    )
