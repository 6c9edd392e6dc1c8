"""The target of a POST, and how it is read from a URL."""

import re
import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_URL: Final = re.compile(r"[\x21-\x7e]*\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a POST.

    Attributes:
        host: The host of the URL, for the Host header, SNI and the certificate check.
        path: Path and query; hidden from the repr, because it is often a secret.
        tls: ``None`` for plain HTTP.
    """

    host: str
    port: int
    path: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Files of a TLS connection; each may be empty.

    Attributes:
        ca: Certificates to trust in addition to the system's.
        cert: The certificate by which we show who we are, with those between it and its authority.
        key: Its key; empty if that is in ``cert``.
        key_password: Of an encrypted key.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)


NO_FILES: Final = CertificateFiles()


def parse_target(url: str, files: CertificateFiles = NO_FILES) -> Target:
    """Parse an HTTP or HTTPS URL.

    Args:
        url: The URL to post to.
        files: For HTTPS.

    Raises:
        ValueError: ``url`` is not such a URL. The message never quotes it, because it is often a secret.
        CertificateError: A file cannot be used.
    """
    if not _URL.match(url):
        raise ValueError("must be plain ASCII without spaces: escape them with %")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL that can be read: check host and port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with 'http://' or 'https://' and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: put them in headers = { Authorization = … }")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_tls = parts.scheme == "https"
    return Target(parts.hostname, port or (443 if is_tls else 80), path, tls_context(files) if is_tls else None)


class CertificateError(Exception):
    """A file of certificates cannot be used. Raised here; the reader of a channel says so at its key.

    Attributes:
        key: ``ca_file``, ``cert_file`` or ``key_file``.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def tls_context(files: CertificateFiles = NO_FILES) -> ssl.SSLContext:
    """Return a context that checks certificates and host names.

    Raises:
        CertificateError: A file cannot be used.
    """
    context = ssl.create_default_context()
    if files.ca:
        try:
            context.load_verify_locations(files.ca)
        except OSError as error:  # ssl.SSLError is one
            raise CertificateError(
                "ca_file", f"{files.ca!r} cannot be read as certificates: {error.strerror or error}"
            ) from error
    if files.key and not files.cert:
        raise CertificateError("key_file", "goes with cert_file, the certificate that it is the key of")
    if files.cert:
        try:
            # Without a password OpenSSL would ask on the terminal.
            context.load_cert_chain(files.cert, files.key or None, files.key_password)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no certificate with its key"
            raise CertificateError(
                "cert_file", f"{files.cert!r} and its key cannot be used: {str(reason).replace('_', ' ').lower()}"
            ) from error
    return context
