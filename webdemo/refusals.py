"""Says no in words: every error as one sentence, in JSON under /api and on a page elsewhere."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, current_app, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException


class Refusal(HTTPException):
    """A request that can't be answered, with our own code and sentence.

    Attributes:
        code: The HTTP status.
        error_code: A word for programs, stable from release to release.
        description: One sentence for people: what was expected, what came, what to do.
    """

    def __init__(self, status: HTTPStatus, error_code: str, description: str) -> None:
        super().__init__(description)
        self.code = status.value
        self.error_code = error_code


def register(app: Flask) -> None:
    """Let `app` answer every error in words."""
    app.register_error_handler(HTTPException, _explain)


def _explain(error: HTTPException) -> ResponseReturnValue:
    """Answer with the error's status, its code and one sentence."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(error, Refusal):
        error_code, message = error.error_code, error.description or status.description
    else:
        error_code, message = _in_our_words(status)
    if f"{request.path}/".startswith("/api/"):
        response = jsonify(error={"code": error_code, "message": message})
    else:
        response = make_response(render_template("error.html", status=status, message=message))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response, status.value


def _in_our_words(status: HTTPStatus) -> tuple[str, str]:
    """Return code and sentence of an error that Flask or werkzeug raised."""
    if status is HTTPStatus.NOT_FOUND:
        return "not_found", "There is nothing at this address; the page is at / and the API at /api/predict."
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return "method_not_allowed", f"This address does not take {request.method}; see the header Allow."
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        megabytes, parts = current_app.config["MAX_CONTENT_LENGTH"] / 1e6, current_app.config["MAX_FORM_PARTS"]
        return "too_large", f"An upload may have {megabytes:g} MB and {parts} parts; send less."
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return "internal_error", "The server made a mistake; its log says which."
    return status.name.lower(), f"The request could not be read ({status.phrase.lower()})."
