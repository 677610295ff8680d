"""The histories of devices among which are replicas of the page."""

from __future__ import annotations

from typing import Any

from kvassfs.veil.keys import hide_key
from tests.support.histories import Fate, Peers
from tests.support.page_replicas import NOT_HERE, PageCrashed, PageFailed, PageReplica
from tests.support.replicas import Replica, Version, kept_values, posted, versions
from tests.support.sealed_histories import KEYS, SealedPeers
from tests.support.stores import SECOND, Clock

PAGE_IDS = 6001
"""Process ids of pages from here on."""

FIRST_PAGE = -2
"""What a page is called where messages are carried: this and below; -1 is an original client."""


class WithPages(Peers):
    """What there is beside replicas where there are pages."""

    pages: list[PageReplica]

    def add_pages(self, count: int, seed: int, *, sealed: bool = False) -> None:
        self.pages = [
            PageReplica(
                number,
                PAGE_IDS + number,
                Clock(step=0),
                self._carry_for(number),
                seed + number,
                sealed=sealed,
                lazy=number > 0,
            )
            for number in range(count)
        ]

    def _carry_for(self, number: int) -> Any:
        return lambda call, body, wait: self.carry(FIRST_PAGE - number, call, body, wait)

    def page(self, who: int) -> PageReplica:
        return self.pages[who % len(self.pages)]

    # The network: what becomes of a page's messages is what becomes of those of a replica

    def _arrives(self, who: int, call: str, body: bytes, number: int = 0) -> bytes:
        if who > FIRST_PAGE:
            return super()._arrives(who, call, body, number)
        answer = self.answers[call] = posted(self.hub, call, body)
        return answer

    def _gets_an_earlier_answer(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who > FIRST_PAGE or call not in self.answers:
            return super()._gets_an_earlier_answer(who, call, body, number)
        self.excused = True
        return self.answers[call]

    def _meets_a_portal(self, who: int, call: str, body: bytes, number: int) -> bytes:
        return super()._meets_a_portal(0 if who <= FIRST_PAGE else who, call, body, number)

    def _meets_nothing(self, who: int, call: str, body: bytes, number: int) -> bytes:
        return super()._meets_nothing(0 if who <= FIRST_PAGE else who, call, body, number)

    def _sender_dies_before(self, who: int, call: str, body: bytes, number: int) -> bytes:
        if who > FIRST_PAGE:
            return super()._sender_dies_before(who, call, body, number)
        self.excused = True
        raise PageCrashed

    def meanwhile(self, who: int, number: int) -> None:
        """Let something happen on the page while its message is under way: a person goes on, and its other loop pulls."""
        if who > FIRST_PAGE:
            super().meanwhile(who, number)
            return
        plan, self.plan = self.plan, []
        excused = self.excused
        page = self.pages[FIRST_PAGE - who]
        key, size = "abc"[number % 3], (8, 150)[number % 2]
        if number % 5 == 0:
            page.ask("remove", key=key)
        elif number % 5 == 1:
            page.ask("rename", key=key, to="abc"[number % 2])
        elif number % 5 == 2:
            page.synchronise("pull")
        else:
            value = self.value(size)
            self.owed[page.set(key, value)] = value
        self.plan, self.excused = plan, excused

    # What can happen

    def use_a_page(
        self, who: int, page_doing: str, key: str, new: str, size: int, moment: int, plan: list[Fate], anew: bool
    ) -> None:
        """Do what ``page_doing`` names on a page."""
        page = self.page(who)
        page.clock.advance(abs(moment) // 1000)
        if page_doing == "set":
            value = self.value(size)
            self.owed[page.set(key, value)] = value
        elif page_doing == "remove":
            page.ask("remove", key=key)
        elif page_doing == "rename":
            page.ask("rename", key=key, to=new)
        elif page_doing == "change mode":
            page.ask("vary", key=key)
        elif page_doing == "jump":
            page.clock.jump(moment)
            self.latest = max(self.latest, page.clock.now)
        elif page_doing == "close":
            page.ask("restart")
        else:
            self.synchronise_page(page, page_doing, plan, anew=anew)

    def synchronise_page(self, page: PageReplica, what: str, plan: list[Fate], *, anew: bool) -> None:
        """Exchange with the hub through a network with a plan; only what that explains may go wrong."""
        self.plan, self.excused = list(plan), False
        try:
            page.synchronise(what, anew=anew)
        except PageCrashed:
            page.ask("restart")
        except PageFailed as error:
            if not self.excused and error.kind != "StorageError":
                raise
        finally:
            self.plan, self.excused = [], True

    def use_a_page_with_a_failing_disk(self, who: int, what: str, at: int, plan: list[Fate]) -> None:
        """Let a write of the page fail and all after it, until the page is opened anew."""
        page = self.page(who)
        page.ask("fail", at=at % 5)
        self.synchronise_page(page, what, plan, anew=True)
        page.ask("restart")

    def back_up_a_page(self, who: int) -> None:
        self.page(who).ask("backUp", name="one")

    def restore_a_page(self, who: int) -> None:
        """Set a page back to the time of its backup; as with replicas, no hub is set back besides, and it asks that first."""
        if self.steady or self.replaced:
            return
        page = self.page(who)
        before = self._kept_anywhere()
        page.ask("restore", name="one")
        for token in before - self._kept_anywhere():
            self.owed.pop(token, None)
        self.let_time_pass(333_000)
        self.mail = [message for message in self.mail if message[0] != FIRST_PAGE - page.number]
        self.renewed = True
        page.synchronise("pull")

    def _kept_anywhere(self) -> set[str]:
        return super()._kept_anywhere() | self._kept_by_pages().keys()

    def let_time_pass(self, moment: int) -> None:
        super().let_time_pass(moment)
        for page in self.pages:
            page.clock.advance(abs(moment))
            self.latest = max(self.latest, page.clock.now)

    # What holds

    def check(self) -> None:
        super().check()
        assert self.home is not None
        there = {key: version.order for key, version in versions(self.home.store).items()}
        for page in self.pages if not self.replaced else ():
            for key, order in page.acknowledged().items():
                assert there[self.name_at_hub(key)] >= order, f"page {page.number} takes {key} for acknowledged"

    def name_at_hub(self, key: str) -> str:
        """Return what the hub calls a key."""
        return key

    def end(self) -> None:
        for page in self.pages:
            page.clock.jump(-page.clock.error)
            page.clock.advance(10 * SECOND + max(0, self.latest - page.clock.now))
        super().end()
        for page in self.pages:
            assert page.synchronise("exchange") == 0

    def _exchange_all(self) -> None:
        for _ in range(2):
            for page in self.pages:
                page.synchronise("exchange")
            super()._exchange_all()
        for page in self.pages:
            page.synchronise("exchange")

    def _check_agreement(self) -> None:
        super()._check_agreement()
        expected: dict[str, Version] = versions(self.replicas[0].store)
        for page in self.pages:
            found = page.describe().versions
            there = {
                key: version._replace(value=NOT_HERE) if page.lazy and found[key].value == NOT_HERE else version
                for key, version in expected.items()
            }
            assert found == there

    def _kept_by_pages(self) -> dict[str, bytes]:
        return {kept.url_token: kept.value for page in self.pages for kept in page.describe().kept}

    def _check_that_nothing_is_lost(self) -> None:
        kept: dict[str, bytes] = self._kept_by_pages()
        for replica in self.writers:
            kept |= kept_values(replica.store)
        for token, value in self.owed.items():
            assert kept.get(token) == value, f"lost: {value!r}"


class PagePeers(WithPages):
    """Replicas, original clients, and pages, with a hub of this program."""

    def __init__(self, made: list[Replica], originals: int, pages: int, *, seed: int, **options: Any) -> None:
        super().__init__(made, originals, **options)
        self.add_pages(pages, seed)


class SealedPagePeers(WithPages, SealedPeers):
    """The same of a sealed store, without original clients."""

    def __init__(self, made: list[Replica], pages: int, *, seed: int, steady: bool) -> None:
        SealedPeers.__init__(self, made, steady=steady)
        self.add_pages(pages, seed, sealed=True)

    def name_at_hub(self, key: str) -> str:
        return hide_key(KEYS, key)
