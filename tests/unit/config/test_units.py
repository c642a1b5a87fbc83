"""Sizes, durations and addresses as people write them."""

from __future__ import annotations

import pytest

from harvester.config.units import parse_duration, parse_size
from harvester.config.urls import flaw_of_url, is_loopback


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256MiB", 256 << 20),
        ("64MB", 64 * 10**6),
        ("1.5 KiB", 1536),
        ("1GB", 10**9),
        ("1GiB", 1 << 30),
        (" 7B ", 7),
        ("7", 7),
        (7, 7),
        ("2KB", 2000),
    ],
)
def test_a_size_is_read(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "-1", -1, "0.5B", "64 mb", "64mib", "1TB", "1e9", "9" * 400 + "GiB"]
)
def test_what_is_no_size_is_told_with_the_forms_as_they_are_written(text: str | int) -> None:
    with pytest.raises(ValueError, match="256MiB, 64MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30min", 1800), ("30m", 1800), ("6h", 21600), ("1d", 86400), ("0.5 h", 1800)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1h", "5", "1h30min", "1w", "inf", "nan s", "9" * 400 + "h"])
def test_what_is_no_duration_is_told_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="90s, 30min"):
        parse_duration(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org",
        "https://API.example.org:8443/ims/",
        "https://[2001:db8::1]/x",
        "https://example.org/a%20b/~c",
        "http://localhost",
        "http://LOCALHOST:1/x",
        "http://127.0.0.1:9",
        "http://127.9.9.9",
        "http://[::1]:80/x",
    ],
)
def test_an_address_over_tls_or_on_this_machine_is_taken(url: str) -> None:
    assert flaw_of_url(url) is None


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "localhost.example.org",
        "127.example.org",
        "127.0.0.1.example.org",
        "10.0.0.7",
        "[::1f]",
        "[2001:db8::1]",
        "0.0.0.0",
        "localhost@example.org",
    ],
)
def test_an_address_in_the_clear_that_only_looks_like_this_machine_is_refused(host: str) -> None:
    flaw = flaw_of_url(f"http://{host}/x")
    assert flaw is not None
    assert "in clear" in flaw[0]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org",
        "ftp://example.org",
        "https://",
        "https:///x",
        "https://[x",
        "https://[::1]example.org",
        "https://example.org[::1]",
        "https://example.org:",
        "https://exa%6Dple.org",
        "s3://b",
        "https://example.org:99999",
        "https://example.org:x",
        "https://u@example.org",
        "https://@example.org",
        "https://u:p@example.org",
        "https://example.org?",
        "https://example.org/?a=1",
        "https://example.org#",
        "https://exa mple.org",
        "https://example.org/å",
        "https://example.org/a\nb",
        "https://e.org\\@f.org",
    ],
)
def test_what_is_not_host_and_path_alone_is_refused(url: str) -> None:
    assert flaw_of_url(url) is not None


def test_this_machine_is_known_by_name_and_by_number() -> None:
    assert all(map(is_loopback, ["localhost", "LocalHost.", "127.0.0.1", "::1"]))
    assert not any(map(is_loopback, ["", "localhost2", "128.0.0.1", "::2", "127.1"]))
