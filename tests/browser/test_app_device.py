"""The page as a device of a real hub, beside a mount: pairing, saving here and there, links, passphrases, and being forgotten."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.device_page import Home, PageDevice, browsing
from tests.support.devices import shows

KEYS_OF_THOUSAND = {f"note {number:04}.txt": b"text %d" % number for number in range(1000)}

SECRET_KEY, SECRET_TEXT = "diary of a spy.txt", "the microfilm is in the hollow oak"

PASSPHRASE = "correct horse"


def test_a_scan_and_a_tap_lead_to_a_list_of_a_thousand_keys(browser: Browser, home: Home) -> None:
    home.give(KEYS_OF_THOUSAND)
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        with home.pairing() as address:
            begun = time.monotonic()
            phone.page.goto(address)
            phone.press("Get my files")
            phone.page.get_by_text("note 0000.txt", exact=True).wait_for()
            print(f"from the code to the list: {time.monotonic() - begun:.1f} s")  # noqa: T201  a figure to look at with -s
        assert "#" not in phone.page.url.removesuffix("#/")
        phone.wait_until_in_step()
        assert phone.page.locator(".row").last.get_attribute("aria-setsize") == "1000"
        phone.open("note 0007.txt")
        assert phone.text() == "text 7"
        phone.assert_quiet()


def test_texts_go_from_the_page_to_a_mount_and_back(browser: Browser, home: Home) -> None:
    with browsing(browser) as context, home.desk.following() as mount:
        (mount.path / "from the desk.txt").write_text("one")
        phone = PageDevice(context, home)
        phone.pair()
        phone.page.get_by_text("from the desk.txt", exact=True).wait_for()
        phone.note("from the phone.md", "# two")
        phone.await_(shows(mount.path / "from the phone.md", b"# two"), "the note in the mount")
        phone.edit("from the desk.txt", "one and a half")
        phone.await_(shows(mount.path / "from the desk.txt", b"one and a half"), "the text in the mount")
        phone.open("from the desk.txt")
        (mount.path / "from the desk.txt").write_text("three")
        phone.await_(lambda: phone.text() == "three", "the change on the page, by itself")
        phone.go_home()
        (mount.path / "from the desk.txt").unlink()
        phone.await_(lambda: phone.names() == ["from the phone.md"], "the deletion on the page")
        phone.assert_quiet()


def test_two_browsers_are_two_devices(browser: Browser, home: Home) -> None:
    with browsing(browser) as here, browsing(browser) as there:
        one, other = PageDevice(here, home), PageDevice(there, home)
        one.pair()
        other.pair()
        one.note("hello.md", "from one")
        other.page.get_by_text("hello.md", exact=True).wait_for()
        assert other.edit("hello.md", "from the other") == "Saved."
        one.open("hello.md")
        one.await_(lambda: "from the other" in one.page.inner_text("main"), "the change of the other one")


def test_a_link_opens_elsewhere_until_it_is_ended(browser: Browser, home: Home) -> None:
    home.give({"recipe.txt": b"two eggs"})
    with browsing(browser) as context, browsing(browser) as other:
        phone = PageDevice(context, home)
        phone.pair()
        phone.open("recipe.txt")
        phone.press("Share", "link")
        phone.press("Make a link")
        address = phone.page.get_by_label("Link", exact=True).input_value()
        phone.wait_until_in_step()
        guest = other.new_page()
        guest.goto(address)
        await_text(guest, "two eggs")
        phone.press("End")
        phone.page.get_by_role("heading", name="Links to this").wait_for(state="hidden")
        phone.wait_until_in_step()
        guest.goto("about:blank")
        response = guest.goto(address)
        if home.sealed:
            guest.locator("#status.failed").wait_for()
        else:
            assert response is not None
            assert response.status == 410
        assert "two eggs" not in guest.inner_text("body")


def await_text(guest: Page, text: str) -> None:
    """Wait until a page of an address shows a text, which may be in a frame of it."""
    for _ in range(200):
        if any(text in frame.locator("body").inner_text() for frame in guest.frames):
            return
        guest.wait_for_timeout(50)
    pytest.fail(f"not shown: {text}; but {guest.inner_text('body')!r}")


# A passphrase


def test_with_a_passphrase_nothing_that_is_kept_can_be_read(browser: Browser, home: Home) -> None:
    home.give({SECRET_KEY: SECRET_TEXT.encode(), "large": SECRET_TEXT.encode() * 40_000})
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        phone.pair(PASSPHRASE)
        phone.open("large")
        with phone.page.expect_download():
            phone.press("Download")
        phone.go_home()
        phone.note("second secret.md", f"again: {SECRET_TEXT}")
        kept = phone.read_database()
        assert kept.count("\n") > 5
        for clear in (SECRET_KEY, "second secret", SECRET_TEXT, "hollow oak"):
            assert clear not in kept

        phone.visit()
        phone.page.get_by_role("heading", name="The store is locked").wait_for()
        phone.page.get_by_label("Passphrase").fill("battery staple")
        phone.press("Unlock")
        phone.page.get_by_text("That is not the passphrase.").wait_for()
        assert SECRET_KEY not in phone.page.content()
        phone.page.get_by_label("Passphrase").fill(PASSPHRASE)
        phone.press("Unlock")
        phone.open(SECRET_KEY)
        assert phone.text() == SECRET_TEXT
        phone.wait_until_in_step()
        assert home.read("second secret.md") == f"again: {SECRET_TEXT}".encode()


def test_a_passphrase_is_changed(browser: Browser, plain: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, plain)
        phone.pair(PASSPHRASE)
        phone.press("More", "link")
        phone.page.get_by_label("Present passphrase").fill(PASSPHRASE)
        phone.page.get_by_label("New passphrase").fill("battery staple")
        phone.press("Set the passphrase")
        assert phone.say() == "The passphrase is set."
        phone.visit()
        phone.page.get_by_label("Passphrase").fill(PASSPHRASE)
        phone.press("Unlock")
        phone.page.get_by_text("That is not the passphrase.").wait_for()
        phone.page.get_by_label("Passphrase").fill("battery staple")
        phone.press("Unlock")
        phone.wait_for_list()


# Keys


EXPORTS = """async () => {
  const ask = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result) })
  const found = []
  const look = (value) => {
    if (value instanceof CryptoKey) found.push(value)
    else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) Object.values(value).forEach(look)
  }
  for (const { name } of await indexedDB.databases()) {
    const database = await ask(indexedDB.open(name))
    look(await ask(database.transaction("settings").objectStore("settings").getAll()))
    database.close()
  }
  const exported = async (key) => {
    for (const format of ["raw", "jwk"]) {
      if (await crypto.subtle.exportKey(format, key).then(() => true, () => false)) return true
    }
    return false
  }
  return [found.length, (await Promise.all(found.map(exported))).filter(Boolean).length]
}"""
"""How many keys are kept, and how many of them can be read out."""


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_the_keys_that_are_kept_cannot_be_read_out(browser: Browser, home: Home, passphrase: str) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        phone.pair(passphrase)
        count, readable = phone.page.evaluate(EXPORTS)
        assert readable == 0
        assert (count > 0) is (passphrase == "")


# Leaving


def test_a_device_that_is_forgotten_leaves_nothing(browser: Browser, home: Home) -> None:
    home.give({SECRET_KEY: SECRET_TEXT.encode()})
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        phone.pair()
        phone.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        phone.wait_until_in_step()
        assert SECRET_KEY in phone.read_database()
        phone.press("More", "link")
        phone.press("Forget this device")
        assert "nothing is lost" in phone.dialog().inner_text()
        phone.press("Forget it")
        phone.page.get_by_role("heading", name="Your store, in this browser").wait_for()
        assert phone.read_database() == ""
        assert (
            phone.page.evaluate("caches.keys().then((names) => names.filter((name) => name.startsWith('kvass-app')))")
            == []
        )
        phone.visit()
        phone.page.get_by_role("heading", name="Your store, in this browser").wait_for()
        assert home.read(SECRET_KEY) == SECRET_TEXT.encode()
        phone.pair()
        phone.open(SECRET_KEY)
        assert phone.text() == SECRET_TEXT


def test_forgetting_says_what_would_be_lost(browser: Browser, plain: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, plain)
        phone.pair()
        phone.wait_until_in_step()
        phone.go_offline()
        phone.note("unsent.md", "only here")
        phone.press("More", "link")
        phone.press("Forget this device")
        assert "1 change that the hub has not got is lost then" in phone.dialog().inner_text()
        phone.press("Cancel")
        phone.go_home()
        phone.go_online()
        phone.wait_until_in_step()
        assert plain.read("unsent.md") == b"only here"
