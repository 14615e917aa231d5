import pytest

from benchmarks.marks import put_between_marks
from edge import UserError


def test_what_stands_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "PAGE.md"
    page.write_text("# Title\n\n<!-- sizes -->\nold\n<!-- end of sizes -->\n\n<!-- other -->\nThe rest.\n")
    put_between_marks(page, "sizes", "new\nlines")
    assert page.read_text() == (
        "# Title\n\n<!-- sizes -->\nnew\nlines\n<!-- end of sizes -->\n\n<!-- other -->\nThe rest.\n"
    )


@pytest.mark.parametrize("content", ["none", "<!-- a -->", "<!-- end of a --><!-- a -->", "<!-- a -->" * 2, None])
def test_a_file_without_marks_stays_as_it_is(tmp_path, content):
    page = tmp_path / "PAGE.md"
    if content is not None:
        page.write_text(content)
    with pytest.raises(UserError, match=r"once each|could not read it"):
        put_between_marks(page, "a", "new")
    assert (page.read_text() if page.exists() else None) == content
