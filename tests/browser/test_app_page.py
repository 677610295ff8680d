"""The page that is a device, as a browser has it from the hub: what its policy keeps out, and how it works offline."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, FilePayload

from kvassfs.server.app_files import list_app_files
from kvassfs.server.web_files import read_part
from tests.browser.driver import Shared, Visitor
from tests.support.hub_process import Server, serving

READY = "navigator.serviceWorker.ready.then(() => true)"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """The process of a hub for one test, which may end it."""
    with serving(tmp_path) as server:
        yield server


class Host(ThreadingHTTPServer):
    """A server with the files of the page, which may become those of another edition."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files = {path: make() for path, make in list_app_files().items()}

    def change(self) -> None:
        """Have another edition from now on."""

        def read(path: str) -> str:
            return read_part(path).replace('content="noindex"', 'content="later"')

        self.files = {path: make() for path, make in list_app_files(read).items()}


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        file = self.server.files.get(self.path)
        self.send_response(200 if file else 404)
        for name, value in (file.headers if file else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", file.kind if file else "text/plain")
        self.send_header("Content-Length", str(len(file.body if file else b"")))
        self.end_headers()
        self.wfile.write(file.body if file else b"")

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002  as in the standard library
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield host
        host.shutdown()
        thread.join()


def open_app(visitor: Visitor, url: str) -> None:
    """Open the page by the address that a person types, and wait until it works offline."""
    assert visitor.show(f"{url}/app") == 200
    visitor.page.evaluate(READY)


def list_caches(visitor: Visitor) -> dict[str, list[str]]:
    """Return the paths that are in each cache."""
    found: dict[str, list[str]] = visitor.page.evaluate(
        """async () => Object.fromEntries(await Promise.all((await caches.keys()).map(async (name) => [
          name, (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname)
        ])))"""
    )
    return found


def violate(visitor: Visitor, code: str) -> str:
    """Run code in the page, and return the directive of its policy that keeps this from having an effect."""
    blocked: str = visitor.page.evaluate(
        """([code]) => new Promise((resolve) => {
          addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true });
          setTimeout(() => resolve("nothing"), 3000);
          const acts = {
            inline: () => { const s = document.createElement("script"); s.append("window.ran = 1"); document.body.append(s); },
            html: () => { document.body.innerHTML = "<img src=x onerror='window.ran = 1'>"; },
            handler: () => { document.body.setAttribute("onclick", "window.ran = 1"); },
            eval: () => { (0, eval)("window.ran = 1"); },
            timer: () => { setTimeout("window.ran = 1"); },
            policy: () => { trustedTypes.createPolicy("default", { createHTML: (text) => text }); },
            frame: () => { const f = document.createElement("iframe"); f.src = "https://example.org/"; document.body.append(f); },
            image: () => { new Image().src = "https://example.org/x.png"; },
            fetch: () => { fetch("https://example.org/").catch(() => 0); },
            worker: () => { new Worker("data:text/javascript,0"); },
            style: () => { const s = document.createElement("style"); s.append("* { color: red }"); document.body.append(s); },
            form: () => { const f = document.createElement("form"); f.action = "/x"; document.body.append(f); f.submit(); },
            base: () => { const b = document.createElement("base"); b.href = "https://example.org/"; document.head.append(b); },
          };
          setTimeout(() => acts[code]()); // in this call, which is a debugger's, the browser allows eval
        })""",
        [code],
    )
    assert visitor.page.evaluate("window.ran === undefined")
    return blocked


# The policy


@pytest.mark.parametrize(
    ("code", "directive"),
    [
        ("inline", "require-trusted-types-for"),
        ("html", "require-trusted-types-for"),
        ("handler", "require-trusted-types-for"),
        ("eval", "require-trusted-types-for"),
        ("timer", "require-trusted-types-for"),
        ("worker", "require-trusted-types-for"),
        ("policy", "trusted-types"),
        ("frame", "frame-src"),
        ("image", "img-src"),
        ("fetch", "connect-src"),
        ("style", "style-src-elem"),
        ("form", "form-action"),
        ("base", "base-uri"),
    ],
)
def test_what_stored_content_could_have_the_page_do_is_blocked(
    hub: Shared, visitor: Visitor, code: str, directive: str
) -> None:
    open_app(visitor, hub.url)
    assert violate(visitor, code) == directive


def test_a_script_that_gets_into_the_document_does_not_run(hub: Shared, visitor: Visitor) -> None:
    def spoil(route: Any) -> None:
        response = route.fetch()
        body = response.text().replace(
            "</noscript>", "</noscript><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
        )
        route.fulfill(response=response, body=body)

    visitor.context.route(re.compile(r"/app/$"), spoil)
    visitor.show(f"{hub.url}/app/")
    visitor.settle()
    assert visitor.page.evaluate("window.ran === undefined")
    assert any("script-src" in line or "inline" in line for line in visitor.console)


def test_the_page_itself_breaks_no_rule(hub: Shared, visitor: Visitor) -> None:
    open_app(visitor, hub.url)
    assert visitor.console == []


@pytest.mark.parametrize("key", ["evil.js", "evil", "evil.mjs"])
def test_a_stored_script_is_no_script_or_worker_of_the_page(hub: Shared, visitor: Visitor, key: str) -> None:
    address = hub.give(key, b"self.ran = 1; self.onmessage = () => 0;")
    path = address.removeprefix(hub.origin)
    open_app(visitor, hub.url)
    hub.forget_requests()
    # A page without any policy has the same origin: the hub's own, with nothing to keep it from trying.
    visitor.page.goto(f"{hub.origin}/health")
    failures = visitor.page.evaluate(
        """async (path) => {
          const failed = [];
          const load = (name, attributes) => new Promise((resolve) => {
            const element = Object.assign(document.createElement(name), attributes);
            element.onload = () => resolve();
            element.onerror = () => { failed.push(name + (attributes.type ?? "")); resolve(); };
            document.head.append(element);
          });
          await load("script", { src: path });
          await load("script", { src: path, type: "module" });
          await load("link", { href: path, rel: "stylesheet" });
          await navigator.serviceWorker.register(path).catch(() => failed.push("service worker"));
          await new Promise((resolve) => {
            const worker = new Worker(path);
            worker.onerror = () => { failed.push("worker"); resolve(); };
            setTimeout(resolve, 5000);
          });
          return failed;
        }""",
        path,
    )
    assert failures == ["script", "scriptmodule", "link", "service worker", "worker"]
    assert visitor.page.evaluate("window.ran === undefined")
    assert set(hub.requests()) == {"GET /health 200", "GET /get 403"}


# Installed, and offline


def test_a_browser_can_install_it(own: Server, visitor: Visitor) -> None:
    open_app(visitor, own.url)
    session = visitor.context.new_cdp_session(visitor.page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{own.url}/app/manifest.webmanifest"
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A context of a test has no past, and in such a window nothing is installed.
    assert [error for error in errors if error["errorId"] != "in-incognito"] == []
    assert visitor.page.evaluate("navigator.serviceWorker.ready.then((found) => found.scope)") == f"{own.url}/app/"


def test_it_opens_without_its_hub_after_the_first_visit(own: Server, visitor: Visitor) -> None:
    open_app(visitor, own.url)
    before = read_opened(visitor)
    own.process.terminate()
    own.process.wait()
    assert visitor.show(f"{own.url}/app/") == 200
    assert read_opened(visitor) == before
    assert visitor.page.evaluate("fetch('manifest.webmanifest').then((found) => found.status)") == 200
    assert visitor.page.evaluate("fetch('icon-192.png').then((found) => found.status)") == 200
    with pytest.raises(Error, match="Failed to fetch"):
        visitor.page.evaluate("fetch('../pull', { method: 'POST' })")
    with pytest.raises(Error, match="Failed to fetch"):
        visitor.page.evaluate("fetch('../health')")


def test_a_hub_that_does_not_answer_is_waited_for_two_seconds(own: Server, visitor: Visitor) -> None:
    open_app(visitor, own.url)
    own.process.send_signal(signal.SIGSTOP)
    try:
        begun = visitor.page.evaluate("Date.now()")
        assert visitor.show(f"{own.url}/app/") == 200
        assert 1900 < visitor.page.evaluate("Date.now()") - begun < 15_000
    finally:
        own.process.send_signal(signal.SIGCONT)


def test_with_its_hub_the_page_is_that_of_the_hub(own: Server, visitor: Visitor) -> None:
    open_app(visitor, own.url)

    def change(route: Any) -> None:
        response = route.fetch()
        headers = {**response.headers, "etag": '"another"'}
        route.fulfill(
            response=response, headers=headers, body=response.text().replace('content="noindex"', 'content="later"')
        )

    visitor.context.route(re.compile(r"/app/$"), change)
    visitor.show(f"{own.url}/app/")
    assert read_edition(visitor) == "later"
    visitor.wait(lambda: "later" in read_kept(visitor), "the later page to be kept")
    visitor.context.unroute(re.compile(r"/app/$"))
    own.process.terminate()
    own.process.wait()
    visitor.show(f"{own.url}/app/")
    assert read_edition(visitor) == "later"


def read_opened(visitor: Visitor) -> str:
    """Return the document once the page has looked whether it has a store."""
    visitor.wait(lambda: visitor.page.title().startswith("Your store"), "the page to open")
    return str(visitor.page.content())


def read_edition(visitor: Visitor) -> str:
    """Return what the tests change in the document to have another one."""
    edition: str = visitor.page.evaluate("document.querySelector('meta[name=robots]').content")
    return edition


def read_kept(visitor: Visitor) -> str:
    """Return the page that is kept."""
    kept: str = visitor.page.evaluate("caches.match('./').then((found) => found.text())")
    return kept


def test_a_page_of_somebody_on_the_way_is_not_shown_in_its_place(own: Server, visitor: Visitor) -> None:
    open_app(visitor, own.url)
    visitor.context.route(re.compile(r"/app/$"), lambda route: route.fulfill(status=200, body="<title>log in</title>"))
    visitor.show(f"{own.url}/app/")
    assert read_edition(visitor) == "noindex"
    assert "log in" not in read_kept(visitor)


def test_files_of_earlier_editions_are_removed_and_those_of_other_stores_are_not(own: Server, visitor: Visitor) -> None:
    visitor.show(f"{own.url}/health")
    names = ["kvass-app /app/ earlier", "kvass-app /s/family/app/ earlier", "kvass-shared", "of somebody else"]
    visitor.page.evaluate("(names) => Promise.all(names.map((name) => caches.open(name)))", names)
    open_app(visitor, own.url)
    visitor.wait(lambda: names[0] not in list_caches(visitor), "the earlier edition to be removed")
    left = list_caches(visitor)
    (kept,) = (name for name in left if name.startswith("kvass-app /app/ "))
    assert left.keys() == {kept, *names[1:]}
    assert sorted(left[kept]) == sorted(
        f"/app/{name}"
        for name in (
            *("", "manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png"),
            *("icon-maskable-512.png", "apple-touch-icon.png"),
        )
    )


def test_another_edition_waits_until_it_is_asked_to_take_over(host: Host, visitor: Visitor) -> None:
    visitor.show(f"{host.url}/app/")
    visitor.page.evaluate(READY)
    visitor.page.reload()  # from now on the worker has the page
    visitor.page.evaluate("void (window.before = navigator.serviceWorker.controller)")
    assert visitor.page.evaluate("window.before !== null")
    host.change()
    visitor.page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found.update())")
    waiting = "navigator.serviceWorker.getRegistration().then((found) => found.waiting !== null)"
    visitor.wait(lambda: visitor.page.evaluate(waiting), "the new worker to wait")
    assert visitor.page.evaluate("navigator.serviceWorker.controller === window.before")
    visitor.page.evaluate(
        "navigator.serviceWorker.getRegistration().then((found) => found.waiting.postMessage('skip waiting'))"
    )
    visitor.wait(
        lambda: visitor.page.evaluate("navigator.serviceWorker.controller !== window.before"), "it to take over"
    )


# What is shared with it


def share(visitor: Visitor, url: str, fields: dict[str, str], *files: FilePayload) -> None:
    """Share something with the page, as a phone does: by a navigation that comes from no page of the hub."""
    inputs = "".join(f'<textarea name="{field}"></textarea>' for field in fields)
    visitor.page.set_content(
        f'<form method="post" enctype="multipart/form-data" action="{url}/app/share">{inputs}'
        '<input type="file" name="files" multiple><button>Share</button></form>'
    )
    for field, text in fields.items():
        visitor.page.fill(f"[name={field}]", text)
    if files:
        visitor.page.set_input_files("input", list(files))
    else:
        visitor.page.evaluate("document.querySelector('input').remove()")
    visitor.page.click("button")


def test_what_a_phone_shares_is_kept_until_the_page_takes_it(own: Server, visitor: Visitor) -> None:
    open_app(visitor, own.url)
    own.process.terminate()
    own.process.wait()
    text: FilePayload = {"name": "größe.txt", "mimeType": "text/plain", "buffer": b"one"}
    photo: FilePayload = {"name": "photo.png", "mimeType": "image/png", "buffer": b"two"}
    for fields, files in (
        ({"title": "A title", "text": "", "url": "https://example.org/"}, (text, photo)),
        ({"text": "later"}, ()),
    ):
        visitor.page.goto("about:blank")
        share(visitor, own.url, fields, *files)
        visitor.page.wait_for_url(f"{own.url}/app/#shared")
    assert read_edition(visitor) == "noindex"
    found = visitor.page.evaluate(
        """async () => {
          const cache = await caches.open("kvass-shared");
          return Promise.all((await cache.keys()).map(async (request) => {
            const kept = await cache.match(request);
            const name = decodeURIComponent(kept.headers.get("X-Kvass-Name"));
            return [new URL(request.url).pathname, kept.headers.get("X-Kvass-Field"), name, kept.headers.get("Content-Type"), await kept.text()];
          }));
        }"""
    )
    paths = [path for path, *_ in found]
    assert paths == sorted(paths)
    assert all(re.fullmatch(r"/app/shared/\d+", path) for path in paths)
    plain = "text/plain;charset=utf-8"
    assert [others for _, *others in found] == [
        ["title", "", plain, "A title"],
        ["url", "", plain, "https://example.org/"],
        ["files", "größe.txt", "text/plain", "one"],
        ["files", "photo.png", "image/png", "two"],
        ["text", "", plain, "later"],
    ]


def test_what_is_shared_before_there_is_a_worker_is_said_to_be_lost(own: Server, visitor: Visitor) -> None:
    visitor.page.goto("about:blank")
    share(visitor, own.url, {"text": "x" * 3_000_000})
    visitor.page.wait_for_url(f"{own.url}/app/#share-lost")
