import re

from benchmarks.choice import Limits, choose
from benchmarks.compare_page import render_page
from benchmarks.compare_table import choose_columns
from tests.benchmarks.test_choice import ALL, candidate
from tests.page import Page

NONE = Limits()


def render(candidates, limits=NONE, machine="X, 4 cores"):
    return render_page(choose(candidates, limits), choose_columns(candidates), limits, machine, "2026-11-25")


def test_the_page_needs_nothing_but_itself():
    text = render([*ALL, candidate(dataset="trash")])
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.elements}
    addresses = [attributes[name] for _, attributes in page.elements for name in ("src", "href") if name in attributes]
    assert [address[:5] for address in addresses] == ["data:", "data:"]  # a picture a data set
    assert page.open == []
    assert "http" not in re.sub(r"base64,[\w+/=]+|http-equiv", "", text)
    assert "default-src 'none'" in text


def test_it_says_what_to_take_and_what_the_others_broke():
    text = render(ALL, Limits(max_latency_ms=5.0))
    assert "Take <strong><bdi>m.tflite of quick</bdi></strong>" in text
    assert "The most accurate of the 2 that keep to 5 ms; 2 don't." in text
    assert "<bdi>m.tflite of slow</bdi>: 9.000 ms, limit 5" in text
    (row,) = (row for row in text.split("<tr") if ">untimed<" in row)
    assert "\N{EN DASH}" in row


def test_nothing_fits_and_nothing_is_measured():
    assert "No file keeps to 1 ms." in render(ALL, Limits(max_latency_ms=1.0))
    text = render([candidate(None, None)], machine=None)
    assert "Nothing to choose from" in text
    assert "Nobody measured latencies yet" in text
    assert "data:image" not in text


def test_names_of_others_are_text():
    text = render([candidate(run="<script>alert(1)</script>", dataset="<img src=x>")])
    assert "script" not in {tag for tag, _ in Page(text).elements}
    assert "&lt;script&gt;" in text


def test_slower_than_float_is_loud():
    text = render([candidate(latency_ratio=3.2)])
    assert re.search(r'class="[^"]*worse[^"]*">3\.20x SLOWER<', text)
