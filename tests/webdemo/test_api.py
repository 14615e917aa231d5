import io
import itertools
import re
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge import Classifier
from edge.preprocess import decode, read_frame
from tests.webdemo.jpegs import repeat_last_scan
from webdemo import api, model
from webdemo.app import create_app

NAMES = [
    "../../../etc/passwd",
    "C:\\windows\\system32\\cmd.exe",
    "<script>alert(1)</script>.png",
    "a\r\nSet-Cookie: b=c",
    "\x00.png",
    "{{7*7}}.jpg",
    "'; DROP TABLE photos; --",
    "photo.exe",
    "\u202egnp.exe",
    "x" * 5_000,
]


def ask(client, *photos, query="", **fields):
    parts = [(io.BytesIO(data), f"{number}.png") for number, data in enumerate(photos)]
    return client.post(f"/api/predict{query}", data={"image": parts, **fields})


def expected(classifier, data, top_k=5):
    return [
        {"label": each.label, "index": each.index, "confidence": each.confidence}
        for each in classifier.classify(decode(data), top_k)
    ]


def assert_refused(response, status, code):
    assert response.status_code == status
    error = response.get_json()["error"]
    assert error.keys() == {"code", "message"}
    assert error["code"] == code
    assert error["message"].endswith((".", ")"))
    assert "\n" not in error["message"]


def test_answers_what_the_classifier_says(client, classifier, photo_files):
    for path in photo_files:
        answer = ask(client, path.read_bytes()).get_json()
        assert answer["model"] == "model_int8.tflite"
        assert answer["predictions"] == expected(classifier, path.read_bytes())
        assert answer["latency_ms"] > 0
        assert answer["predictions"][0]["label"] == classifier.classify(read_frame(path))[0].label


def test_takes_each_format_by_its_content_under_a_wrong_name(client, classifier, encoded):
    for data in encoded.values():
        answer = client.post("/api/predict", data={"image": (io.BytesIO(data), "notes.txt", "text/plain")})
        assert answer.get_json()["predictions"] == expected(classifier, data)


def test_takes_the_first_frame_of_an_animation(client, classifier):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    red = cv2.imencode(".png", np.full((40, 40, 3), (0, 0, 255), np.uint8))[1].tobytes()
    assert ask(client, stream.getvalue()).get_json()["predictions"] == expected(classifier, red)


def test_several_images_are_answered_in_their_order(client, classifier, photo_files):
    photos = [path.read_bytes() for path in photo_files[:4]]
    answer = ask(client, *photos).get_json()
    assert answer.keys() == {"model", "results"}
    assert [each["predictions"] for each in answer["results"]] == [expected(classifier, photo) for photo in photos]


@pytest.mark.parametrize("where", ["query", "form"])
@pytest.mark.parametrize(("asked", "given"), [(1, 1), (3, 3), (10, 10), (999, 10)])
def test_top_k(client, classifier, encoded, where, asked, given):
    request = {"query": f"?top_k={asked}"} if where == "query" else {"top_k": asked}
    answer = ask(client, encoded["PNG"], **request).get_json()
    assert answer["predictions"] == expected(classifier, encoded["PNG"], given)


@pytest.mark.parametrize("top_k", ["0", "-1", "1.5", "", "many", "\u0663", "9" * 5_000, "1 ", "nan"])
def test_a_bad_top_k_is_400(client, encoded, top_k):
    assert_refused(ask(client, encoded["PNG"], top_k=top_k), 400, "bad_top_k")


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"data": b"\xff\xd8\xff", "content_type": "image/jpeg"},
        {"data": {"image": "text, not a file"}},
        {"data": {"photo": (io.BytesIO(b"x"), "wrong-field.png")}},
        {"data": {"image": (io.BytesIO(), "")}},
        {"data": b"--x\r\n", "content_type": "multipart/form-data; boundary=y"},
        {"data": b"garbage", "content_type": "multipart/form-data"},
        {"json": {"image": "x"}},
    ],
    ids=["nothing", "raw", "text", "field", "left empty", "boundary", "no boundary", "json"],
)
def test_without_a_photo_it_is_400(client, request_body):
    assert_refused(client.post("/api/predict", **request_body), 400, "no_image")


@pytest.mark.parametrize("data", [b"", b"hello\n", b"%PDF-1.7", b"<svg xmlns=''/>", b"II*\0" + b"\0" * 64, b"BM"])
def test_what_is_no_photo_is_415(client, data):
    assert_refused(ask(client, data), 415, "not_an_image")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "GIF"])
def test_a_photo_cut_in_half_is_422_and_leaves_nothing_of_the_one_before(client, classifier, encoded, name):
    red = cv2.imencode(".jpg", np.full((90, 120, 3), (0, 0, 255), np.uint8))[1].tobytes()
    whole, half = encoded[name], encoded[name][: len(encoded[name]) // 2]
    assert ask(client, red).status_code == 200
    assert_refused(ask(client, half), 422, "damaged_image")
    assert ask(client, whole).get_json()["predictions"] == expected(classifier, whole)


def test_one_bad_image_among_good_ones_is_named_by_its_number(client, encoded):
    refused = ask(client, encoded["PNG"], b"no photo", encoded["GIF"])
    assert_refused(refused, 415, "not_an_image")
    assert refused.get_json()["error"]["message"].startswith("Image 2 of 3: ")


def test_too_many_pixels_are_refused_before_decoding(client, encoded, monkeypatch):
    monkeypatch.setattr(model.preprocess, "decode", lambda data: pytest.fail("decoded"))
    bomb = bytearray(encoded["PNG"])
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    assert_refused(ask(client, bytes(bomb)), 413, "too_many_pixels")


@pytest.fixture(scope="module")
def progressive(encoded):
    """Return the picture of `encoded`, 120 x 90, as a JPEG of 10 scans."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(encoded["PNG"])).save(stream, "JPEG", progressive=True)
    return stream.getvalue()


def test_the_largest_photo_may_have_the_10_scans_of_an_ordinary_progressive_jpeg(digits_run, classifier, progressive):
    client = create_app({"RUN": digits_run, "MAX_PIXELS": 120 * 90}).test_client()
    assert ask(client, progressive).get_json()["predictions"] == expected(classifier, progressive)
    assert_refused(ask(client, repeat_last_scan(progressive, 1)), 413, "too_many_scans")


def test_a_smaller_photo_may_have_more_scans_but_not_without_end(digits_run, classifier, progressive):
    client = create_app({"RUN": digits_run, "MAX_PIXELS": 3 * 120 * 90}).test_client()
    assert ask(client, repeat_last_scan(progressive, 20)).status_code == 200
    assert_refused(ask(client, repeat_last_scan(progressive, 21)), 413, "too_many_scans")
    client = create_app({"RUN": digits_run}).test_client()
    assert ask(client, repeat_last_scan(progressive, 90)).status_code == 200
    assert_refused(ask(client, repeat_last_scan(progressive, 91)), 413, "too_many_scans")


@pytest.mark.parametrize(("side", "times"), [(90, 200), (8_000, 200), (8_000, 1)])
def test_too_many_scans_are_refused_before_decoding(client, progressive, monkeypatch, side, times):
    monkeypatch.setattr(model.preprocess, "decode", lambda data: pytest.fail("decoded"))
    frame = progressive.index(b"\xff\xc2")  # then length, precision, height, width
    sized = progressive[: frame + 5] + side.to_bytes(2, "big") * 2 + progressive[frame + 9 :]
    refused = ask(client, repeat_last_scan(sized, times))
    assert_refused(refused, 413, "too_many_scans")
    assert "save it again as a baseline JPEG" in refused.get_json()["error"]["message"]


def test_a_model_that_fails_is_500_and_the_log_says_why(client, classifier, encoded, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "scores_of", lambda self, frame: np.full(10, np.nan, np.float32))
        failed = ask(client, encoded["PNG"])
        assert_refused(failed, 500, "model_failed")
        assert "NaN" not in failed.text
        assert str(classifier.path.parent) not in failed.text
        assert f"{classifier.path} gave scores that are not finite" in caplog.text
        assert_refused(ask(client, encoded["PNG"][:200]), 422, "damaged_image")  # the photo's fault all the same
    assert ask(client, encoded["PNG"]).get_json()["predictions"] == expected(classifier, encoded["PNG"])


def post_multipart(client, data, name=b"x"):
    """Send a body made by hand: Flask's client spools large files to disk and mends their names."""
    start = b'--b\r\nContent-Disposition: form-data; name="image"; filename="' + name + b'"\r\n\r\n'
    body = start + data + b"\r\n--b--\r\n"
    return client.post("/api/predict", data=body, content_type="multipart/form-data; boundary=b"), len(body)


def test_the_limit_is_the_last_byte_that_passes(digits_run, large_jpeg):
    _, length = post_multipart(create_app({"RUN": digits_run}).test_client(), large_jpeg)
    client = create_app({"RUN": digits_run, "MAX_CONTENT_LENGTH": length}).test_client()
    assert post_multipart(client, large_jpeg)[0].status_code == 200
    assert_refused(post_multipart(client, large_jpeg + b"\0")[0], 413, "too_large")


def test_too_many_parts_are_413(client, encoded):
    assert ask(client, *[encoded["PNG"]] * 32).status_code == 200
    assert_refused(ask(client, *[encoded["PNG"]] * 33), 413, "too_large")


def test_an_upload_never_touches_the_disk(client, large_jpeg, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert post_multipart(client, large_jpeg)[0].status_code == 200


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_file_name_is_neither_used_nor_echoed(client, encoded, name):
    for data, statuses in [
        (encoded["PNG"], {200, 400}),
        (b"text", {400, 415}),
    ]:  # 400: no name by the rules of multipart
        response, _ = post_multipart(client, data, name.encode())
        assert response.status_code in statuses
        said = response.text + str(response.headers)
        assert not any(part in said for part in re.findall(r"[\w./<>{}*]{4,}", name))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    magic=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF0000WEBPVP8 "]),
    rest=st.binary(max_size=300),
)
def test_random_bytes_are_the_callers_fault(client, magic, rest):
    response = ask(client, magic + rest)
    assert response.status_code in (200, 413, 415, 422)
    assert response.get_json().keys() & {"error", "model"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), content_type=st.sampled_from(["multipart/form-data; boundary=b", "text/plain"]))
def test_a_random_body_is_the_callers_fault(client, body, content_type):
    response = client.post("/api/predict", data=b"--b\r\n" + body, content_type=content_type)
    assert 400 <= response.status_code < 500
    assert response.get_json()["error"]["message"]


def test_four_threads_get_their_own_answers(app, classifier, photo_files):
    photos = [path.read_bytes() for path in photo_files]
    right = [expected(classifier, photo) for photo in photos]
    turns = list(itertools.islice(itertools.cycle(range(len(photos))), 200))
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda turn: ask(app.test_client(), photos[turn]).get_json(), turns))
    assert [each["predictions"] for each in answers] == [right[turn] for turn in turns]


def test_more_uploads_than_there_are_places_for_are_503(digits_run, encoded, monkeypatch):
    app = create_app({"RUN": digits_run, "MAX_UPLOADS": 1})
    monkeypatch.setattr(api, "_MAX_WAIT_S", 0.01)
    entered, leave = threading.Event(), threading.Event()
    answer = model.Model.answer

    def slow_answer(*arguments):
        entered.set()
        assert leave.wait(10)
        return answer(*arguments)

    monkeypatch.setattr(model.Model, "answer", slow_answer)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(ask, app.test_client(), encoded["PNG"])
        assert entered.wait(10)
        refused = ask(app.test_client(), encoded["PNG"])
        leave.set()
        assert first.result().status_code == 200
    assert_refused(refused, 503, "service_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert ask(app.test_client(), encoded["PNG"]).status_code == 200


def test_healthz_names_the_model(client):
    assert client.get("/healthz").get_json() == {"status": "ok", "model": "model_int8.tflite"}
