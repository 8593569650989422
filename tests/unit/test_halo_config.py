"""Unit: where an instance is, and to whom secrets may be sent."""

import pytest

from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.config import HaloConfig


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://contoso.halopsa.com", "https://contoso.halopsa.com"),
        (" https://contoso.halopsa.com/api/ ", "https://contoso.halopsa.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_addresses_are_brought_into_one_form(url: str, kept: str) -> None:
    """Slashes and `/api` at the end go; http is for this machine."""
    assert HaloConfig(url=url, client_id="a", client_secret="b").url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.halopsa.com",
        "http://10.0.0.1",
        "http://localhost.example.test",
        "ftp://contoso.halopsa.com",
        "contoso.halopsa.com",
        "https://user:word@contoso.halopsa.com",
        "https://contoso.halopsa.com?x=1",
        "https://contoso.halopsa.com:no",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """Nothing is sent in the clear, or to what is no plain address, and a password in it is not repeated."""
    good = "https://contoso.halopsa.com"
    with pytest.raises(ConfigurationError, match=r"halo\.url: ") as caught:
        HaloConfig(url=url, client_id="a", client_secret="b")
    assert "word" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"halo\.auth_url: "):
        HaloConfig(url=good, auth_url=url, client_id="a", client_secret="b")


@pytest.mark.parametrize("header", [{"X Lift": "a"}, {"X-Lift": "a\r\nb"}, {"X-Lift": "ä"}])
def test_headers_that_cannot_be_sent_are_refused(header: dict[str, str]) -> None:
    """A header with a line break or a strange character is a mistake in the file; its value is not shown."""
    with pytest.raises(ConfigurationError, match="plain ASCII"):
        HaloConfig(url="https://contoso.halopsa.com", client_id="a", client_secret="b", headers=header)
