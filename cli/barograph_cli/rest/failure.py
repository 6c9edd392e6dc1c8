"""What went wrong between a reader and the console: a sentence, and the mend."""

from barograph_core.errors import BarographError


class ConsoleError(BarographError):
    """The console did not answer a request. Raised by the client; whoever asked shows it in its place.

    Attributes:
        sentence: What is wrong.
        mend: What the reader can do about it, in Markdown; it holds nothing that came from elsewhere.
    """

    def __init__(self, sentence: str, mend: str) -> None:
        self.sentence = sentence
        self.mend = mend
        super().__init__(f"{sentence} {mend}")
