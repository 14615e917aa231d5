"""The page as people meet it: in Chromium."""

import base64
import re
import shutil
import urllib.parse
from decimal import ROUND_HALF_UP, Decimal

import pytest

from edge.preprocess import read_frame
from tests.requirements import missing_tool
from tests.webdemo.serving import serving

_DROP = """([target, kind, files]) => {
    const transfer = new DataTransfer();
    for (const [name, base64] of files) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    const event = kind === "paste"
        ? new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true})
        : new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true});
    document.querySelector(target).dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if found is None:
        missing_tool("Chromium is not installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    try:
        playwright = sync_playwright().start()
    except Exception as error:  # the driver's own node did not start, which has no error of its own
        missing_tool(f"Playwright's driver does not start: {error} (Debian: apt install libatomic1)")
    browser = playwright.chromium.launch(executable_path=found, args=["--disable-gpu"])
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture(scope="module")
def address(digits_run):
    with serving(digits_run) as (_, address):
        yield address


@pytest.fixture
def open_page(browser, address):
    """Return a function that opens the page in a fresh profile; at the end nothing was logged and nobody else asked."""
    contexts, complaints, asked = [], [], set()

    def open_(**settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.add(urllib.parse.urlsplit(request.url.removeprefix("blob:")).netloc))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    # Chromium itself notes each answer of 4xx; those are what the tests of errors provoke.
    assert [each for each in complaints if not re.search(r"the server responded with a status of 4\d\d", each)] == []
    assert asked == {urllib.parse.urlsplit(address).netloc}


def wait_for_answer(page):
    page.wait_for_selector("#result:not([hidden])")
    page.wait_for_selector("#answer[aria-busy=false]")


def percent(share):
    """As JavaScript's toFixed rounds: a tie goes up, where Python's goes to the even digit; 16 of 256 is one."""
    return f"{Decimal(share * 100).quantize(Decimal('0.1'), ROUND_HALF_UP)} %"


def assert_shows(page, predictions):
    wait_for_answer(page)
    assert page.inner_text("#label") == predictions[0].label
    assert page.inner_text("#confidence") == percent(predictions[0].confidence)
    rows = page.locator("#bars li")
    assert rows.count() == len(predictions)
    for row, prediction in zip(rows.all(), predictions, strict=True):
        assert row.locator(".name").inner_text() == prediction.label
        assert row.locator(".share").inner_text() == percent(prediction.confidence)
        full = row.locator(".bar").bounding_box()["width"]
        row.locator(".fill").evaluate("bar => Promise.all(bar.getAnimations().map((each) => each.finished))")
        filled = row.locator(".fill").bounding_box()["width"]
        assert filled == pytest.approx(max(2, full * prediction.confidence), abs=1)


def send(page, kind, files, target="#drop"):
    page.evaluate(_DROP, [target, kind, [(name, base64.b64encode(data).decode()) for name, data in files]])


def test_a_chosen_photo_gets_label_and_bars(open_page, classifier, photo_files):
    page = open_page()
    assert page.is_visible("#waiting")
    page.set_input_files("#photo", photo_files[0])
    assert_shows(page, classifier.classify(read_frame(photo_files[0]), 5))
    assert page.is_visible("#preview")
    assert page.evaluate("document.getElementById('preview').naturalWidth") == 32
    assert re.fullmatch(r"model_int8\.tflite took \d+\.\d ms, decoding included\.", page.inner_text("#facts"))
    page.set_input_files("#photo", photo_files[5])
    second = classifier.classify(read_frame(photo_files[5]), 5)
    page.wait_for_function("label => document.getElementById('label').textContent === label", arg=second[0].label)
    assert_shows(page, second)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_dropped_or_pasted_photo_too(open_page, classifier, photo_files, kind):
    page = open_page()
    send(page, kind, [("photo.png", photo_files[2].read_bytes())], target="#drop" if kind == "drop" else "body")
    assert_shows(page, classifier.classify(read_frame(photo_files[2]), 5))


def test_of_several_dropped_photos_the_first_is_taken_and_that_is_said(open_page, classifier, photo_files):
    page = open_page()
    send(page, "drop", [(f"{n}.png", photo_files[n].read_bytes()) for n in (4, 1)])
    assert_shows(page, classifier.classify(read_frame(photo_files[4]), 5))
    assert page.inner_text("#facts").startswith("The first of 2 photos.")


def test_dragging_over_shows_where_to_drop(open_page):
    page = open_page()
    send(page, "dragover", [])
    assert "over" in page.get_attribute("#drop", "class").split()
    send(page, "dragleave", [])
    assert "over" not in page.get_attribute("#drop", "class").split()


def test_the_keyboard_is_enough(open_page, photo_files):
    page = open_page()
    page.on("filechooser", lambda _: None)  # else the first chooser may open before playwright has asked for it
    for _ in range(2):  # past the link home
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "photo"
    assert page.evaluate("getComputedStyle(document.getElementById('drop')).outlineStyle") == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photo_files[0])
    wait_for_answer(page)


def test_errors_are_shown_in_words_and_the_next_photo_works(open_page, classifier, photo_files, encoded):
    page = open_page()
    half = encoded["JPEG"][: len(encoded["JPEG"]) // 2]
    for name, data, words in [
        ("notes.txt", b"hello", "Expected a photo as JPEG, PNG, WebP, BMP or GIF"),
        ("half.jpg", half, "This JPEG is damaged or cut short"),
        ("empty.png", b"", "Expected a photo"),
    ]:
        page.set_input_files("#photo", {"name": name, "mimeType": "image/png", "buffer": data})
        page.wait_for_function("words => document.getElementById('error').innerText.includes(words)", arg=words)
        assert page.is_visible("#error")
        assert not page.is_visible("#result")
        assert not page.is_visible("#verdict")
    page.set_input_files("#photo", photo_files[0])
    assert_shows(page, classifier.classify(read_frame(photo_files[0]), 5))
    assert not page.is_visible("#error")


def test_a_file_over_the_limit_is_not_even_sent(open_page):
    page = open_page()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate("document.getElementById('upload').dataset.maxBytes = 1000")
    page.set_input_files("#photo", {"name": "x.png", "mimeType": "image/png", "buffer": bytes(200_000)})
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error").startswith("This file has 0.2 MB, at most 0.0 MB are taken")
    assert [url for url in sent if "/api/" in url] == []


def test_a_server_that_is_gone_is_said(browser, digits_run, photo_files):
    page = browser.new_page()
    with serving(digits_run) as (process, address):
        page.goto(address)
        process.terminate()
        assert process.wait(timeout=20) == 0
    page.set_input_files("#photo", photo_files[0])
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error") == "The server does not answer. Is it still running?"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_on_a_narrow_screen(open_page, photo_files, scheme):
    page = open_page(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page.set_input_files("#photo", photo_files[0])
    wait_for_answer(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", ground))) / 3
    assert (brightness > 200) if scheme == "light" else (brightness < 50)
