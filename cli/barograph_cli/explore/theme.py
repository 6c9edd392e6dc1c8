"""The console's colours, for the page and for its charts, light and dark."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme, by what they are for.

    Attributes:
        series: Of lines that have no meaning of their own, such as versions of a model.
        severity: By the severity of an alert.
    """

    paper: str
    card: str
    raised: str
    line: str
    ink: str
    ink_2: str
    ink_3: str
    accent: str
    rate: str
    rate_fill: str
    error: str
    error_fill: str
    p50: str
    p95: str
    p99: str
    series: tuple[str, ...]
    severity: dict[str, str]


LIGHT: Final = Palette(
    paper="#f6f5f1",
    card="#fffefb",
    raised="#f0efe9",
    line="#e2e0d8",
    ink="#1b1f24",
    ink_2="#4c5560",
    ink_3="#5f6874",
    accent="#1d4f86",
    rate="#5b7ea4",
    rate_fill="#dce6f0",
    error="#c2410c",
    error_fill="#f8dfd2",
    p50="#5a8fc2",
    p95="#2e6db0",
    p99="#0f2f57",
    series=("#2e6db0", "#c2410c", "#176b43", "#8a5a00", "#b0186c", "#0f7a85", "#6b4fa0", "#4c5560"),
    severity={"critical": "#b0186c", "error": "#d2453a", "warning": "#b57c08", "info": "#1d5fa8"},
)
DARK: Final = Palette(
    paper="#0e1114",
    card="#151a1f",
    raised="#1d242b",
    line="#262e36",
    ink="#e9edf1",
    ink_2="#b3bdc7",
    ink_3="#8d98a4",
    accent="#8fbdf0",
    rate="#7f9dbd",
    rate_fill="#1d2a37",
    error="#ff8f66",
    error_fill="#43241a",
    p50="#3f6f9f",
    p95="#6fb0f2",
    p99="#d3e7fb",
    series=("#6fb0f2", "#ff8f66", "#6fd39c", "#f2c260", "#ff86c2", "#5cc9d6", "#b9a2f0", "#b3bdc7"),
    severity={"critical": "#ea5aa5", "error": "#f0665a", "warning": "#d9a531", "info": "#7cb7ff"},
)
# A person's own fonts: the page loads nothing from elsewhere.
FONT: Final = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


def palette_of(theme: str | None) -> Palette:
    """Return the colours of the theme that the browser shows."""
    return DARK if theme == "dark" else LIGHT


def streamlit_options() -> list[str]:
    """Return the colours as options of ``streamlit run``."""
    options = [
        f"--theme.font={FONT}",
        "--theme.baseRadius=8px",
        "--theme.metricValueFontSize=1.35rem",
    ]
    for name, palette in (("light", LIGHT), ("dark", DARK)):
        colours = {
            "backgroundColor": palette.card,
            "secondaryBackgroundColor": palette.raised,
            "textColor": palette.ink,
            "primaryColor": palette.accent,
            "linkColor": palette.accent,
            "borderColor": palette.line,
            "sidebar.backgroundColor": palette.paper,
            "dataframeHeaderBackgroundColor": palette.raised,
        }
        options += [f"--theme.{name}.{key}={value}" for key, value in colours.items()]
    return options
