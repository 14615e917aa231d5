"""What programs ask: POST /api/predict and GET /healthz."""

from __future__ import annotations

import re
import threading
from http import HTTPStatus
from typing import Any

from flask import Blueprint, current_app, request
from werkzeug.exceptions import ServiceUnavailable

from webdemo.model import Answer, model_of
from webdemo.refusals import Refusal

_DEFAULT_TOP_K = 5
_MAX_WAIT_S = 10  # for a place among the uploads in memory


def create_blueprint(max_uploads: int) -> Blueprint:
    """Return the API, which holds at most `max_uploads` uploads in memory at once."""
    blueprint = Blueprint("api", __name__)
    places = threading.BoundedSemaphore(max_uploads)

    @blueprint.post("/api/predict")
    def predict() -> dict[str, Any]:
        """Classify the photos in the field `image`."""
        if not places.acquire(timeout=_MAX_WAIT_S):
            raise ServiceUnavailable(retry_after=1)
        try:
            return _predict()
        finally:
            places.release()

    @blueprint.get("/healthz")
    def healthz() -> dict[str, Any]:
        """Tell that the server answers, and with which model."""
        return {"status": "ok", "model": model_of(current_app).name}

    return blueprint


def _predict() -> dict[str, Any]:
    """Read the upload and answer for each photo, or refuse it whole."""
    model = model_of(current_app)
    # A form's file field that was left empty arrives as a file without name and bytes.
    photos = [data for file in request.files.getlist("image") if (data := file.read()) or file.filename]
    if not photos:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "no_image", "Expected a photo as a file in the multipart field image, got none."
        )
    top_k = _read_top_k()
    results = []
    for number, data in enumerate(photos, 1):
        try:
            answer = model.answer(data, top_k, current_app.config["MAX_PIXELS"])
        except Refusal as refusal:
            if len(photos) > 1:
                refusal.description = f"Image {number} of {len(photos)}: {refusal.description}"
            raise
        results.append(_to_json(answer))
    return {"model": model.name, **results[0]} if len(results) == 1 else {"model": model.name, "results": results}


def _read_top_k() -> int:
    """Return top_k from the address or the form."""
    text = request.values.get("top_k", str(_DEFAULT_TOP_K))
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_top_k", "Expected top_k to be a whole number of at least 1.")
    return int(text)


def _to_json(answer: Answer) -> dict[str, Any]:
    """Return one photo's part of the answer."""
    predictions = [
        {"label": each.label, "index": each.index, "confidence": each.confidence} for each in answer.predictions
    ]
    return {"predictions": predictions, "latency_ms": round(answer.latency_ms, 3)}
