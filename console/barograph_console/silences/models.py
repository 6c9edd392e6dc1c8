"""The requests and answers about silences; from these classes FastAPI writes the OpenAPI document."""

from pydantic import BaseModel, ConfigDict, Field

from barograph_console.alerts.silence_rows import SilenceRow


class MatcherRequest(BaseModel):
    """A matcher as Alertmanager has it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=128, description="alertname, service, severity, or a label")
    value: str = Field(max_length=1_000, description="a text, or a regular expression that matches from begin to end")
    isRegex: bool = False  # noqa: N815  # Alertmanager's names
    isEqual: bool = True  # noqa: N815


class PreviewRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    matchers: list[MatcherRequest] = Field(min_length=1, max_length=20, description="all must match")


class SilenceRequest(PreviewRequest):
    """A silence. It ends after ``lasts``, at ``ends_at_ms``, or without both when it mutes nothing any more."""

    starts_at_ms: int | None = Field(default=None, ge=0, description="null, or in the past: now")
    ends_at_ms: int | None = Field(default=None, ge=0)
    lasts: str = Field(default="", max_length=32, description="how long, in place of ends_at_ms: 2h, 1h30m")
    comment: str = Field(default="", max_length=1_000)
    actor: str = Field(
        default="", max_length=128, description="who asks, where no token is set; else the token says so"
    )


class Preview(BaseModel):
    """What a silence would mute now."""

    alerts: int
    ids: list[str]


class Silences(BaseModel):
    at_ms: int
    silences: list[SilenceRow]
