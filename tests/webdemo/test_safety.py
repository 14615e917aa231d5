import pytest
from hypothesis import given
from hypothesis import strategies as st

from webdemo.app import create_app
from webdemo.safety import is_trusted

REQUESTS = [
    ("GET", "/", 200),
    ("GET", "/healthz", 200),
    ("GET", "/static/page.js", 200),
    ("GET", "/static/style.css", 200),
    ("HEAD", "/", 200),
    ("OPTIONS", "/api/predict", 200),
    ("POST", "/api//predict", 308),
    ("POST", "/api/predict", 400),
    ("GET", "/nothing", 404),
    ("GET", "/api/nothing", 404),
    ("POST", "/", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), REQUESTS)
def test_every_answer_carries_the_headers(client, method, path, status):
    response = client.open(path, method=method, buffered=True)
    assert response.status_code == status
    headers = response.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Set-Cookie" not in headers
    assert "Access-Control-Allow-Origin" not in headers


def test_every_route_is_among_those_that_were_asked(app):
    asked = {path for _, path, _ in REQUESTS}
    routes = {rule.rule for rule in app.url_map.iter_rules()}
    assert {rule for rule in routes if "<" not in rule} <= asked
    assert {rule for rule in routes if "<" in rule} == {"/static/<path:filename>"}


def test_a_too_large_upload_carries_the_headers_too(client):
    response = client.post("/api/predict", data=bytes(20_000_001), content_type="multipart/form-data; boundary=b")
    assert response.status_code == 413
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_only_static_files_may_be_kept(client):
    assert client.get("/").headers["Cache-Control"] == "no-store"
    assert client.get("/static/page.js", buffered=True).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("host", "listens_on", "trusted"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost:8000", "127.0.0.1", True),
        ("LOCALHOST:8000", "127.0.0.1", True),
        ("127.0.0.1:1", "127.0.0.1", True),
        ("[::1]:8000", "127.0.0.1", True),
        ("evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("localhost.evil.example:8000", "127.0.0.1", False),
        ("evil.example#localhost", "127.0.0.1", False),
        ("evil.example/localhost", "127.0.0.1", False),
        ("192.168.0.7:8000", "127.0.0.1", False),
        ("192.168.0.7:8000", "192.168.0.7", True),
        ("pi.local:8000", "pi.local", True),
        ("PI.local:8000", "Pi.local", True),
        ("192.168.0.7:8000", "0.0.0.0", True),
        ("[fe80::1]:8000", "::", True),
        ("evil.example:8000", "0.0.0.0", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
    ],
)
def test_who_may_call_us_by_which_name(host, listens_on, trusted):
    assert is_trusted(host, listens_on) is trusted


@given(host=st.text(max_size=40))
def test_any_host_header_has_an_answer(host):
    assert is_trusted(host, "127.0.0.1") in (True, False)


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/predict", "/static/page.js", "/nothing"])
def test_a_stranger_s_name_is_refused_everywhere(client, path):
    response = client.get(path, headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "evil" not in response.text
    assert "--host" in response.text


def test_the_host_that_was_given_is_trusted(digits_run):
    client = create_app({"RUN": digits_run, "HOST": "192.0.2.7"}).test_client()
    assert client.get("/", headers={"Host": "192.0.2.7:8000"}).status_code == 200
    assert client.get("/", headers={"Host": "192.0.2.8:8000"}).status_code == 400


def test_there_is_no_debug_mode(app):
    assert not app.debug
    assert not app.testing
