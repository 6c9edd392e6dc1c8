"""Which services a rule is about."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from barograph_core.keyspace.keys import SELF_SERVICE, is_own_service
from barograph_core.matching.matcher import Matcher


def is_about(service: str, patterns: Sequence[str], where: Mapping[str, str | Matcher]) -> bool:
    """Say whether a rule is about ``service``.

    The pipeline's own services are left out unless the rule names them, by a pattern that begins with ``barograph`` or
    by one of their values (``where = { name = "barograph.lag_ms" }``, which no other service has): they have no
    requests, so that a rule for too little traffic would fire there for good.

    Args:
        service: Its name.
        patterns: Of the rule's ``services`` (``shop-*``); empty means every service.
        where: Values of the labels of the rule's series, or matchers of them.
    """
    is_own, names_value = is_own_service(service), _names_own_value(where.get("name", ""))
    if not patterns:
        return is_own == names_value
    patterns = [one for one in patterns if not is_own or names_value or one.startswith(SELF_SERVICE)]
    return any(fnmatchcase(service, one) for one in patterns)


def _names_own_value(name: str | Matcher) -> bool:
    texts = {name} if isinstance(name, str) else name.texts or ()
    return bool(texts) and all(text.startswith(f"{SELF_SERVICE}.") for text in texts)
