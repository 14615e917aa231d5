from webdemo.app import create_app


def test_shows_the_models_facts(client, classifier):
    page = client.get("/").text
    for fact in (
        "model_int8.tflite",
        classifier.path.parent.resolve().name,
        "32 \N{MULTIPLICATION SIGN} 32",
        classifier.runtime,
    ):
        assert fact in page


def test_text_from_a_model_file_is_escaped(digits_run, monkeypatch):
    app = create_app({"RUN": digits_run})
    monkeypatch.setattr(app.extensions["webdemo.model"], "scheme", "<script>alert(1)</script>")
    page = app.test_client().get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_all_that_it_loads_is_served_here(client):
    page = client.get("/").text
    assert "//" not in page.replace("http://localhost/api/predict", "")
    for path in ("/static/page.js", "/static/style.css", "/static/icon.svg"):
        assert path in page
        assert client.get(path, buffered=True).status_code == 200
