"""The page as a device whose hub is away, comes back, or is another one than before."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Browser

from kvassfs.kind import Kind
from kvassfs.store import Store
from tests.browser.device_page import Home, PageDevice, browsing

FILES = {"todo.txt": b"milk", "notes/plan.md": b"# The plan"}

WORKS_OFFLINE = "navigator.serviceWorker.ready.then(() => true)"


def pair(phone: PageDevice) -> None:
    """Pair a browser with a few files, and wait until it works offline."""
    phone.home.give(FILES)
    phone.pair()
    phone.page.get_by_text("todo.txt", exact=True).wait_for()
    phone.wait_until_in_step()
    phone.page.evaluate(WORKS_OFFLINE)


def test_all_works_without_the_hub_and_is_pushed_later(browser: Browser, home: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        pair(phone)
        phone.go_offline()
        phone.visit()
        phone.wait_for_list()
        assert phone.names() == ["notes", "todo.txt"]
        phone.open("notes")
        phone.open("plan.md")
        assert "The plan" in phone.page.inner_text(".prose")
        phone.go_home()
        assert phone.edit("todo.txt", "milk and bread") == "Saved."
        phone.note("new.md", "a note")
        phone.await_(lambda: phone.unsent() == 2, "both changes counted")
        assert "cannot be reached" in phone.state()

        phone.visit()
        phone.wait_for_list()
        phone.await_(lambda: phone.unsent() == 2, "both changes counted after a reload")
        phone.open("todo.txt")
        assert phone.text() == "milk and bread"
        phone.go_home()
        assert phone.page.get_by_text("not sent yet").count() == 2

        phone.go_online()
        phone.wait_until_in_step()
        assert phone.page.get_by_text("not sent yet").count() == 0
        assert home.read("todo.txt") == b"milk and bread"
        assert home.read("new.md") == b"a note"
        phone.assert_quiet()


@pytest.mark.parametrize("winner", ["phone", "desk"])
def test_a_conflict_is_told_on_both_and_neither_is_lost(browser: Browser, home: Home, winner: str) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        pair(phone)
        phone.go_offline()
        with home.desk.store() as store:
            if winner == "phone":
                store.set("todo.txt", b"of the desk")
                phone.edit("todo.txt", "of the phone")
            else:
                phone.edit("todo.txt", "of the phone")
                store.set("todo.txt", b"of the desk")
        home.hub.start()
        if winner == "phone":
            home.exchange()  # who comes first is told by who comes later
        context.set_offline(False)
        phone.wait_until_in_step()
        home.exchange()
        lost = {"phone": "of the desk", "desk": "of the phone"}[winner]
        won = {"phone": "of the phone", "desk": "of the desk"}[winner]
        phone.page.get_by_text("conflict", exact=True).wait_for()
        phone.wait_until_in_step()
        home.exchange()
        (told,) = home.desk.conflicts()
        assert told.entry.key == "todo.txt"
        assert home.desk.value("todo.txt") == won.encode()
        assert lost.encode() in home.desk.kvass("get", "todo.txt", "--rev", str(told.number)).out

        phone.press("More", "link")
        phone.press("Conflicts (1)", "link")
        phone.page.locator("a.open").click()
        phone.await_(lambda: phone.page.locator(".source").all_inner_texts() == [won, lost], "both versions")
        phone.press("Use this one")
        phone.go_home()
        phone.open("todo.txt")
        phone.await_(lambda: phone.text() == lost, "the other version")
        phone.wait_until_in_step()
        assert home.read("todo.txt") == lost.encode()
        assert home.desk.conflicts() == []


def test_saving_over_what_came_meanwhile_is_said_at_once(browser: Browser, plain: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, plain)
        pair(phone)
        phone.open("todo.txt")
        phone.press("Edit", "link")
        area = phone.page.get_by_label("Text", exact=True)
        phone.await_(area.is_enabled, "the text to be there")
        area.fill("of the phone")
        plain.give({"todo.txt": b"of the desk"})
        phone.page.get_by_text("This was changed on desk meanwhile.").wait_for()
        phone.press("Save")
        assert "Another device saved this meanwhile" in phone.say()
        phone.press("Show both")
        phone.await_(
            lambda: phone.page.locator(".source").all_inner_texts() == ["of the phone", "of the desk"], "both versions"
        )


def test_a_hub_that_starts_anew_is_gone_on_with(browser: Browser, home: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        pair(phone)
        home.hub.stop()
        phone.await_(lambda: "cannot be reached" in phone.state(), "the hub is away")
        home.hub.start()
        home.give({"later.txt": b"later"})
        phone.page.get_by_text("later.txt", exact=True).wait_for()
        phone.note("after.md", "after")
        phone.wait_until_in_step()
        assert home.read("after.md") == b"after"


def test_another_key_of_the_hub_is_said_and_nothing_is_lost(browser: Browser, home: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        pair(phone)
        home.hub.stop()
        phone.note("kept.md", "kept")
        with home.hub.store() as store:
            right = store.settings.config().encryption_key
            change_key(store, bytes(32), sealed=home.sealed)
        home.hub.start()
        phone.await_(lambda: "another encryption key" in phone.state(), "the other key")
        phone.visit()
        phone.wait_for_list()
        phone.await_(lambda: "another encryption key" in phone.state(), "the other key after a reload")
        phone.open("kept.md")
        phone.go_home()
        phone.open("todo.txt")
        assert phone.text() == "milk"
        phone.go_home()
        assert phone.unsent() == 1
        home.hub.stop()
        with home.hub.store() as store:
            change_key(store, right, sealed=home.sealed)
        home.hub.start()
        phone.press("Try again")
        phone.wait_until_in_step()
        assert home.read("kept.md") == b"kept"


def change_key(store: Store, key: bytes, *, sealed: bool) -> None:
    """Give the store of a hub another key."""
    if sealed:
        store.settings.set_encryption_key(key, Kind.HUB, anew=True)
    else:
        store.settings.set_encryption_key(key)


def test_a_hub_that_lost_everything_gets_it_from_the_page(browser: Browser, home: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        pair(phone)
        home.hub.stop()
        with home.hub.store() as store:
            key = store.settings.config().encryption_key
        for path in home.hub.db.parent.glob(f"{home.hub.db.name}*"):
            path.unlink()
        with home.hub.store() as store:
            change_key(store, key, sealed=home.sealed)
        home.hub.start()
        phone.note("after.md", "after")
        phone.wait_until_in_step()
        tablet = home.device("tablet")
        home.exchange(tablet)
        assert {key: tablet.value(key) for key in (*FILES, "after.md")} == {**FILES, "after.md": b"after"}


def test_a_hub_that_is_set_back_to_a_backup_gets_the_rest_from_the_page(browser: Browser, home: Home) -> None:
    with browsing(browser) as context:
        phone = PageDevice(context, home)
        pair(phone)
        home.hub.stop()
        backup = home.room.path / "backup.sqlite"
        shutil.copy(home.hub.db, backup)
        home.hub.start()
        phone.note("after the backup.md", "after")
        phone.edit("todo.txt", "nothing")
        phone.wait_until_in_step()
        home.hub.stop()
        for path in home.hub.db.parent.glob(f"{home.hub.db.name}*"):
            path.unlink()
        shutil.copy(backup, home.hub.db)
        home.hub.start()
        phone.note("later.md", "later")
        phone.wait_until_in_step()
        tablet = home.device("tablet")
        wanted = {**FILES, "todo.txt": b"nothing", "after the backup.md": b"after", "later.md": b"later"}
        home.exchange(tablet)
        assert {key: tablet.value(key) for key in wanted} == wanted
