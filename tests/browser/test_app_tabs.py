"""The page opened in two tabs of a browser: one of them has the store."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browser.device_page import Home, PageDevice, browsing


def wait_until_elsewhere(tab: PageDevice) -> None:
    """Wait until a tab says that another one has the store."""
    tab.page.get_by_role("heading", name="Open in another tab").wait_for()


def test_one_tab_at_a_time_has_the_store(browser: Browser, home: Home) -> None:
    home.give({"todo.txt": b"milk"})
    with browsing(browser) as context:
        first = PageDevice(context, home)
        first.pair()
        first.note("of the first.md", "one")
        second = first.tab()
        second.visit()
        wait_until_elsewhere(second)
        assert "todo.txt" not in second.page.content()
        second.press("Use it here")
        second.wait_for_list()
        wait_until_elsewhere(first)
        assert second.names() == ["of the first.md", "todo.txt"]
        second.note("of the second.md", "two")
        first.press("Use it here")
        first.wait_for_list()
        wait_until_elsewhere(second)
        assert first.names() == ["of the first.md", "of the second.md", "todo.txt"]
        first.wait_until_in_step()
        assert home.read("of the first.md") == b"one"
        assert home.read("of the second.md") == b"two"
        for tab in (first, second):
            tab.assert_quiet()


def test_changes_that_were_not_sent_go_with_the_store(browser: Browser, home: Home) -> None:
    with browsing(browser) as context:
        first = PageDevice(context, home)
        first.pair()
        first.wait_until_in_step()
        home.hub.stop()
        for number in range(5):
            first.note(f"note {number}.md", f"text {number}")
        first.page.wait_for_timeout(500)
        home.hub.start()
        second = first.tab()
        second.visit()
        second.press("Use it here")
        second.wait_for_list()
        wait_until_elsewhere(first)
        second.wait_until_in_step()
        home.exchange()
        for number in range(5):
            assert home.desk.value(f"note {number}.md") == b"text %d" % number


def test_what_is_being_written_stays_in_sight_when_another_tab_takes_the_store(browser: Browser, plain: Home) -> None:
    with browsing(browser) as context:
        first = PageDevice(context, plain)
        first.pair()
        first.press("New")
        first.press("New note")
        first.page.get_by_label("Name", exact=True).fill("half.md")
        first.page.get_by_label("Text", exact=True).fill("half a thought")
        second = first.tab()
        second.visit()
        second.press("Use it here")
        second.wait_for_list()
        assert "open in another tab" in first.say()
        assert first.page.get_by_label("Text", exact=True).input_value() == "half a thought"
        first.press("Save")
        assert "open in another tab" in first.say()
        assert first.page.get_by_label("Text", exact=True).input_value() == "half a thought"
        first.press("Use it here")
        first.await_(lambda: "Saved as" in first.said(), "the note saved")
        wait_until_elsewhere(second)
        first.wait_until_in_step()
        assert plain.read("half.md") == b"half a thought"


def test_a_tab_that_is_closed_leaves_the_store_to_the_next(browser: Browser, plain: Home) -> None:
    with browsing(browser) as context:
        first = PageDevice(context, plain)
        first.pair()
        first.note("note.md", "one")
        second = first.tab()
        second.visit()
        wait_until_elsewhere(second)
        first.page.close()
        second.visit()
        second.wait_for_list()
        assert second.names() == ["note.md"]
