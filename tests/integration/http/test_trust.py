"""Where the client goes and whom it trusts: URLs, headers, TLS, proxies; over real sockets on loopback."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harvester.errors import ConfigError
from harvester.http import messages
from harvester.http.client import HttpTransport
from tests.integration.http.servers import OK, answering, raw_server, send

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.example/users", "in the clear"),
        ("http://127.0.0.1.evil.example/", "in the clear"),
        ("http://10.0.0.1/", "in the clear"),
        ("ftp://api.example/", "https://"),
        ("https:///users", "https://"),
        ("https://user:s3cret@api.example/", "user name"),
        ("https://api.example/a b", "percent-encoded"),
        ("https://api.example/a\r\nX: y", "percent-encoded"),
        ("https://api.example/å", "percent-encoded"),
        ("https://[::1/", "can't be read"),
    ],
)
async def test_a_url_that_may_not_be_asked_is_refused(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        await send(url)
    assert "s3cret" not in str(caught.value)


async def test_a_line_break_in_a_header_is_refused_without_quoting_it() -> None:
    async with raw_server(answering(OK)) as base:
        with pytest.raises(ConfigError) as caught:
            await send(base, headers={"Authorization": "Bearer s3cret\r\nX: y"})

    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, secret


def served_with(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    async with raw_server(answering(OK), served_with(certificate)) as base:
        reply = await send(base)

    assert (reply.status, reply.error) == (0, messages.UNTRUSTED)


async def test_a_named_authority_is_trusted_for_its_host_alone(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    async with raw_server(answering(OK), served_with(certificate)) as base:
        ours = {"ca_file": certificate[0]}
        assert (await send(base, transport=ours)).status == 200
        other = base.replace("127.0.0.1", "localhost")
        assert (await send(other, transport=ours)).error == messages.UNTRUSTED

    assert not keys.exists()


async def test_tls_older_than_1_2_is_refused(certificate: tuple[Path, Path]) -> None:
    old = served_with(certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with raw_server(answering(OK), old) as base:
        reply = await send(base, transport={"ca_file": certificate[0]})

    assert reply.status == 0
    assert reply.error in (messages.TLS_FAILED, messages.RESET)


def test_a_file_without_certificates_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match="no certificates"):
            HttpTransport(ca_file=tmp_path / name)


async def test_a_proxy_is_used_only_when_asked_and_never_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    refusal = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(refusal, seen=seen)) as proxy, raw_server(answering(OK)) as base:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "direct.invalid")
        obeying = {"trust_env": True}
        assert (await send("https://api.invalid/", transport=obeying)).error == messages.PROXY
        assert seen == [b"CONNECT api.invalid:443 HTTP/1.1"]
        assert (await send("https://direct.invalid/", transport=obeying)).error == messages.UNKNOWN_NAME
        assert (await send("https://api.invalid/")).error == messages.UNKNOWN_NAME
        assert (await send(base, transport=obeying)).status == 200
