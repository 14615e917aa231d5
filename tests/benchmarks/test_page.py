import json
import sys
import threading

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from benchmarks import page
from benchmarks.page import ask, free_port, serving
from edge import UserError

# A page of the promised kind: argv is the port, and the exit code on SIGTERM.
PAGE = """
import signal, sys
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

@Request.application
def answer(request):
    return Response(status=200 if request.path == "/healthz" else 404)

def stop(*_):
    sys.exit(int(sys.argv[2]))

signal.signal(signal.SIGTERM, stop)
make_server("127.0.0.1", int(sys.argv[1]), answer).serve_forever()
"""


@pytest.fixture
def uploads():
    """Return what the server of `port` was sent."""
    return []


@pytest.fixture
def answers():
    """Return what the server answers, to be filled: (status, text)."""
    return []


@pytest.fixture
def port(uploads, answers):
    """Return the port of a server that keeps uploads and gives the answers."""

    @Request.application
    def application(request):
        image = request.files["image"]
        uploads.append((request.method, request.path, image.filename, image.read()))
        status, text = answers.pop(0)
        return Response(text, status)

    server = make_server("127.0.0.1", 0, application)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "000000.png"
    path.write_bytes(bytes(range(256)) * 40 + b"\r\n--")
    return path


def test_a_photo_arrives_byte_for_byte_and_the_best_answer_comes_back(port, uploads, answers, photo):
    best = {"label": "defective", "index": 0, "confidence": 0.8}
    other = {"label": "functional", "index": 1, "confidence": 0.2}
    answers.append((200, json.dumps({"model": "model_int8.tflite", "predictions": [best, other]})))
    assert ask(port, photo) == best
    assert uploads == [("POST", "/api/predict", "000000.png", photo.read_bytes())]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (415, '{"error": {"code": "not_an_image", "message": "no photo"}}'),
        (500, "<html>broken</html>"),
        (200, '{"predictions": []}'),
        (200, '{"predictions": [{"label": "a"}]}'),
        (200, '{"predictions": ["a"]}'),
        (200, "[]"),
    ],
)
def test_any_other_answer_is_an_error_that_shows_it(port, answers, photo, status, text):
    answers.append((status, text))
    with pytest.raises(UserError) as refused:
        ask(port, photo)
    assert str(status) in str(refused.value)
    assert text[:10] in str(refused.value)


def test_nobody_listens(photo):
    with pytest.raises(UserError, match="ConnectionRefusedError"):
        ask(free_port(), photo)


def test_a_page_lives_as_long_as_the_block(tmp_path):
    port = free_port()
    with serving([sys.executable, "-c", PAGE, str(port), "0"], port), pytest.raises(UserError, match="got 404"):
        ask(port, _small_file(tmp_path))
    with pytest.raises(UserError, match="ConnectionRefusedError"):
        ask(port, _small_file(tmp_path))


def test_a_page_that_fails_on_sigterm_is_an_error():
    port = free_port()
    with (
        pytest.raises(UserError, match="exit 0 on SIGTERM, got 3"),
        serving([sys.executable, "-c", PAGE, str(port), "3"], port),
    ):
        pass


def test_a_page_that_does_not_hear_sigterm_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr(page, "_STOP_S", 1)
    port = free_port()
    # It ends by itself too, lest it outlive a test that fails.
    deaf = PAGE.replace("def stop(*_):\n    sys.exit(int(sys.argv[2]))", "stop = signal.SIG_IGN\nsignal.alarm(60)")
    with (
        pytest.raises(UserError, match="within 1 s of SIGTERM; it had to be killed"),
        serving([sys.executable, "-c", deaf, str(port), "0"], port),
    ):
        pass
    with pytest.raises(UserError, match="ConnectionRefusedError"):
        ask(port, _small_file(tmp_path))


def test_a_page_that_does_not_start_is_an_error():
    with (
        pytest.raises(UserError, match="exited 7"),
        serving([sys.executable, "-c", "raise SystemExit(7)"], free_port()),
    ):
        pass


def test_an_error_in_the_block_ends_the_page_too(tmp_path):
    port = free_port()
    with pytest.raises(ZeroDivisionError), serving([sys.executable, "-c", PAGE, str(port), "0"], port):
        raise ZeroDivisionError
    with pytest.raises(UserError, match="ConnectionRefusedError"):
        ask(port, _small_file(tmp_path))


def _small_file(folder):
    path = folder / "photo.png"
    path.write_bytes(b"x")
    return path
