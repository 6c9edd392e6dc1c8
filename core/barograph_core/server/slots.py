"""The hash slot of a key in a Cluster."""

from functools import lru_cache
from typing import Final

CLUSTER_SLOTS: Final = 16_384


def _crc16_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_CRC16 = _crc16_table()


def crc16(text: str) -> int:
    """Return the CRC-16/XMODEM of ``text`` in UTF-8, the checksum Redis Cluster hashes keys with."""
    crc = 0
    for byte in text.encode():
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[(crc >> 8) ^ byte]
    return crc


def hash_slot(tag: str) -> int:
    """Return the Cluster slot (0 to 16,383) of every key that carries the hash tag ``{tag}``."""
    return crc16(tag) % CLUSTER_SLOTS


@lru_cache(maxsize=1_024)
def _slot_of_tag(tag: str) -> int:
    return hash_slot(tag)


def slot_of_key(key: str | bytes) -> int:
    """Return the Cluster slot of a key: the slot of the text in its first braces, or of the whole key without."""
    text = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
    _, _, rest = text.partition("{")
    tag, closing, _ = rest.partition("}")
    return _slot_of_tag(tag) if tag and closing else hash_slot(text)
