"""Items that this process has queued itself, so that its senders need not read them from JSON again."""

from collections import OrderedDict
from typing import Final

from barograph_notifier.outbox.queue_plan import Item

_MOST: Final = 2_000


class ItemCache:
    """Finds an item by its exact text on the server. Threads may share it: each call is one step of a dictionary.

    What another notifier queued, or what has changed meanwhile, has another text and is not found.
    """

    def __init__(self) -> None:
        self._items = OrderedDict[tuple[str, bytes], Item]()

    def add(self, text: str, item: Item) -> None:
        self._items[str(item.entry_id), text.encode()] = item
        while len(self._items) > _MOST:
            self._items.popitem(last=False)

    def take(self, entry_id: str, text: bytes) -> Item | None:
        """Return the item and forget it: it is sent once, and after a failure it has another text."""
        return self._items.pop((entry_id, text), None)
