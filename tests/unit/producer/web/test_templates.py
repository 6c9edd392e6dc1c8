"""The templates of routes that are regular expressions."""

import pytest

from barograph_producer._web.templates import from_django


@pytest.mark.parametrize(
    ("route", "template"),
    [
        (r"^items/(?P<item>[0-9]+)/$", "/items/{item}/"),
        (r"^old/(?P<year>[0-9]{4})/(\w+)\.html\Z", "/old/{year}/{}.html"),
        (r"^a/(?P<x>(?:b|c(?:d))+)/(?P<y>.*)$", "/a/{x}/{y}"),
        # In a set of characters a parenthesis is no group, and an escaped or a first bracket does not end the set.
        (r"^items/(?P<item>[^()]+)/a$", "/items/{item}/a"),
        (r"^items/(?P<item>[^)]+)/b$", "/items/{item}/b"),
        (r"^items/(?P<item>[(]+)/c$", "/items/{item}/c"),
        (r"^items/(?P<item>[])(]+)/d$", "/items/{item}/d"),
        (r"^items/(?P<item>[^])(]+)/e$", "/items/{item}/e"),
        (r"^items/(?P<item>[\](]+)/f$", "/items/{item}/f"),
        (r"^items/(?P<item>\([^\)(]\))/g$", "/items/{item}/g"),
        (r"^items/(?#see [1] \( )(?P<item>x)/h$", "/items/{item}/h"),
        # Outside of groups a set tells two routes apart.
        (r"^plain/[(]/i$", "/plain/[(]/i"),
        (r"^plain/[)^$]/i$", "/plain/[)^$]/i"),
        (r"^escaped/\(/\[/k$", "/escaped/(/[/k"),
        (r"api/<slug:tenant>/^x/(?P<y>[^(]*)$", "/api/{tenant}/x/{y}"),
    ],
)
def test_each_outermost_group_is_a_parameter_and_the_rest_stays(route: str, template: str) -> None:
    assert from_django(route) == template
