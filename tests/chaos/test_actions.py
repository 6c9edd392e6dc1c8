"""Eight people act on alerts at once, answers are lost, and alerters are killed: each action counts exactly once."""

import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest

from barograph_core.access.access_store import AccessStore
from barograph_core.access.token import Role, new_token
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries
from tests.integration.console.test_console_process import stage, url_in

PEOPLE: Final = 8
ACTIONS: Final = int(os.environ.get("BAROGRAPH_CHAOS_ACTIONS", "1000"))
KILLS: Final = 6
ALERTERS: Final = 2
# Of the requests, those whose answer is lost and that are sent once more.
LOST: Final = 0.2
# A shared alert everybody acts on, and alerts of each person; two people share a service.
SHARED: Final = "shared"
_HOUR_S: Final = 3_600


@dataclass
class Person:
    """Acts through the API with a token of a name of its own, and keeps what the console says was done.

    Attributes:
        applied: What the console says of each action, by the words that go with it: applied, or refused.
        keyed: Whether requests have a key, by which a repetition is recognised.
        on_their_way: Words of the actions whose first request may have been overtaken by the second: where that is
            refused, the first may still find the alert in another state and be applied.
    """

    name: str
    token: str
    host: str
    service: str
    rng: random.Random
    keyed: bool = True
    applied: dict[str, bool] = field(default_factory=dict[str, bool])
    alerts: list[str] = field(default_factory=list[str])
    silences: list[str] = field(default_factory=list[str])
    repeated: int = 0
    on_their_way: set[str] = field(default_factory=set[str])

    def ask(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, Any]:
        """Ask once, with a connection of its own; return status and answer."""
        connection = self._send(method, path, body, key)
        try:
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def _send(self, method: str, path: str, body: object, key: str) -> http.client.HTTPConnection:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key and self.keyed else {}
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection

    def act(self, words: str, method: str, path: str, body: object) -> Any:
        """Do something once, though its answer may be lost, and note what came of it."""
        key = uuid.uuid4().hex
        if self.rng.random() < LOST:
            self._lose_an_answer(words, method, path, body, key)
        status, answer = self.ask(method, path, body, key)
        for _ in range(50):
            if status != 409 or "keep changing" not in str(answer):
                break
            # Others were faster twenty times: the same request, with the same key, is tried again.
            status, answer = self.ask(method, path, body, key)
        assert status in (200, 404, 409), (status, answer)
        self.applied[words] = status == 200
        return answer if status == 200 else None

    def _lose_an_answer(self, words: str, method: str, path: str, body: object, key: str = "") -> None:
        """Send a request whose answer nobody gets: it is there, or still on its way when the next one is sent."""
        self.repeated += 1
        if self.rng.random() < 0.5:
            self.ask(method, path, body, key)
        else:
            self._send(method, path, body, key).close()
            self.on_their_way.add(words)

    def work(self, actions: int) -> None:
        """Do ``actions`` of all kinds."""
        for number in range(actions):
            words = f"{self.name} {number}"
            kind = self.rng.choices(("ack", "unack", "resolve", "silence", "end"), (8, 6, 1, 4, 4))[0]
            if kind == "end" and self.silences:
                self._end(words)
            elif kind in ("silence", "end"):
                self._silence(words)
            else:
                self._change(words, kind)

    def _change(self, words: str, kind: str) -> None:
        body = {"note": words} | ({"until": self.rng.choice(("resolved", "1s", "4h"))} if kind == "ack" else {})
        # What everybody acts on must not end: resolved, it would be gone for all.
        known = self.alerts if kind == "resolve" or self.rng.random() < 0.7 else self.alerts[:1]
        alert = self.rng.choice(known[1:] if kind == "resolve" else known)
        self.act(words, "POST", f"/api/v1/alerts/{alert}/{kind}", body)

    def _silence(self, words: str) -> None:
        matchers = [{"name": "service", "value": self.service}, {"name": "instance", "value": words}]
        made = self.act(words, "POST", "/api/v1/silences", {"matchers": matchers, "lasts": "1h", "comment": words})
        self.silences.append(made["id"])

    def _end(self, words: str) -> None:
        silence = self.silences.pop(self.rng.randrange(len(self.silences)))
        asked = urlencode({"note": words})
        if self.rng.random() < LOST:
            self._lose_an_answer(words, "DELETE", f"/api/v1/silences/{silence}?{asked}", None)
        status, answer = self.ask("DELETE", f"/api/v1/silences/{silence}?{asked}")
        # Without a key the second request is told that it is over, by the first.
        assert status in (200, 409), (status, answer)
        self.applied[words] = True


@dataclass
class Scene:
    real: Connection
    keys: ShardKeys
    host: str
    common: Sequence[str]
    folder: Path
    kills: int = 0

    def people(self, *, keyed: bool = True) -> list[Person]:
        made: list[Person] = []
        for number in range(PEOPLE):
            name = f"person-{number}"
            secret, token = new_token(name, Role.ADMIN, now_ms=1)
            AccessStore(self.real, self.keys.prefix).add_token(token)
            rng = random.Random(number)
            made.append(Person(name, secret, self.host, f"s{number // 2}", rng, keyed=keyed))
        for person in made:
            self._push(person)
        return made

    def _push(self, person: Person) -> None:
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _HOUR_S))
        names = [SHARED, *(f"{person.name}-{number}" for number in range(ACTIONS // PEOPLE // 5))]
        body = [{"labels": {"alertname": name, "service": person.service}, "endsAt": ends} for name in names]
        assert person.ask("POST", "/api/v2/alerts", body)[0] == 200
        rows = person.ask("GET", f"/api/v1/alerts?service={person.service}")[1]["alerts"]
        ids = {row["rule"].removeprefix("ext/"): row["id"] for row in rows}
        person.alerts = [ids[name] for name in names]

    @contextmanager
    def mortal_alerters(self) -> Generator[None]:
        """Run alerters of which one is killed now and then and another takes its place."""
        ended, numbers = threading.Event(), itertools.count()
        running, started = list[subprocess.Popen[bytes]](), list[subprocess.Popen[bytes]]()

        def start() -> None:
            log = self.folder / f"alerter-{next(numbers)}.log"
            with log.open("wb") as output:
                command = [sys.executable, "-m", "barograph_alerter", *self.common]
                process = subprocess.Popen(command, stdout=output, stderr=output)
            running.append(process)
            started.append(process)

        def kill() -> None:
            rng = random.Random(7)
            while self.kills < KILLS and not ended.wait(1.0):
                running.pop(rng.randrange(len(running))).kill()
                self.kills += 1
                start()

        for _ in range(ALERTERS):
            start()
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield
            killer.join(timeout=30)
        finally:
            ended.set()
            killer.join()
            for process in started:
                process.kill()
                process.wait(timeout=10)

    def entries(self) -> list[Entry]:
        return as_entries(self.real.command("XRANGE", self.keys.alerts, "-", "+"))


@pytest.fixture
def scene(valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path) -> Generator[Scene]:
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with ExitStack() as stack:
        log = tmp_path / "console.log"
        # No token yet: the console sees the first one when it is there.
        stack.enter_context(stage("barograph_console", log, "--port", "0", *common))
        yield Scene(real, keys, urlsplit(url_in(log)).netloc, common, tmp_path)


def let_work(people: Sequence[Person], actions: int) -> None:
    threads = [threading.Thread(target=person.work, args=(actions,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def written(entries: Sequence[Entry]) -> Counter[str]:
    """Return how many entries each action has, by the words and the actor of it."""
    notes = [(entry.fields.get(b"note", b"").decode(), entry.fields.get(b"actor", b"").decode()) for entry in entries]
    return Counter(note for note, actor in notes if actor and note.rpartition(" ")[0] == actor)


def mistakes(people: Sequence[Person], entries: Sequence[Entry]) -> list[str]:
    """Return what is wrong between what people were told and what is on the stream."""
    found = written(entries)
    said = {words: done for person in people for words, done in person.applied.items()}
    late = {words for person in people for words in person.on_their_way if not said[words]}
    wrong = [
        f"{words}: applied {done}, entries {found[words]}"
        for words, done in said.items()
        if found[words] != done and not (words in late and found[words] == 1)
    ]
    return wrong + [f"{words}: nobody did it" for words in found if words not in said]


@pytest.mark.chaos
def test_each_action_counts_once_while_alerters_are_killed(scene: Scene) -> None:
    """What is answered 200 is one entry with actor and words, what is refused none, and the audit has all of it."""
    people = scene.people()
    began_s = time.monotonic()
    with scene.mortal_alerters():
        let_work(people, ACTIONS // PEOPLE)
    entries = scene.entries()
    repeated, applied = sum(one.repeated for one in people), sum(sum(one.applied.values()) for one in people)
    took_s = time.monotonic() - began_s
    print(f"{ACTIONS} actions, {applied} applied, {repeated} sent twice, {scene.kills} kills, {took_s:.1f} s")
    assert sum(len(one.applied) for one in people) == ACTIONS // PEOPLE * PEOPLE
    assert applied > ACTIONS // 2
    assert mistakes(people, entries) == []
    assert scene.kills == KILLS
    found = set(written(entries))
    for person in people:
        own = {words for words in found if words.startswith(f"{person.name} ")}
        assert audited(person) == own - of_silences(entries, person)


def of_silences(entries: Sequence[Entry], person: Person) -> set[str]:
    """Return what a person did to silences: it stands with the silences, and not in the history of alerts."""
    own = [entry.fields for entry in entries if entry.fields.get(b"kind") == b"silence"]
    return {fields[b"note"].decode() for fields in own if fields[b"actor"].decode() == person.name}


def audited(person: Person) -> set[str]:
    """Return the words of all that the console says a person did to alerts, page by page."""
    found: set[str] = set()
    before = ""
    while True:
        asked = urlencode({"actor": person.name, "limit": 50, **({"before": before} if before else {})})
        status, page = person.ask("GET", f"/api/v1/alerts/history?{asked}")
        assert status == 200, page
        words = [entry["note"] for entry in page["entries"]]
        assert found.isdisjoint(words)
        found.update(words)
        before = page["next_before"]
        if not before:
            return found


@pytest.mark.chaos
def test_without_keys_what_is_sent_twice_counts_twice(scene: Scene) -> None:
    """The control: the same people and lost answers, but no key by which the console knows a repetition."""
    people = scene.people(keyed=False)
    let_work(people, 40)
    doubles = [one for one in mistakes(people, scene.entries()) if "entries 2" in one]
    assert doubles != []
