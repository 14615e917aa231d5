import pytest

from webdemo import model


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/predict/", "/api/%2e%2e/x"])
def test_under_api_what_is_not_there_is_json(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["/nothing", "/<script>alert(1)</script>", "/static/../app.py", "/static/nothing.js"])
def test_elsewhere_it_is_a_page_that_echoes_nothing(client, path):
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "<h1>Not Found</h1>" in response.text
    assert "alert" not in response.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_says_which_are_right(client, method):
    response = client.open("/api/predict", method=method)
    assert response.status_code == 405
    assert response.get_json()["error"]["code"] == "method_not_allowed"
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_mistake_of_ours_is_500_without_its_details(client, photo_files, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("a secret path")

    monkeypatch.setattr(model.Model, "answer", fail)
    response = client.post("/api/predict", data={"image": photo_files[0].open("rb")})
    assert response.status_code == 500
    assert response.get_json() == {
        "error": {"code": "internal_error", "message": "The server made a mistake; its log says which."}
    }
    assert "nosniff" in response.headers["X-Content-Type-Options"]
