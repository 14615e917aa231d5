import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from edge.preprocess import read_frame
from tests.tree import ROOT
from tests.webdemo.serving import serving
from webdemo.__main__ import main


def post(address, photos, chunked):
    start = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
    body = b"".join(start + photo + b"\r\n" for photo in photos) + b"--b--\r\n"
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=20)
    connection.request(
        "POST",
        "/api/predict",
        iter([body]) if chunked else body,
        {"Content-Type": "multipart/form-data; boundary=b"},
        encode_chunked=chunked,
    )
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


@pytest.fixture(scope="module")
def address(digits_run):
    with serving(digits_run) as (_, address):
        yield address


@pytest.mark.parametrize("chunked", [False, True])
def test_answers_over_http(address, classifier, photo_files, large_jpeg, chunked):
    status, answer = post(address, [photo_files[0].read_bytes(), large_jpeg], chunked=chunked)
    assert status == 200
    best = classifier.classify(read_frame(photo_files[0]))[0]
    assert answer["results"][0]["predictions"][0] == {
        "label": best.label,
        "index": best.index,
        "confidence": best.confidence,
    }


@pytest.mark.parametrize("chunked", [False, True])
def test_a_too_large_upload_gets_its_answer_not_a_broken_line(address, chunked):
    status, answer = post(address, [bytes(20_000_000)], chunked=chunked)
    assert (status, answer["error"]["code"]) == (413, "too_large")


def test_says_little_about_itself(address):
    with urllib.request.urlopen(address, timeout=20) as response:
        assert response.headers["Server"] == "tinysight"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_it_cleanly(digits_run, number):
    with serving(digits_run) as (process, address):
        with urllib.request.urlopen(f"{address}healthz", timeout=20) as response:
            assert json.load(response) == {"status": "ok", "model": "model_int8.tflite"}
        where = urllib.parse.urlsplit(address)
        with socket.create_connection((where.hostname, where.port)):  # a browser's spare connection doesn't hold it up
            process.send_signal(number)
            assert process.wait(timeout=20) == 0
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_one_line(digits_run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--run", str(digits_run), "--port", str(port)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: Can't listen on 127.0.0.1 port {port}: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("host", ["not a host", "192.0.2.1", "::zz", "[::1]", "x" * 70])
def test_an_address_that_is_not_ours_is_one_line(digits_run, capsys, host):
    assert main(["--run", str(digits_run), "--port", "0", "--host", host]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: Can't listen on ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda run: shutil.rmtree(run), "train one: python -m train.run"),
        (lambda run: None, "convert: python -m convert.quantize"),
        (lambda run: (run / "model_int8.tflite").write_text("text"), "is neither"),
    ],
    ids=["no folder", "no model", "a text file"],
)
def test_a_run_that_cannot_serve_is_one_line(tmp_path, capsys, make, says):
    run = tmp_path / "run"
    run.mkdir()
    make(run)
    assert main(["--run", str(run), "--port", "0"]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "1e3", "8_000"])
def test_a_port_that_is_none_exits_2(port, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--port", port])
    assert stopped.value.code == 2
    assert "port from 0 to 65535" in capsys.readouterr().err


def test_without_stdout_it_still_ends_by_itself(digits_run):
    """A reader that left (`| head -0`) ends it instead of leaving a server that nobody can find."""
    command = [sys.executable, "-m", "webdemo", "--run", str(digits_run), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            process.stdout.close()
            assert process.wait(timeout=20) == 1
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()
