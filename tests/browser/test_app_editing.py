"""Texts are changed on the page of a device, and what another device saves meanwhile is told, and never lost."""

from __future__ import annotations

from tests.browser.app_page import AppPage

FILES = {"notes/plan.txt": "the plan", "todo.txt": "milk\r\nbread\n"}


def edit(app: AppPage, key: str = "notes/plan.txt") -> None:
    """Open a text to be changed, and wait for it."""
    app.start({"files": FILES}, fragment=f"#edit/{key}")
    app.page.locator("textarea:enabled").wait_for()


def text(app: AppPage) -> str:
    return app.page.input_value("textarea")


def state(app: AppPage) -> str:
    return app.page.inner_text(".actions .hint")


# Saving


def test_a_text_is_saved_by_the_button_and_by_the_keyboard(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/notes/plan.txt")
    app.press("Edit", "link")
    app.page.locator("textarea:enabled").wait_for()
    app.page.keyboard.type("Now: ")
    assert state(app) == "Not saved"
    app.press("Save")
    assert app.say() == "Saved."
    assert state(app) == ""
    app.page.locator("textarea").press("End")
    app.page.keyboard.type("!")
    app.page.keyboard.press("Control+s")
    app.wait(lambda: app.fake("text('notes/plan.txt')") == "Now: the plan!", "the text")
    app.press("Up", "link")
    app.wait(lambda: app.page.inner_text(".source") == "Now: the plan!", "the text to be shown")
    app.assert_quiet()


def test_line_ends_alone_are_no_change(app: AppPage) -> None:
    edit(app, "todo.txt")
    assert text(app) == "milk\nbread\n"
    app.press("Up", "link")
    app.page.locator(".source").wait_for()
    assert app.calls("write") == []


def test_a_text_that_cannot_be_saved_stays(app: AppPage) -> None:
    edit(app)
    app.page.fill("textarea", "mine")
    app.page.evaluate("window.fake.failing.write = 'This browser has no room left.'")
    app.press("Save")
    assert app.say() == "This browser has no room left."
    assert (text(app), state(app)) == ("mine", "Not saved")
    app.press("Try again")
    app.wait(lambda: app.fake("text('notes/plan.txt')") == "mine", "the text")
    assert state(app) == ""


def test_what_is_no_text_is_not_edited(app: AppPage) -> None:
    app.start({"files": {"a.bin": {"base64": "//79AA=="}}}, fragment="#edit/a.bin")
    app.page.get_by_text("This is no text").wait_for()
    assert app.page.locator("textarea").is_disabled()


# Leaving


def test_changes_are_not_left_behind_unasked(app: AppPage) -> None:
    edit(app)
    app.page.fill("textarea", "mine")
    app.press("Up", "link")
    app.press("Keep editing")
    assert text(app) == "mine"
    app.press("Latest", "link")
    app.press("Save")
    app.page.locator("h1", has_text="Latest").wait_for()
    assert app.fake("text('notes/plan.txt')") == "mine"


def test_changes_are_discarded_when_that_is_wanted(app: AppPage) -> None:
    edit(app)
    app.page.fill("textarea", "mine")
    app.press("Up", "link")
    app.press("Discard")
    app.page.locator(".source").wait_for()
    assert app.page.inner_text(".source") == "the plan"
    assert app.calls("write") == []
    app.go("#edit/notes/plan.txt")
    app.page.locator("textarea:enabled").wait_for()
    app.page.fill("textarea", "again")
    app.press("Up", "link")
    assert app.dialog().is_visible()


def test_the_browser_asks_before_the_page_is_closed(app: AppPage) -> None:
    edit(app)
    app.page.locator("textarea").press("x")
    with app.page.expect_event("dialog") as asked:
        app.page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"


def test_changes_stay_in_sight_when_another_tab_takes_the_store(app: AppPage) -> None:
    edit(app)
    app.page.fill("textarea", "mine")
    app.fake("become({ stage: 'elsewhere' })")
    assert "another tab" in app.say()
    assert text(app) == "mine"
    app.press("Use it here")
    assert app.calls("takeOver") == [[]]


# Changed elsewhere


def test_a_change_elsewhere_is_taken_where_nothing_was_written(app: AppPage) -> None:
    edit(app)
    app.fake("change('notes/plan.txt', 'theirs')")
    app.wait(lambda: text(app) == "theirs", "the other text")
    assert app.page.locator(".banner").count() == 0


def meet(app: AppPage) -> None:
    """Write, and have another device save meanwhile."""
    edit(app)
    app.page.fill("textarea", "mine")
    app.fake("change('notes/plan.txt', 'theirs', 'laptop')")
    app.page.get_by_text("This was changed on laptop meanwhile.").wait_for()


def test_a_change_elsewhere_is_shown_beside_what_was_written(app: AppPage) -> None:
    meet(app)
    app.press("Show")
    assert app.dialog().locator(".source").inner_text() == "theirs"
    app.page.keyboard.press("Escape")
    assert text(app) == "mine"


def test_to_keep_mine_replaces_theirs_knowingly(app: AppPage) -> None:
    meet(app)
    app.press("Keep mine")
    app.press("Save")
    assert app.say() == "Saved."
    assert app.fake("listConflicts()") == []


def test_to_take_theirs_can_be_taken_back(app: AppPage) -> None:
    meet(app)
    app.press("Take theirs")
    assert (text(app), state(app)) == ("theirs", "")
    app.press("Undo")
    assert (text(app), state(app)) == ("mine", "Not saved")


def test_to_save_without_deciding_is_a_conflict_with_both_a_tap_away(app: AppPage) -> None:
    meet(app)
    app.press("Save")
    assert "its version is kept too" in app.say()
    app.press("Show both")
    app.wait(lambda: app.page.locator(".source").all_inner_texts() == ["mine", "theirs"], "both versions")


def test_a_text_that_is_deleted_elsewhere_can_be_saved_again(app: AppPage) -> None:
    edit(app)
    app.page.fill("textarea", "mine")
    app.fake("change('notes/plan.txt', null)")
    app.page.get_by_text("deleted elsewhere meanwhile").wait_for()
    app.press("Save")
    app.wait(lambda: app.fake("text('notes/plan.txt')") == "mine", "the text")


# New


def test_a_note_is_named_by_its_first_line(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#/notes/")
    app.press("New")
    app.press("New note")
    app.page.locator("textarea:focus").wait_for()
    app.page.keyboard.type("# Trip / to Brno\n\nby train")
    app.press("Save")
    assert app.say() == "Saved as “Trip to Brno.md”."
    assert app.fake("text('notes/Trip to Brno.md')") == "# Trip / to Brno\n\nby train"
    app.page.locator("h1", has_text="Trip to Brno.md").wait_for()
    app.page.locator("textarea:enabled").wait_for()
    app.page.fill("textarea", "by bus")
    app.press("Save")
    app.wait(lambda: app.fake("text('notes/Trip to Brno.md')") == "by bus", "the next change")
    app.page.go_back()
    app.page.locator("h1", has_text="notes").wait_for()


def test_a_note_gets_the_name_that_it_is_given_and_replaces_nothing(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#new/")
    app.page.get_by_label("Name").fill("todo.txt")
    app.page.locator("textarea").fill("other")
    app.press("Save")
    assert app.say() == "Saved as “todo (2).txt”."
    assert app.fake("text('todo.txt')") == "milk\r\nbread\n"


# Shared with the page by other programs

SHARE = """async () => {
  const cache = await caches.open("kvass-shared")
  const put = (number, value, field, name, type) => cache.put(`shared/${number}`, new Response(value, { headers: {
    "Content-Type": type, "X-Kvass-Field": field, "X-Kvass-Name": encodeURIComponent(name) } }))
  await put(1, "A page", "title", "", "text/plain")
  await put(2, "https://example.org/", "url", "", "text/plain")
  await put(3, "picture", "files", "Grüße.png", "image/png")
  await cache.put("http://localhost/other/app/shared/9", new Response("of another page"))
}"""


def kept(app: AppPage) -> list[str]:
    """Return what waits to be taken."""
    script = "caches.open('kvass-shared').then(cache => cache.keys()).then(keys => keys.map(key => key.url))"
    found: list[str] = app.page.evaluate(script)
    return found


def test_what_was_shared_is_saved_where_one_says(app: AppPage) -> None:
    app.start({"files": FILES})
    app.page.evaluate(SHARE)
    app.go("#shared")
    app.wait(lambda: app.page.locator(".row .name").all_inner_texts() == ["A page.md", "Grüße.png"], "what was shared")
    app.page.get_by_role("button", name="notes").click()
    app.press("Save")
    assert app.say() == "2 files were added."
    assert app.fake("text('notes/A page.md')") == "A page\n\nhttps://example.org/"
    assert app.fake("text('notes/Grüße.png')") == "picture"
    assert kept(app) == ["http://localhost/other/app/shared/9"]


def test_what_was_shared_can_be_discarded(app: AppPage) -> None:
    app.start({"files": FILES})
    app.page.evaluate(SHARE)
    app.go("#shared")
    app.press("Discard")
    app.wait(lambda: kept(app) == ["http://localhost/other/app/shared/9"], "the end of it")
    assert app.calls("add") == []


def test_what_could_not_be_kept_is_said(app: AppPage) -> None:
    app.start({"files": FILES}, fragment="#share-lost")
    assert "no room left" in app.say()
