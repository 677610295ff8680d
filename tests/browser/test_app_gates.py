"""What the page of a device shows before there is a store, while that cannot be used, and of the device itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.app_page import INSECURE, PHONE, AppPage, visiting

NONE: dict[str, Any] = {"status": {"stage": "none"}, "files": {"todo.txt": "milk"}, "slow": 600}

PIXEL = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36"
)

IOS = "Object.defineProperty(navigator, 'standalone', { value: false }); Object.defineProperty(navigator, 'maxTouchPoints', { value: 5 })"

CAMERA = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"] }
  async detect() { return [{ rawValue: "https://hub.example/app/#scanned-code" }] }
}
const canvas = document.createElement("canvas")
canvas.getContext("2d")
navigator.mediaDevices.enumerateDevices = async () => [{ kind: "videoinput" }]
navigator.mediaDevices.getUserMedia = async () => window.stream = canvas.captureStream()
"""


def files_are_shown(app: AppPage) -> None:
    app.page.locator(".row", has_text="todo.txt").wait_for()


def test_a_code_in_the_address_pairs_with_one_tap_and_is_cleared_first(app: AppPage) -> None:
    app.start(NONE, fragment="#17.secret-of-the-code")
    assert app.page.url == "http://localhost/app/"
    assert app.page.evaluate("history.length") == 2  # of which one is the empty page of a new window
    assert "One tap" in app.text()
    app.press("Get my files")
    app.page.locator("progress:visible").wait_for()
    assert "Asking the hub …" in app.text()
    files_are_shown(app)
    assert app.calls("pair") == [["17.secret-of-the-code", "Linux (Chrome)", ""]]
    app.assert_quiet()


def test_a_code_is_typed_and_the_device_named(app: AppPage) -> None:
    app.start(NONE)
    app.press("Get my files")
    assert "Type the code" in app.page.inner_text(".failure")
    app.page.get_by_label("Pairing code or address").fill(" 17-lake-bread ")
    app.page.get_by_label("Passphrase (optional)").fill("bread and water")
    app.page.get_by_label("Name of this device").fill("kitchen")
    app.page.keyboard.press("Enter")
    files_are_shown(app)
    assert app.calls("pair") == [["17-lake-bread", "kitchen", "bread and water"]]


def test_a_phone_is_named_so(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, tmp_path, **{**PHONE, "user_agent": PIXEL}) as app:
        app.start(NONE)
        assert app.page.get_by_label("Name of this device").input_value() == "phone (Chrome)"


def test_a_code_that_does_not_fit_is_said_and_another_one_asked_for(app: AppPage) -> None:
    app.start({**NONE, "failing": {"pair": "This code was used already. Make a new one."}}, fragment="#used-code")
    app.press("Get my files")
    app.page.get_by_text("This code was used already. Make a new one.").wait_for()
    app.page.get_by_label("Pairing code or address").fill("18-sun-moon")
    app.press("Get my files")
    files_are_shown(app)
    assert [code for code, *_ in app.calls("pair")] == ["used-code", "18-sun-moon"]


def test_a_code_is_scanned(app: AppPage) -> None:
    app.page.add_init_script(CAMERA)
    app.start(NONE)
    app.press("Scan the code")
    files_are_shown(app)
    assert [code for code, *_ in app.calls("pair")] == ["https://hub.example/app/#scanned-code"]
    assert app.page.evaluate("window.stream.getTracks().map(track => track.readyState)") == ["ended"]


def test_there_is_no_scanner_where_the_browser_has_none(app: AppPage) -> None:
    app.start(NONE)
    app.page.wait_for_timeout(200)
    assert app.page.get_by_text("Scan the code").is_hidden()


def test_a_code_that_comes_later_is_cleared_too(app: AppPage) -> None:
    app.start({"files": {"todo.txt": "milk"}})
    app.go("#17.secret-of-the-code")
    assert "has a store already" in app.say()
    assert app.page.url == "http://localhost/app/#/"


def test_in_a_tab_of_ios_it_is_installed_first(app: AppPage) -> None:
    app.page.add_init_script(IOS)
    app.start(NONE, fragment="#17.secret")
    assert "Add to Home Screen" in app.text()
    assert app.page.get_by_text("Get my files").count() == 0
    app.press("Go on in the browser all the same")
    app.press("Get my files")
    files_are_shown(app)


def test_over_http_it_says_how_to_get_https_and_nothing_else(app: AppPage) -> None:
    app.start({"files": {"todo.txt": "milk"}}, url=INSECURE, fragment="#17.secret")
    for way in ("tailscale serve", "caddy", "kvass serve --tls-cert", "http://localhost"):
        assert way in app.text()
    assert app.page.locator("button:visible, input:visible, a:visible").count() == 0
    assert "secret" not in app.page.url


def test_a_passphrase_opens_the_store(app: AppPage) -> None:
    app.start({"files": {"todo.txt": "milk"}, "status": {"stage": "locked"}, "passphrase": "right"})
    assert "todo.txt" not in app.text()
    app.page.get_by_label("Passphrase").fill("wrong")
    app.press("Unlock")
    app.page.get_by_text("This is not the passphrase. Try again.").wait_for()
    app.page.get_by_label("Passphrase").fill("right")
    app.page.keyboard.press("Enter")
    files_are_shown(app)


def test_a_store_in_another_tab_is_taken_over(app: AppPage) -> None:
    app.start({"files": {"todo.txt": "milk"}})
    app.fake("become({ stage: 'elsewhere' })")
    app.page.locator("h1", has_text="Open in another tab").wait_for()
    assert "todo.txt" not in app.text()
    app.press("Use it here")
    files_are_shown(app)


# How things stand


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({}, "In step with hub.example"),
        ({"unsent": 1}, "1 change waits"),
        ({"unsent": 1200, "hub": "busy"}, "Synchronising … · 1,200 changes wait"),
        ({"unsent": 2, "hub": "unreachable"}, "The hub cannot be reached · 2 changes wait"),
        ({"hub": "failed", "failure": "The hub has another key. Pair again."}, "The hub has another key. Pair again."),
    ],
)
def test_the_state_is_in_sight(app: AppPage, status: dict[str, Any], sentence: str) -> None:
    app.start({"status": status})
    assert app.page.inner_text(".state > p") == sentence


def test_a_hub_that_is_not_reached_is_tried_again(app: AppPage) -> None:
    app.start({"status": {"hub": "unreachable", "unsent": 1}})
    app.press("Try again")
    app.wait(lambda: app.page.inner_text(".state > p") == "In step with hub.example", "the hub")


def test_progress_is_shown(app: AppPage) -> None:
    app.start()
    app.fake("become({ hub: 'busy', done: 30, total: 120 })")
    assert app.page.locator(".state progress").evaluate("bar => bar.value") == 0.25
    app.fake("become({ hub: 'in step', done: 0, total: 0 })")
    assert app.page.locator(".state progress").is_hidden()


def test_unsent_changes_that_the_browser_may_drop_are_warned_of(app: AppPage) -> None:
    app.start({"status": {"isPersistent": False}})
    assert "may drop" not in app.text()
    app.fake("become({ unsent: 3 })")
    assert "This browser may drop them before they are sent." in app.page.inner_text(".state")
    app.press("Keep it")
    assert app.say() == "The browser keeps the store."
    assert "may drop" not in app.text()


def test_an_unsent_file_is_marked(app: AppPage) -> None:
    app.start({"files": {"todo.txt": {"text": "milk", "isUnsent": True}}})
    assert "not sent yet" in app.page.inner_text(".row")


# The device


def test_the_passphrase_is_changed_and_removed(app: AppPage) -> None:
    app.start({"status": {"hasPassphrase": True}, "passphrase": "bread"}, fragment="#more")
    before = app.page.get_by_label("Present passphrase")
    before.fill("bread")
    app.page.get_by_label("New passphrase").fill("bread and water")
    app.press("Set the passphrase")
    assert app.say() == "The passphrase is set."
    assert before.input_value() == app.page.get_by_label("New passphrase").input_value() == ""
    before.fill("bread and water")
    app.press("Remove it")
    app.wait(lambda: "without a passphrase" in app.text(), "the end of the passphrase")
    assert app.calls("changePassphrase") == [["bread", "bread and water"], ["bread and water", ""]]


def test_the_device_is_described_and_synchronised(app: AppPage) -> None:
    app.start({"status": {"keys": 1432, "unsent": 1}}, fragment="#more")
    for words in ("phone (Chrome)", "hub.example", "1,432", "cannot read what it keeps", "1 change waits"):
        assert words in app.page.inner_text("dl")
    app.press("Synchronise now")
    assert app.calls("synchronise") == [[]]


def test_the_last_change_is_taken_back(app: AppPage) -> None:
    app.start({"files": {"todo.txt": "milk"}})
    app.fake("remove(['todo.txt'])")
    app.press("More", "link")
    app.press("Undo: 1 keys removed")
    app.wait(lambda: app.fake("keys()") == ["todo.txt"], "what was removed")


def test_to_forget_the_device_says_what_is_lost_first(app: AppPage) -> None:
    app.start({"files": {"todo.txt": "milk"}, "status": {"unsent": 2}}, fragment="#more")
    app.press("Forget this device")
    assert "2 changes that the hub has not got are lost" in app.dialog().inner_text()
    app.press("Cancel")
    assert app.calls("forget") == []
    app.press("Forget this device")
    app.press("Forget it")
    app.page.locator("h1", has_text="Your store, in this browser").wait_for()
    assert app.calls("forget") == [[]]
