"""Asks the console's REST API, and turns everything that can go wrong into a sentence with its mend."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import urllib3

from barograph_cli.rest.failure import ConsoleError
from barograph_cli.rest.fields import Fields
from barograph_cli.rest.source import TOKEN_VARIABLE, Source

Parameters = Sequence[tuple[str, str]]

_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=15.0)
_MAX_ANSWER_BYTES: Final = 64 << 20
# Fragments of several viewers ask at once; more requests than this wait for a connection.
_CONNECTIONS: Final = 8


class ConsoleClient:
    """Asks one console. Safe to share between threads.

    Attributes:
        authorization: The header that carries the token, for connections that this client does not make.
    """

    def __init__(self, source: Source, command: str) -> None:
        """Connect to nothing yet.

        Args:
            source: The console and the token.
            command: Which command asks, ``explore`` or ``top``: it is named in what the reader can do about an error.
        """
        self._source = source
        self._command = f"barograph {command}"
        self._make_a_token = (
            f"Make one with `barograph token create --name {command} --role read`, then start `{self._command}` again "
            f"with it in {TOKEN_VARIABLE} or in the file that --token-file names."
        )
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": f"barograph-{command}"}
        self.authorization = {"Authorization": f"Bearer {source.token}"} if source.token else {}
        headers |= self.authorization
        self._http = urllib3.PoolManager(
            headers=headers, timeout=_TIMEOUT, retries=False, maxsize=_CONNECTIONS, block=True
        )

    @property
    def url(self) -> str:
        return self._source.url

    def get(self, path: str, parameters: Parameters = ()) -> Fields:
        """Return the JSON object at ``/api/v1`` + ``path``. Parameters with an empty value are left out.

        Raises:
            ConsoleError: There is no such answer.
        """
        query = urlencode([(name, value) for name, value in parameters if value])
        status, body = self._read(f"{self.url}/api/v1{path}" + (f"?{query}" if query else ""))
        answer = _parsed(body)
        if status != 200:
            raise self._refusal(status, path, answer)
        if answer is None:
            raise self._stranger()
        return answer

    def post(self, path: str, body: Mapping[str, object]) -> Fields:
        """Ask for a change at ``/api/v1`` + ``path``: once, even where the answer is lost and it is asked for again.

        Returns:
            The answer.

        Raises:
            ConsoleError: It was refused, or nothing came back.
        """
        return self._change("POST", path, path, json.dumps(body).encode())

    def delete(self, path: str, parameters: Parameters = ()) -> None:
        """Ask for the end of what is at ``/api/v1`` + ``path``.

        Raises:
            ConsoleError: It was refused, or nothing came back.
        """
        query = urlencode([(name, value) for name, value in parameters if value])
        self._change("DELETE", path, path + (f"?{query}" if query else ""), None)

    def _change(self, method: str, path: str, target: str, body: bytes | None) -> Fields:
        headers = {**self._http.headers, "Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        url = f"{self.url}/api/v1{target}"
        try:
            status, answer = self._read(url, method, body, headers)
        except ConsoleError:
            # The request may have arrived: the key lets the console apply it once.
            status, answer = self._read(url, method, body, headers)
        if status == 409:
            raise ConsoleError(f"The console refuses it: {_detail(_parsed(answer))}.", "")
        if status != 200:
            raise self._refusal(status, path, _parsed(answer))
        return _parsed(answer) or Fields({})

    def _read(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body; a redirect is not followed, because the token must not go elsewhere."""
        try:
            response = self._http.request(
                method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                body = response.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
            finally:
                response.release_conn()
        except urllib3.exceptions.ReadTimeoutError as error:
            raise ConsoleError(
                f"The console at {self.url} does not answer in time.",
                "It may be busy: choose a shorter range. It is asked again by itself.",
            ) from error
        except urllib3.exceptions.SSLError as error:
            raise ConsoleError(
                f"The certificate of {self.url} is not trusted.", "Name the console by the host of its certificate."
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise ConsoleError(
                f"No console answers at {self.url}.",
                "Start it with `barograph up` or `barograph console`, or start "
                f"`{self._command}` again with --console and its address. It is asked again by itself.",
            ) from error
        if len(body) > _MAX_ANSWER_BYTES:
            raise ConsoleError("The console's answer is too large to show.", "Choose a shorter range.")
        return response.status, body

    def _refusal(self, status: int, path: str, answer: Fields | None) -> ConsoleError:
        """Return what an answer other than 200 means."""
        detail = _detail(answer)
        if status == 401 and self._source.token:
            return ConsoleError("The console refuses the token: it is wrong, expired or revoked.", self._make_a_token)
        if status == 401:
            return ConsoleError("The console asks for a token.", self._make_a_token)
        if status == 403:
            return ConsoleError(
                f"The token does not allow it: {_detail(answer)}.",
                "To look needs a token with the role read, to change something one with the role admin.",
            )
        if answer is None:
            return self._stranger()
        if status == 404 and answer.code() == "unknown_service":
            return ConsoleError("The console no longer knows this service.", "Choose another one on the left.")
        if status == 404:
            return ConsoleError(
                f"The console at {self.url} has no {path}.", "Install the same version of barograph on both sides."
            )
        if status == 422:
            return ConsoleError(f"The console refuses the question: {detail}.", "Choose another range or filter.")
        if status == 429:
            return ConsoleError("The console has too many questions to answer.", "It is asked again by itself.")
        if status == 503:
            return ConsoleError(
                f"The console cannot read its figures: {detail}.",
                "`barograph status` says more about the server. It is asked again by itself.",
            )
        return ConsoleError(f"The console failed with status {status}.", "Its log says why.")

    def _stranger(self) -> ConsoleError:
        return ConsoleError(
            f"What answers at {self.url} is not a barograph console.",
            f"Start `{self._command}` again with --console and the console's address.",
        )


def _parsed(body: bytes) -> Fields | None:
    try:
        found: object = json.loads(body)
    except ValueError:
        return None
    return Fields.of(found)


def _detail(answer: Fields | None) -> str:
    return (answer.detail() if answer else "").rstrip(".") or "it does not say why"
