"""A certificate authority of one run: made when it begins, gone with its processes; and who is told to trust it.

Its key, and the one that its certificates share, are kept in memory. Loaded only where a proxy was asked for: it needs
`cryptography`, the extra `proxy` of this package.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Iterator, Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agenttrace.gateway.connections import CA_FILES

# The key is what ends with the run; a clock that is slightly wrong should not end it earlier.
_VALID = datetime.timedelta(days=365)
_EARLIER = datetime.timedelta(hours=1)
_MOST_CONTEXTS = 1000

_CERTIFICATE = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.*?-----END [A-Z0-9 ]*CERTIFICATE-----", re.DOTALL
)

# Which variables name the only authorities that clients trust; behind each, those that it stands before.
_WHOLE: dict[str, tuple[str, ...]] = {
    "SSL_CERT_FILE": (),
    "REQUESTS_CA_BUNDLE": ("CURL_CA_BUNDLE",),
    "CURL_CA_BUNDLE": ("SSL_CERT_FILE",),
    "GIT_SSL_CAINFO": (),
    "CARGO_HTTP_CAINFO": (),
    "AWS_CA_BUNDLE": ("REQUESTS_CA_BUNDLE",),
}
# Which name authorities beside a client's own.
_MORE = ("NODE_EXTRA_CA_CERTS", "DENO_CERT")


class Authority:
    """certificate: its own, in PEM."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("AgentTrace: one run's authority")
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        self.certificate = _pem(made.sign(self._key, hashes.SHA256()))
        # Of a process: contexts are made where connections are.
        self.context = functools.lru_cache(maxsize=_MOST_CONTEXTS)(self._context)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _EARLIER)
            .not_valid_after(now + _VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _context(self, host: str) -> ssl.SSLContext:
        """What a server at this name, or address, shows its clients. ValueError if it can't be a name."""
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        leaf = (
            self._builder(_name(host[:64]), self._leaf_key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signer, critical=False)
            .add_extension(server, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with _as_file(key + _pem(leaf)) as path:
            context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def trusted(self, folder: str, environment: Mapping[str, str]) -> dict[str, str]:
        """Variables that make clients trust it, beside what they trust already: each names a file in this folder."""
        own = {name: _read(environment.get(name)) for name in (*_WHOLE, *_MORE)}
        system = next((text for text in map(_read, _system_files()) if text), b"")
        contents = {name: own[name] for name in _MORE}
        for name, others in _WHOLE.items():
            contents[name] = next((own[one] for one in (name, *others) if own[one]), system)
        paths = {}
        for name, text in contents.items():
            paths[name] = os.path.join(folder, name.lower() + ".pem")
            with open(paths[name], "wb") as file:
                file.write(text + b"\n" + self.certificate)
        return paths


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """A path to these bytes, which `ssl` takes from nowhere else: in memory, where the system has files there."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        fd = os.memfd_create("agenttrace")
        try:
            os.write(fd, data)
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
        return
    with tempfile.NamedTemporaryFile() as file:  # 0600, and gone when it is closed
        file.write(data)
        file.flush()
        yield file.name


def _system_files() -> tuple[str, ...]:
    return (ssl.get_default_verify_paths().openssl_cafile, *CA_FILES)


def _read(path: str | None) -> bytes:
    """The certificates of a file, or of a folder's files; none where there are none."""
    if not path:
        return b""
    try:
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                return b"\n".join(_read(one.path) for one in entries if one.is_file())
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return b""
    return b"\n".join(_CERTIFICATE.findall(text))  # a key that stands beside them stays where it is
