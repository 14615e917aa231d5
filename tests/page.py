"""Takes an HTML page apart, for the tests of reports."""

from html.parser import HTMLParser

# Elements that have no end of their own.
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Takes a page apart: its elements, and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes what isn't open"

    def handle_data(self, data):
        self.text += data

    @property
    def words(self):
        return " ".join(self.text.split())
