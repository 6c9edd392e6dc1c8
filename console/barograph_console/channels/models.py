"""The answers about channels; from these classes FastAPI writes the OpenAPI document."""

from pydantic import BaseModel, Field


class ChannelRow(BaseModel):
    """One channel, of all shards together."""

    name: str
    waiting: int = Field(description="notifications that wait to be sent")
    oldest_ms: int = Field(description="time since the oldest of them was written; 0 when none waits")
    sent: int = Field(description="deliveries since the channel was first used")
    failed: int = Field(description="attempts that failed and were tried again")
    dead: int = Field(description="notifications that were refused or given up")


class Channels(BaseModel):
    at_ms: int
    channels: list[ChannelRow]


class TestRequest(BaseModel):
    actor: str = Field(default="", max_length=128, description="who asks, where no token is set")


class TriedRow(BaseModel):
    """One message of a test."""

    status: str = Field(description="firing or resolved")
    result: str = Field(description="sent, refused or failed; a newer notifier may know more")
    answer: str = Field(description="what the channel's target said")
    took_ms: int


class Tested(BaseModel):
    """What came back from a test. A channel that refuses the sample's beginning is not sent its end."""

    channel: str
    messages: list[TriedRow]
