"""What a vector is: a recipe, and what a reader has to make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from s3eg_writer import BUCKET, KEY, UNIT, Message, Recipe

AUTHENTICATION = "authentication_failed"
MALFORMED = "malformed"
EITHER = f"{AUTHENTICATION} {MALFORMED}"
"""Wrong in its message and in its index: a reader may meet the one or the other first."""
SEGMENT = UNIT + 32
Edit = Callable[[bytes], bytes]


@dataclass
class Scenario:
    recipe: Recipe
    requirements: str
    """Ids of the document that the vector is about."""
    comment: str
    failure: str | None = None
    """Kind of failure, or several of which a reader gives one; None for an object that opens."""
    bucket: str = BUCKET
    key: str = KEY
    local_keyring: bool = True
    """False where the bucket key is wrapped by another key service: readers take it as it is given."""
    announced: Callable[[int], int] | None = None
    """Content-Length that the provider says, where it is not that of the bytes."""
    compression: dict[str, object] | None = None


def single(name: str, plaintext: bytes | int = b"abc", **choices: object) -> Recipe:
    """An object of the single layout; a number is the length of a part with a ciphertext of zeros."""
    return Recipe(name, [message(0, plaintext)], **choices)


def multipart(name: str, *parts: bytes | int, numbers: list[int] | None = None, **choices: object) -> Recipe:
    """An object of the multipart layout."""
    numbered = zip(numbers or range(1, len(parts) + 1), parts)
    return Recipe(name, [message(number, plaintext) for number, plaintext in numbered], layout=1, **choices)


def message(number: int, plaintext: bytes | int, **choices: object) -> Message:
    if isinstance(plaintext, int):
        return Message(number, plaintext, **choices)
    return Message(number, len(plaintext), plaintext, **choices)


def flipped(at: int, bit: int = 1) -> Edit:
    """One bit of the byte at this place, which may count from the end, the other way round."""

    def edit(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]

    return edit


def broken(recipe: Recipe, failure: str, requirements: str, comment: str, **more: object) -> Scenario:
    return Scenario(replace(recipe, name=f"broken-{recipe.name}"), requirements, comment, failure, **more)
