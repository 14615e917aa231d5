import base64
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text

from benchmarks.choice import Limits, choose
from benchmarks.pareto_plot import draw_plane, to_data_uri
from tests.benchmarks.test_choice import candidate

NONE = Limits()
CROWD = [
    candidate(0.7 + 0.01 * number, 2.0 + number / 10, 1_000_000 * (1 + number % 4), run=f"r{number % 3}", num_threads=1)
    for number in range(12)
]


def plane(candidates, limits=NONE):
    return draw_plane(choose(candidates, limits)[0], limits)


def test_a_dot_a_file_as_large_as_the_file():
    figure = plane([candidate(0.8, 2.0, 4_000_000), candidate(0.9, 8.0, 1_000_000), candidate(0.9, None)])
    first, second = figure.axes[0].collections[:2]
    assert first.get_offsets().tolist() == [[2.0, 0.8]]
    assert second.get_offsets().tolist() == [[8.0, 0.9]]
    assert first.get_sizes()[0] == pytest.approx(4 * second.get_sizes()[0])  # area, not width


def test_the_front_is_a_line_from_the_fastest():
    figure = plane([candidate(0.8, 2.0), candidate(0.7, 3.0), candidate(0.9, 8.0)])
    (line,) = (line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-")
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([2.0, 8.0], [0.8, 0.9])


def test_labels_cover_neither_one_another_nor_the_edge():
    figure = plane(CROWD)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [each for each in figure.axes[0].texts if isinstance(each, Annotation)]
    boxes = [Text.get_window_extent(label, canvas.get_renderer()) for label in labels]
    assert len(boxes) >= 6
    assert not [1 for n, box in enumerate(boxes) for other in boxes[:n] if box.overlaps(other)]
    edge = figure.axes[0].get_window_extent()
    assert all(edge.x0 <= box.x0 and box.x1 <= edge.x1 for box in boxes)


def test_nothing_measured_is_no_picture():
    assert plane([candidate(latency_ms=None), candidate(accuracy=None)]) is None


def test_the_picture_is_one_svg_in_the_colours_of_its_page():
    uri = to_data_uri(plane(CROWD, Limits(max_latency_ms=3.0, min_accuracy=0.75)))
    start = "data:image/svg+xml;base64,"
    assert uri.startswith(start)
    svg = base64.b64decode(uri.removeprefix(start)).decode()
    root = ElementTree.fromstring(svg)
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "accuracy" in texts
    assert {"r0", "r1", "r2", "int8"} <= {*texts}
    assert "prefers-color-scheme:dark" in svg
    assert "#14201f" not in svg.partition("</style>")[2]
    assert "http" not in svg.replace("http://www.w3.org/", "")
    assert uri == to_data_uri(plane(CROWD, Limits(max_latency_ms=3.0, min_accuracy=0.75)))


def test_one_point_alone():
    assert to_data_uri(plane([candidate(0.0, 1.0)]))
