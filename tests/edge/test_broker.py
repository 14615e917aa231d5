import errno
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.broker import PASSWORD, Broker, make_context, parse_broker, say_why
from edge.errors import UserError

ANY = st.text(st.characters())  # those too that a command line's odd bytes become


@pytest.mark.parametrize(
    ("text", "broker"),
    [
        ("mqtt://host", Broker("host", 1883, None, False, "tinysight")),
        ("mqtt://me@host:99/house/door", Broker("host", 99, "me", False, "house/door")),
        ("mqtts://10.0.0.2/a", Broker("10.0.0.2", 8883, None, True, "a")),
        ("mqtt://a%40b@[::1]/t%20u/", Broker("::1", 1883, "a@b", False, "t u")),
    ],
)
def test_addresses_are_read(text, broker):
    assert parse_broker(text) == broker


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host", "Expected --mqtt mqtt://user@host"),
        ("http://host/x", "Expected --mqtt mqtt://user@host"),
        ("mqtt://", "Expected --mqtt mqtt://user@host"),
        ("mqtt://host:port/x", "Expected --mqtt mqtt://user@host"),
        ("mqtt://host/a?b=c", "Expected --mqtt mqtt://user@host"),
        ("mqtt://host/a/+/b", "without [+] and #"),
        ("mqtt://a..b/x", "Expected --mqtt mqtt://user@host"),
        ("mqtts://.host/x", "Expected --mqtt mqtt://user@host"),
        ("mqtt://me:hush/more@host/x", "host or port can't be read"),
        ("me:hush@host/x", "Expected --mqtt mqtt://user@host"),
        ("mqtt://me:hush@host/x", f"holds a password.*{PASSWORD}"),
    ],
)
def test_what_is_no_address_is_one_line(text, message):
    with pytest.raises(UserError, match=message) as refusal:
        parse_broker(text)
    assert "\n" not in str(refusal.value)
    assert "hush" not in str(refusal.value)


@given(ANY | ANY.map("mqtt://".__add__))
def test_any_text_is_an_address_or_one_line(text):
    read = refuse = None
    try:
        read = parse_broker(text)
    except UserError as error:
        refuse = str(error)
    assert (read.host and read.topic) if read else len(refuse.splitlines()) == 1


def test_an_own_ca_is_for_tls(tmp_path):
    assert parse_broker("mqtts://host", tmp_path / "ca.pem").ca == tmp_path / "ca.pem"
    with pytest.raises(UserError, match="--mqtt-ca is for mqtts://"):
        parse_broker("mqtt://host", tmp_path / "ca.pem")


@pytest.mark.parametrize(("content", "message"), [(None, "No such file or directory"), ("no PEM", "got none")])
def test_a_ca_that_is_none_is_one_line(content, message, tmp_path):
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(UserError, match=rf"Expected a CA's certificate.*ca\.pem.*{message}.*name another --mqtt-ca"):
        make_context(Broker("host", 1, None, True, "t", ca))


def test_a_broker_is_checked_for_its_signature_and_its_name():
    context = make_context(Broker("host", 1, None, True, "t"))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "can't reach it: Connection refused"),
        (TimeoutError("timed out"), "can't reach it"),
        (None, "can't reach it"),
    ],
)
def test_an_error_is_put_into_words(error, expected):
    assert say_why(error, Broker("host", 1, None, False, "t")) == (expected, False)
