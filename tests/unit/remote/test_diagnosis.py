"""What a response that is no success means, and an exception."""

from __future__ import annotations

import errno
import ssl
from http.client import BadStatusLine

import pytest
import requests
from urllib3.util.ssl_match_hostname import CertificateError

from kvassfs import errors
from kvassfs.remote.diagnosis import Refusal, diagnose_exception, diagnose_response

URL = "https://hub.example/prefix/pull"


def of(
    status: int, body: bytes = b"", *, phrase: str = "Phrase", page: bool = False, location: str = ""
) -> errors.SyncError:
    return diagnose_response("hub", URL, Refusal(status, phrase, page, location, body))


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (200, errors.NotAHub, "it answers with a web page"),
        (204, errors.NotAHub, "it answers 204 Phrase"),
        (304, errors.NotAHub, "it answers 304 Phrase"),
        (400, errors.NotAHub, "it answers 400 Phrase; perhaps its address has to begin with https://"),
        (401, errors.NotAHub, "it answers 401 Phrase; a user and a password stand in its address as https://user:"),
        (404, errors.NotAHub, "it answers 404 Phrase"),
        (405, errors.NotAHub, "it answers 405 Phrase"),
        (407, errors.HubUnreachable, "the proxy in front says 407 Phrase"),
        (413, errors.HubFailed, "the proxy in front lets no messages of this size through"),
        (500, errors.HubFailed, "500 Phrase"),
        (502, errors.HubUnreachable, "the proxy in front says 502 Phrase"),
        (503, errors.HubUnreachable, "the proxy in front says 503 Phrase"),
        (504, errors.HubUnreachable, "the proxy in front says 504 Phrase"),
        (511, errors.NotAHub, "it answers 511 Phrase"),
        (600, errors.HubFailed, "600 Phrase"),
    ],
)
def test_a_status_says_who_answers(status: int, kind: type[errors.SyncError], reason: str) -> None:
    error = of(status)
    assert type(error) is kind
    assert isinstance(error, errors.NotAHub | errors.HubUnreachable | errors.HubFailed)
    assert error.reason.startswith(reason)
    assert error.remote == "hub"


def test_a_hub_of_ours_under_another_path_is_told_from_one_that_fails() -> None:
    error = of(404, b"kvass: there is nothing here\n")
    assert isinstance(error, errors.NotAHub)
    assert "not under this path" in str(error)


def test_a_server_that_knows_no_post_is_no_hub() -> None:
    assert isinstance(of(501, b"<p>Unsupported method", phrase="Unsupported method ('POST')"), errors.NotAHub)


@pytest.mark.parametrize("status", [400, 403, 413, 500, 503])
def test_what_a_hub_of_ours_says_counts_more_than_its_status(status: int) -> None:
    error = of(status, b"kvass: no such call\n")
    assert isinstance(error, errors.HubFailed)
    assert (error.status, error.reason) == (status, "no such call")


def test_another_key_is_told_by_either_program() -> None:
    assert isinstance(of(403, b"kvass: cannot decrypt the message\n"), errors.WrongKey)
    assert isinstance(of(500, b"2026/01/01 cipher: message authentication failed\n"), errors.WrongKey)
    assert isinstance(of(403, b"Forbidden"), errors.NotAHub)


def test_the_reason_is_one_clean_line() -> None:
    error = of(500, b"\n  \x1b[2Jfirst\xff\x00 \xe2\x80\xae\r\nsecond")
    assert isinstance(error, errors.HubFailed)
    assert error.reason == "[2Jfirst\N{REPLACEMENT CHARACTER}"
    long = of(500, b"x" * 1000)
    assert isinstance(long, errors.HubFailed)
    assert long.reason == "x" * 200


def test_the_page_of_an_error_is_not_shown() -> None:
    error = of(500, b"<html>", page=True)
    assert isinstance(error, errors.HubFailed)
    assert error.reason == "500 Phrase"
    assert "it answers 404;" in str(of(404, phrase="\n"))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (
            "https://other/x/pull",
            "it redirects to https://other/x; set that with `kvass config remote https://other/x`",
        ),
        ("//other/pull?q#f", "it redirects to https://other; set that with `kvass config remote https://other`"),
        ("/pull", "it redirects to https://hub.example; set that with `kvass config remote https://hub.example`"),
        ("http://user:secret@h/pull", "it redirects to http://h; set that with `kvass config remote http://h`"),
        ("https://login.example/?from=hub", "it redirects to https://login.example/"),
        ("ftp://other/pull", "it redirects to ftp://other/pull"),
        ("http://[", "it redirects to nowhere"),
        ("http://h/`rm`;$(rm)\x1b/pull", "it redirects to http://h/%60rm%60%3B%24%28rm%29%1B; set that with"),
    ],
)
def test_a_redirection_says_where_the_hub_may_be(location: str, reason: str) -> None:
    error = of(301, location=location)
    assert isinstance(error, errors.NotAHub)
    assert error.reason.startswith(reason)


def raised(error: Exception, cause: BaseException | None = None) -> Exception:
    """Return ``error`` as it is when raised because of ``cause``."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def exception(error: Exception, cause: BaseException | None = None) -> errors.SyncError:
    return diagnose_exception("hub", 10.0, raised(error, cause))


def test_the_reason_of_the_system_is_told_in_its_words() -> None:
    error = exception(requests.ConnectionError("Max retries"), OSError(errno.ENETUNREACH, "anything"))
    assert isinstance(error, errors.HubUnreachable)
    assert error.reason == "network is unreachable"


def test_a_limit_of_a_library_is_told_as_ours_is() -> None:
    error = exception(requests.ConnectionError("Max retries"), TimeoutError("_ssl.c:989: timed out"))
    assert isinstance(error, errors.HubUnreachable)
    assert error.reason == "no answer within 10 s"


def test_what_is_not_foreseen_is_told_without_its_text() -> None:
    error = exception(requests.exceptions.InvalidURL("http://user:secret@host"))
    assert isinstance(error, errors.HubUnreachable)
    assert error.reason == "the request failed with InvalidURL"
    tls = exception(requests.exceptions.SSLError("http://user:secret@host"))
    assert isinstance(tls, errors.HubTlsFailed)
    assert tls.reason == "the request failed with SSLError"


def test_what_failed_before_the_call_is_not_its_cause() -> None:
    try:
        raise PermissionError(errno.EACCES, "of the caller")
    except PermissionError:
        error = exception(requests.ConnectionError("Connection aborted."), BadStatusLine("?"))
    assert isinstance(error, errors.NotAHub)


def test_tls_is_refused_in_words() -> None:
    refused = ssl.SSLCertVerificationError("anything")
    refused.verify_code, refused.verify_message = 23, "Certificate revoked"
    error = exception(requests.exceptions.SSLError("Max retries"), refused)
    assert isinstance(error, errors.HubTlsFailed)
    assert error.reason == "its certificate is refused (certificate revoked)"
    error = exception(requests.exceptions.SSLError("Max retries"), CertificateError("hostname doesn't match"))
    assert isinstance(error, errors.HubTlsFailed)
    assert error.reason == "its certificate is for another name"
    alert = ssl.SSLError(1, "anything")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    error = exception(requests.exceptions.SSLError("Max retries"), alert)
    assert isinstance(error, errors.HubTlsFailed)
    assert error.reason == "tlsv13 alert certificate required"
