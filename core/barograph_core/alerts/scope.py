"""Which services a rule is about."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from barograph_core.keyspace.keys import SELF_SERVICE, is_own_service
from barograph_core.matching.matcher import Matcher


def is_about(service: str, services: Matcher | None, where: Mapping[str, str | Matcher]) -> bool:
    """Say whether a rule is about ``service``.

    The pipeline's own services are left out unless the rule names them, by a text or expression that begins with
    ``barograph`` or by one of their values (``where = { name = "barograph.lag_ms" }``, which no other service has):
    they have no requests, so that a rule for too little traffic would fire there for good.

    Args:
        service: Its name.
        services: The rule's ``services``; ``None`` means every service.
        where: Values of the labels of the rule's series, or matchers of them.
    """
    is_own, names_value = is_own_service(service), _names_own_value(where.get("name", ""))
    if services is None:
        return is_own == names_value
    if not is_own or names_value:
        return services.matches(service)
    named = () if services.is_negated else tuple(filter(_begins_as_own, services.alternatives))
    return bool(named) and Matcher(named).matches(service)


def texts_of(services: Matcher | None) -> tuple[str, ...]:
    """Return a rule's ``services`` as a list of texts, none for every service."""
    if services is None:
        return ()
    source = services.source
    return (source,) if isinstance(source, str) else tuple(source)


@lru_cache(maxsize=1_000)
def services_of(texts: tuple[str, ...]) -> Matcher | None:
    """Read the result of ``texts_of``.

    Raises:
        MatcherError: It is something else.
    """
    return _parse(texts) if texts else None


def _parse(texts: Sequence[str]) -> Matcher:
    return Matcher.parse(texts[0] if len(texts) == 1 else list(texts))


def _begins_as_own(text: str) -> bool:
    return text.removeprefix("~").startswith(SELF_SERVICE)


def _names_own_value(name: str | Matcher) -> bool:
    texts = {name} if isinstance(name, str) else name.texts or ()
    return bool(texts) and all(text.startswith(f"{SELF_SERVICE}.") for text in texts)
