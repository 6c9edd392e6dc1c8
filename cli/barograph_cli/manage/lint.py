"""What rules and routes say of each other: rules that reach no channel, and routes that nothing takes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from barograph_alerter.rules.defaults import effective_rules
from barograph_alerter.rules.reading import rule_places
from barograph_alerter.rules.rule import Rule
from barograph_core.errors import Problem
from barograph_core.matching.matcher import Matcher
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.routing.route import Route

_SIGNING_SECRET: Final = "slack_signing_secret"  # noqa: S105  # the name of a setting


def lint_routes(config: ConfigFile) -> list[Problem]:
    """Return a problem for each route without effect and each rule of the file that no route takes.

    Nothing while a rule or a route has mistakes of its own, which others report.
    """
    mistakes: list[Problem] = []
    routes = parse_routes(config, mistakes).routes
    rules = effective_rules(config, mistakes, with_defaults=True)
    if mistakes or not config.tables("route"):
        return []
    problems = [
        Problem(config.where("route", route.number - 1, key), f"route[{route.number}].{key}", message)
        for index, route in enumerate(routes)
        for key, message in (*_unknown_names(route, rules), *_hidden(route, routes[:index]))
    ]
    places = rule_places(config)
    for rule in rules:
        if rule.name in places and not any(_may_take(route, rule) for route in routes):
            section, index = places[rule.name]
            message = (
                f"no route takes {rule.name!r} ({rule.severity.value}): its alerts reach no channel; add a [[route]]"
            )
            problems.append(Problem(config.where(section, index, "name"), f"{section}[{index + 1}].name", message))
    return problems


def hints_of(config: ConfigFile, environ: Mapping[str, str]) -> list[str]:
    """Return what is correct and worth a thought."""
    return [*_only_channel(config), *_deaf_buttons(config, environ)]


def _deaf_buttons(config: ConfigFile, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a hint for each channel with buttons, where no console of this configuration answers them.

    The console may have its settings elsewhere, so it is no mistake.
    """
    if config.table("console").get(_SIGNING_SECRET) or environ.get(f"BAROGRAPH_CONSOLE_{_SIGNING_SECRET.upper()}"):
        return
    for index, table in enumerate(config.tables("channel")):
        if table.get("buttons") is True:
            where, name = config.where("channel", index, "buttons"), str(table.get("name", ""))
            yield (
                f"{where}: the buttons of {name!r} do something only where a console knows the signing secret of the "
                f"Slack app: {_SIGNING_SECRET} is not set under [console] here, nor in the environment"
            )


def _only_channel(config: ConfigFile) -> list[str]:
    channels = [str(table.get("name", "")) for table in config.tables("channel")]
    if len(channels) != 1:
        return []
    where, name = config.where("channel", 0), channels[0]
    alone = "is the only channel: when it fails, the alert about that (delivery-failing) stands in the notifier's log"
    return [f"{where}: {name!r} {alone}; add a second [[channel]], of another kind"]


def _unknown_names(route: Route, rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    """Yield key and message of each rule and label that there is not."""
    names = [rule.name for rule in rules]
    for text in route.rules.alternatives if route.rules else ():
        if not any(map(Matcher((text,)).matches, names)):
            yield "rules", f"there is no rule {text!r}{suggestion(text, names)}: correct it, or remove the route"
    labels = {label for rule in rules for label in (*rule.by, *rule.fixed_labels)}
    for label, matcher in route.labels.items():
        if label not in labels and not matcher.matches(""):
            yield "labels", f"the alerts of no rule have a label {label!r}{suggestion(label, labels)}"


def _hidden(route: Route, earlier: Sequence[Route]) -> Iterator[tuple[str, str]]:
    """Yield key and message if routes that are tried before leave nothing for this one."""
    if route.is_otherwise:
        wide = next((one for one in earlier if not one.is_otherwise and _covers(one, route)), None)
        if wide:
            yield "otherwise", f"route[{wide.number}] takes all of this, so that nothing is left: remove one of the two"
            return
    first = next((one for one in earlier if not one.continues and _covers(one, route)), None)
    if first:
        mend = "put this one before it, or set continue = true there"
        if first.under is route:
            mend = "narrow that one, or remove this one"
        yield "channels", f"route[{first.number}] takes all of this first: {mend}"


def _covers(earlier: Route, later: Route) -> bool:
    """Say whether ``earlier`` certainly takes everything that ``later`` would, at any time."""
    narrow = _with_parents(later)
    return all(
        max(one.min_severity.rank for one in narrow) >= wide.min_severity.rank
        and _is_implied(wide.services, [one.services for one in narrow])
        and _is_implied(wide.rules, [one.rules for one in narrow])
        and all(
            _is_implied(matcher, [one.labels.get(label) for one in narrow]) for label, matcher in wide.labels.items()
        )
        and (not wide.active or any(one.active and set(one.active) <= set(wide.active) for one in narrow))
        for wide in _with_parents(earlier)
    )


def _is_implied(wide: Matcher | None, narrow: Sequence[Matcher | None]) -> bool:
    return wide is None or any(one is not None and wide.covers(one) for one in narrow)


def _with_parents(route: Route) -> list[Route]:
    return [route, *(_with_parents(route.under) if route.under else [])]


def _may_take(route: Route, rule: Rule) -> bool:
    """Say whether an alert of ``rule`` can match: of services and of labels in ``by`` any value is possible."""
    fixed = rule.fixed_labels
    return all(
        rule.highest_severity.rank >= one.min_severity.rank
        and (one.rules is None or one.rules.matches(rule.name))
        and all(label in rule.by or matcher.matches(fixed.get(label, "")) for label, matcher in one.labels.items())
        for one in _with_parents(route)
    )
