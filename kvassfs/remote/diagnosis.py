"""What went wrong with a call to the hub, in words: a response that is no success, or none at all."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException
from urllib.parse import quote, urljoin, urlsplit

from requests import exceptions
from urllib3.util.ssl_match_hostname import CertificateError

from ..errors import HubFailed, HubTlsFailed, HubUnreachable, NotAHub, SyncError, WrongKey
from ..tuples import NamedTuple
from .address import SCHEMES, hide_credentials
from .allowance import TooLate, TooMuch
from .errors import HubBusy

CUT_OFF = "the connection was cut off in the middle of the answer"

_CANNOT_DECRYPT = b"kvass: cannot decrypt"
_OURS = b"kvass:"
_ORIGINAL_CANNOT_DECRYPT = b"message authentication failed"
"""What Go's AES-GCM says, in the error with which a hub of the original program responds."""

_FROM_PROXIES = (407, 502, 503, 504)
_TOO_LARGE = 413
_TOO_MANY = 429
_NOT_UNDER_THIS_PATH = (404, 405)
_NO_HUB = (501, 511)
"""What a server of files says to POST, and a login page of a network."""

_ADVICE = {
    400: "; perhaps its address has to begin with https://",
    401: "; a user and a password stand in its address as https://user:password@host",
}

_TRUST = " (REQUESTS_CA_BUNDLE can name a file of those to trust)"
_OTHER_NAME = "its certificate is for another name"
_CERTIFICATES = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed" + _TRUST,
    19: "its certificate is signed by nobody who is trusted here" + _TRUST,
    20: "its certificate is signed by nobody who is trusted here" + _TRUST,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
"""By the codes X509_V_ERR_… of OpenSSL."""

_NO_HTTP = "it does not speak HTTP; perhaps its address has to begin with https://"

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
"""What the versions of OpenSSL say to a response that is no TLS."""


class Refusal(NamedTuple):
    """A response that is no success; ``page`` is whether it is one of HTML, ``body`` its beginning.

    ``retry_after`` is for how many seconds whoever responded wants to be left alone.
    """

    status: int
    phrase: str
    page: bool
    location: str
    body: bytes
    retry_after: float = 0.0


def diagnose_response(address: str, url: str, refusal: Refusal) -> SyncError:
    """Say what a response means that the hub shown as ``address`` gave to a call of ``url``."""
    if refusal.status == 200:
        return NotAHub(address, "it answers with a web page")
    if refusal.body.startswith(_CANNOT_DECRYPT) or _ORIGINAL_CANNOT_DECRYPT in refusal.body:
        return WrongKey(address)
    if refusal.body.startswith(_OURS) and refusal.status in _NOT_UNDER_THIS_PATH:
        return NotAHub(address, "a kvass hub is there, but not under this path")
    if refusal.body.startswith(_OURS):
        reason = _first_line(refusal.body.removeprefix(_OURS))
        if refusal.status == _TOO_MANY:
            return HubBusy(address, reason, refusal.retry_after)
        return HubFailed(address, refusal.status, reason)
    if 300 <= refusal.status < 400 and refusal.location:
        return NotAHub(address, _describe_redirection(url, refusal.location))
    return _diagnose_status(address, refusal)


def is_refused(error: Exception) -> bool:
    """Return whether an exception of requests means that nobody listens at the port, other than a proxy's."""
    return isinstance(_find_cause(error), ConnectionRefusedError) and not isinstance(error, exceptions.ProxyError)


def diagnose_exception(address: str, progress: float, error: Exception) -> SyncError:
    """Say what an exception of requests means; ``progress`` is the limit in seconds."""
    cause = _find_cause(error)
    words = _describe_cause(cause, progress)
    if isinstance(error, exceptions.ProxyError):
        return HubUnreachable(address, f"the proxy that the environment names is of no use: {words}")
    if isinstance(error, exceptions.InvalidSchema):
        return HubUnreachable(address, "the proxy that the environment names is one of SOCKS, which needs PySocks")
    if isinstance(cause, ssl.SSLError):
        return HubTlsFailed(address, _describe_tls_failure(cause))
    if isinstance(cause, CertificateError):
        return HubTlsFailed(address, _OTHER_NAME)
    if isinstance(error, exceptions.SSLError) or type(error) is OSError:
        # Then it is about the file of certificates that the environment names.
        return HubTlsFailed(address, words)
    if isinstance(error, exceptions.ChunkedEncodingError) and not isinstance(cause, TooMuch):
        return HubUnreachable(address, CUT_OFF)
    if isinstance(cause, TooMuch | HTTPException):
        return NotAHub(address, str(cause) if isinstance(cause, TooMuch) else _NO_HTTP)
    return HubUnreachable(address, words)


def _diagnose_status(address: str, refusal: Refusal) -> SyncError:
    status = refusal.status
    said = f"{status} {_first_line(refusal.phrase.encode())}".rstrip()
    if status in _FROM_PROXIES:
        return HubUnreachable(address, f"the proxy in front says {said}")
    if status == _TOO_LARGE:
        reason = "the proxy in front lets no messages of this size through (nginx: client_max_body_size)"
        return HubFailed(address, status, reason)
    if status >= 500 and status not in _NO_HUB:
        return HubFailed(address, status, (not refusal.page and _first_line(refusal.body)) or said)
    return NotAHub(address, f"it answers {said}{_ADVICE.get(status, '')}")


def _describe_redirection(url: str, location: str) -> str:
    """Say where a redirection of ``url`` leads. Another may have chosen it, so it is fit for a shell."""
    try:
        target = urlsplit(urljoin(url, location))._replace(query="", fragment="")
    except ValueError:
        return "it redirects to nowhere"
    where = quote(hide_credentials(target.geturl()), safe="/:[]%~")[:200]
    call = url[url.rindex("/") :]
    if target.scheme not in SCHEMES or not where.endswith(call):
        return f"it redirects to {where}"
    base = where.removesuffix(call)
    return f"it redirects to {base}; set that with `kvass config remote {base}`"


def _first_line(text: bytes) -> str:
    line = text.strip().partition(b"\n")[0].decode(errors="replace")
    return "".join(character for character in line if character.isprintable()).strip()[:200]


def _find_cause(error: Exception) -> BaseException:
    """Return the exception, among those that led to this one, that tells what happened."""
    for each in _iterate_causes(error):
        if isinstance(each, OSError | HTTPException | CertificateError) and not isinstance(
            each, exceptions.RequestException
        ):
            return each
    return error


def _iterate_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it, the latest first."""
    waiting, seen = [error], {id(error)}
    while waiting:
        each = waiting.pop(0)
        yield each
        for earlier in (each.__cause__, each.__context__):
            if earlier is not None and id(earlier) not in seen:
                seen.add(id(earlier))
                waiting.append(earlier)


def _describe_cause(cause: BaseException, progress: float) -> str:
    if isinstance(cause, socket.gaierror):
        return f"its name is not known ({_uncapitalise(cause.strerror or '')})"
    if isinstance(cause, TimeoutError) and not isinstance(cause, TooLate) and not cause.errno:
        return f"no answer within {progress:g} s"
    if isinstance(cause, OSError) and not isinstance(cause, exceptions.RequestException):
        return _uncapitalise(os.strerror(cause.errno) if cause.errno else str(cause))
    # Its text may hold the address with the password.
    return f"the request failed with {type(cause).__name__}"


def _describe_tls_failure(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(
            error.verify_code, f"its certificate is refused ({_uncapitalise(error.verify_message)})"
        )
    if isinstance(error, ssl.SSLEOFError):
        return "the other side hung up; perhaps it does not speak TLS"
    if error.reason in _NO_TLS:
        return "the other side does not speak TLS"
    return (error.reason or "unknown error").replace("_", " ").lower()


def _uncapitalise(text: str) -> str:
    """Return a sentence as a part of another."""
    return text[:1].lower() + text[1:].removesuffix(".")
