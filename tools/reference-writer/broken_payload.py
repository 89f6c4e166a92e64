"""Objects that every reader has to refuse for their stored bytes, each wrong in one thing. The files are named after it."""

from __future__ import annotations

from collections.abc import Callable

from s3eg_writer import PART, UNIT, Recipe, Writer, be
from scenario import AUTHENTICATION, EITHER, MALFORMED, SEGMENT, Scenario, broken, flipped, message, multipart, single


def scenarios() -> list[Scenario]:
    groups = (sizes, messages, segments, parts, padding_and_trailer, sealed_index, index_fields)
    return [scenario for group in groups for scenario in group()]


def sizes() -> list[Scenario]:
    def cut(name: str, length: int, failure: str, comment: str, **more: object) -> Scenario:
        recipe = single(f"size-{name}", UNIT + 1, edit_stored=lambda data: data[:length])
        requirements = "F1-SIZE-2" if failure == "not_format_1" else "F1-READ-3"
        return broken(recipe, failure, requirements, comment, **more)

    def announced(size: int) -> dict[str, object]:
        return {"announced": lambda _: size}

    whole = UNIT + 1 + 64 + 128 + 256
    unsealed = {"metadata": {"payload": b"\0"}}
    return [
        cut("of-no-object", whole - 1, "not_format_1", "One byte less: no object of format 1 is so long."),
        cut("nothing", 0, "not_format_1", "The object has no bytes."),
        cut("415-bytes", 415, "not_format_1", "A byte less than the smallest object."),
        broken(
            single("size-of-a-shorter-object", edit_stored=lambda data: data[:-1]),
            "size_mismatch", "F1-META-3", "One byte less: the size of an object with one byte less.",
        ),
        broken(
            single("size-of-a-shorter-object-not-sealed", edit_stored=lambda data: data[:-1], **unsealed),
            EITHER, "F1-IDX-3 F1-MSG-5", "One byte less, where the metadata do not say how long the payload is.",
        ),
        broken(
            single("size-of-a-longer-object-not-sealed", edit_stored=lambda data: data + b"\0", **unsealed),
            EITHER, "F1-IDX-3 F1-MSG-5", "One byte more, where the metadata do not say how long the payload is.",
        ),
        broken(
            single("size-moved-index", edit_stored=lambda data: data[:109] + b"\0" + data[109:], **unsealed),
            AUTHENTICATION, "F1-IDX-5", "A zero more in front of the index, which was sealed for another size.",
        ),
        cut("ends-in-header", 50, "truncated", "The bytes end in the header.", **announced(whole)),
        cut("ends-behind-header", 74, "truncated", "The bytes end behind the header.", **announced(whole)),
        cut("ends-in-segment", 40000, "truncated", "The bytes end in a segment.", **announced(whole)),
        cut("ends-behind-segment", 74 + SEGMENT, "truncated", "The bytes end behind a segment.", **announced(whole)),
        cut("ends-behind-message", 74 + SEGMENT + 33, "truncated", "The bytes end behind the message.", **announced(whole)),
        cut("ends-in-padding", 74 + SEGMENT + 50, "truncated", "The bytes end in the padding.", **announced(whole)),
        cut("ends-in-index", whole - 30, "truncated", "The bytes end in the index.", **announced(whole)),
        cut("ends-before-last-byte", whole - 1, "truncated", "The last byte is missing.", **announced(whole)),
        broken(
            single("size-goes-on", edit_stored=lambda data: data + b"\0"),
            "size_mismatch", "F1-READ-3", "A byte more than the provider said.",
            announced=lambda length: length - 1,
        ),
        broken(
            multipart("size-multipart-ends-behind-part", PART, b"abc", edit_stored=lambda data: data[: 74 + PART + 80 * 32]),
            "truncated", "F1-READ-3", "The bytes end behind the first part.",
            announced=lambda _: PART + 3 + 81 * 32 + 2 * 128 + 256,
        ),
        broken(
            single("size-plaintext", edit_stored=lambda data: b"plain text ".ljust(len(data), b".")),
            EITHER, "F1-IDX-3 F1-READ-1", "Plaintext of the right length.",
        ),
        broken(
            single("size-zeros", edit_stored=lambda data: bytes(len(data))),
            EITHER, "F1-IDX-3 F1-READ-1", "Zeros of the right length.",
        ),
    ]  # fmt: skip


def messages() -> list[Scenario]:
    def parameters(log2: int, aead: int = 0) -> bytes:
        return bytes([aead, 0]) + be((1 << log2) + 32, 4) + be(32, 4)

    def header(name: str, comment: str, requirements: str, layout: int = 0, **choices: object) -> Scenario:
        number = layout
        recipe = Recipe(f"message-{name}", [message(number, b"abc", **choices)], layout=layout)
        return broken(recipe, AUTHENTICATION, requirements, comment)

    def another_attempt(made: list[bytes], recipe: Recipe) -> list[bytes]:
        """The same part, encrypted again under the same keys."""
        writer = Writer(recipe)
        for _ in range(50):
            writer.draw(1)
        return [writer.message(recipe.messages[0])[0], *made[1:]]

    def flip(name: str, at: int, comment: str) -> Scenario:
        recipe = single(f"message-{name}", edit_stored=flipped(at))
        return broken(recipe, AUTHENTICATION, "F1-MSG-4 F1-READ-1", comment)

    old = "A genuine older attempt of the part stands in the place of the completed one."
    return [
        flip("parameters-flipped", 5, "A bit of the segment length in the header."),
        flip("iv-flipped", 20, "A bit of the FLOE IV."),
        flip("tag-flipped", 73, "The last bit of the header's tag."),
        header("larger-segments", "Message and envelope disagree about the segment size.", "F1-MSG-4", params=parameters(17)),
        header("another-suite", "Message and envelope disagree about the cipher.", "F1-MSG-4", params=parameters(16, 0x80)),
        header("unknown-derivation", "A key derivation that does not exist.", "F1-MSG-4", params=b"\0\1" + parameters(16)[2:]),
        header("aad-of-another-part", "The FLOE AAD names another part.", "F1-MSG-2", 1, aad=b"s3eg1 message" + be(2, 4) + b"\1"),
        header("aad-of-another-layout", "The FLOE AAD names the other layout.", "F1-MSG-2", aad=b"s3eg1 message" + be(0, 4) + b"\1"),
        header("without-aad", "No FLOE AAD.", "F1-MSG-2", aad=b""),
        header("key-of-another-part", "The message is encrypted under another part's key.", "F1-MSG-3", 1, key_number=2),
        header("key-of-single", "A part is encrypted under the key of single objects.", "F1-MSG-3", 1, key_number=0),
        broken(
            single("message-of-another-attempt", edit_messages=another_attempt),
            AUTHENTICATION, "F1-READ-1", "A genuine message of the same object under another header.",
        ),
        broken(
            multipart("part-of-an-older-attempt", PART, b"abc", edit_messages=another_attempt),
            AUTHENTICATION, "F1-READ-2", old,
        ),
    ]  # fmt: skip


def segments() -> list[Scenario]:
    def recipe(name: str, length: int = 3 * UNIT, **choices: object) -> Recipe:
        return single(f"segment-{name}", length, **choices)

    def order(*wanted: int) -> Callable[[bytes], bytes]:
        """The segments of the object in this order."""

        def edit(data: bytes) -> bytes:
            taken = [data[74 + k * SEGMENT : 74 + (k + 1) * SEGMENT] for k in wanted]
            return data[:74] + b"".join(taken) + data[74 + len(wanted) * SEGMENT :]

        return edit

    def cut_otherwise(
        name: str, length: int, cuts: list[tuple[int, int, bool]], comment: str, fields: dict[int, int] | None = None
    ) -> Scenario:
        made = message(0, length, cuts=cuts, length_fields=fields or {})
        # A segment more than the document has takes its room from the padding, so that the size stays.
        more = 32 * (len(cuts) - -(-length // UNIT))
        recipe = Recipe(f"segment-{name}", [made], padding=lambda count: bytes(count - more))
        return broken(recipe, AUTHENTICATION, "F1-MSG-5", comment)

    def flip(name: str, at: int, comment: str) -> Scenario:
        return broken(recipe(name, 2 * UNIT, edit_stored=flipped(at)), AUTHENTICATION, "F1-MSG-6", comment)

    plain = [(0, UNIT, False), (1, UNIT, True)]
    return [
        broken(recipe("swapped", edit_stored=order(1, 0, 2)), AUTHENTICATION, "F1-MSG-5", "The first two segments are swapped."),
        broken(recipe("last-two-swapped", edit_stored=order(0, 2, 1)), AUTHENTICATION, "F1-MSG-5", "The last two segments are swapped."),
        broken(recipe("repeated", edit_stored=order(0, 0, 2)), AUTHENTICATION, "F1-MSG-5", "A segment stands twice."),
        flip("length-flipped", 74, "A bit of a segment's length."),
        flip("nonce-flipped", 74 + 4, "A bit of a segment's nonce."),
        flip("ciphertext-flipped", 74 + 1000, "A bit of a segment's ciphertext."),
        flip("tag-flipped", 74 + SEGMENT - 1, "A bit of a segment's tag."),
        flip("last-tag-flipped", 74 + 2 * SEGMENT - 1, "A bit of the last segment's tag."),
        cut_otherwise("not-final-at-the-end", 2 * UNIT, [(0, UNIT, False), (1, UNIT, False)], "The last segment is not a final one."),
        cut_otherwise("final-in-the-middle", 2 * UNIT, [(0, UNIT, True), (1, UNIT, True)], "A final segment stands in the middle."),
        cut_otherwise("empty-final-behind-a-full-one", UNIT, [(0, UNIT, False), (1, 0, True)], "A full segment and an empty final one, which FLOE allows and this format does not."),
        cut_otherwise("counted-from-1", 2 * UNIT, [(1, UNIT, False), (2, UNIT, True)], "The segments are counted from 1."),
        cut_otherwise("length-in-a-full-one", 2 * UNIT, plain, "A segment that is not final says its length.", {0: SEGMENT}),
        cut_otherwise("no-length-in-the-final-one", 2 * UNIT, plain, "The final segment says that it is not final.", {1: 0xFFFFFFFF}),
        cut_otherwise("wrong-length-in-the-final-one", 2 * UNIT, plain, "The final segment says a length that is one too small.", {1: SEGMENT - 1}),
    ]  # fmt: skip


def parts() -> list[Scenario]:
    def order(*wanted: int) -> Callable[[list[bytes], Recipe], list[bytes]]:
        return lambda made, _: [made[at] for at in wanted]

    def recipe(name: str, *lengths: bytes | int, **choices: object) -> Recipe:
        return multipart(f"part-{name}", *lengths, **choices)

    swapped = "Two parts of the same length are swapped"
    return [
        broken(
            recipe("swapped", PART, PART, b"abc", edit_messages=order(1, 0, 2)),
            AUTHENTICATION, "F1-READ-2 F1-MSG-2", f"{swapped}.",
        ),
        broken(
            recipe("swapped-attempts-not-known", PART, PART, b"abc", edit_messages=order(1, 0, 2), attempts_known=False),
            AUTHENTICATION, "F1-MSG-2 F1-MSG-3", f"{swapped}, and no attempt is known.",
        ),
        broken(
            recipe("swapped-of-other-lengths", PART, PART + 1, b"abc", edit_messages=order(1, 0, 2), attempts_known=False),
            AUTHENTICATION, "F1-MSG-2 F1-MSG-5", "Two parts of other lengths are swapped, and no attempt is known.",
        ),
        broken(
            recipe("repeated", PART, PART, b"abc", edit_messages=order(0, 0, 2), attempts_known=False),
            AUTHENTICATION, "F1-MSG-2", "The first part stands in the place of the second, too.",
        ),
    ]  # fmt: skip


def padding_and_trailer() -> list[Scenario]:
    def padded(name: str, data: Callable[[int], bytes], comment: str, **choices: object) -> Scenario:
        return broken(single(f"padding-{name}", padding=data, **choices), MALFORMED, "F1-IDX-2", comment)

    def length(name: str, value: int, failure: str, comment: str) -> Scenario:
        return broken(single(f"index-length-{name}", sealed_length=value), failure, "F1-IDX-4", comment)

    # Behind the message of 109 bytes stand 310, eight of which are the trailer.
    return [
        padded("first-byte", lambda count: b"\1" + bytes(count - 1), "The first byte of the padding is not zero."),
        padded("last-byte", lambda count: bytes(count - 1) + b"\x80", "The last byte of the padding is not zero."),
        padded("spaces", lambda count: b" " * count, "The padding is spaces."),
        broken(single("index-magic", magic=b"S3E2"), MALFORMED, "F1-IDX-3", "The object does not end in S3E1."),
        length("0", 0, MALFORMED, "A sealed length of 0."),
        length("58", 58, MALFORMED, "A sealed length that no index has."),
        length("60", 60, AUTHENTICATION, "A sealed length that is one too large."),
        length("up-to-the-message", 302, AUTHENTICATION, "A sealed length that takes the padding in."),
        length("into-the-message", 303, MALFORMED, "A sealed length that reaches into the message."),
        length("of-32-bits", 0xFFFFFFFF, MALFORMED, "A sealed length of 2^32 - 1."),
    ]


def sealed_index() -> list[Scenario]:
    def aad(name: str, make: Callable[[bytes, int], bytes], comment: str) -> Scenario:
        return broken(single(f"index-{name}", index_aad=make), AUTHENTICATION, "F1-IDX-5", comment)

    label = b"s3eg1 index"
    return [
        broken(single("index-bit-flipped", edit_stored=flipped(-40)), AUTHENTICATION, "F1-IDX-5", "A bit of the sealed index."),
        broken(single("index-tag-flipped", edit_stored=flipped(-9)), AUTHENTICATION, "F1-IDX-5", "The last bit of the index's tag."),
        broken(
            single("index-under-the-metadata-key", index_key=b"s3eg1 meta"),
            AUTHENTICATION, "F1-IDX-5", "The index is sealed under the key of the metadata.",
        ),
        aad("aad-of-version-2", lambda commitment, size: label + b"\2" + commitment + be(size, 8), "The AAD has version 2."),
        aad("aad-of-another-object", lambda commitment, size: label + b"\1" + bytes(32) + be(size, 8), "The AAD has another commitment."),
        aad("aad-of-another-size", lambda commitment, size: label + b"\1" + commitment + be(size + 1, 8), "The AAD has another stored size."),
        aad("without-aad", lambda commitment, size: b"", "The index has no AAD."),
    ]  # fmt: skip


def index_fields() -> list[Scenario]:
    def field(name: str, requirements: str, field: str, value: bytes, comment: str, failure: str = MALFORMED) -> Scenario:
        return broken(single(f"index-{name}", index={field: value}), failure, requirements, comment)

    def entries(name: str, requirements: str, table: list[tuple[int, int, bytes]], comment: str, failure: str = MALFORMED) -> Scenario:
        return broken(single(f"index-{name}", index_entries=table), failure, requirements, comment)

    def numbers(name: str, wanted: list[int], comment: str) -> Scenario:
        recipe = multipart(f"index-{name}", *[PART] * (len(wanted) - 1), b"abc", numbers=wanted)
        return broken(recipe, MALFORMED, "F1-IDX-9", comment)

    tag, above = bytes(range(8)), (50 << 40) + 1
    return [
        field("version-0", "F1-IDX-7", "version", b"\0", "Version 0.", "unsupported"),
        field("version-2", "F1-IDX-7", "version", b"\2", "A later version.", "unsupported"),
        field("of-the-other-layout", "F1-IDX-7", "layout", b"\1", "The index is that of a multipart object."),
        field("layout-2", "F1-IDX-7", "layout", b"\2", "An unknown layout."),
        field("total-too-small", "F1-IDX-8", "total", be(2, 8), "The total is not the payload's length.", "size_mismatch"),
        field("total-above-50-tib", "F1-SIZE-3", "total", be(above, 8), "A total of 50 TiB and a byte."),
        field("byte-too-many", "F1-IDX-11", "rest", b"\0", "A byte behind the checksums."),
        field("without-checksums", "F1-IDX-11", "checksums", b"", "The index ends before the checksums."),
        field("count-too-large", "F1-IDX-11", "count", be(2, 2), "The index says that it has two parts, and has one."),
        entries("no-parts", "F1-IDX-9", [], "No parts."),
        entries("two-parts-of-a-single-object", "F1-IDX-9", [(0, 3, tag), (0, 0, tag)], "A single object has two parts."),
        entries("part-1-of-a-single-object", "F1-IDX-9", [(1, 3, tag)], "The part of a single object has number 1."),
        entries("another-attempt-of-a-single-object", "F1-IDX-9", [(0, 3, tag)], "The attempt tag is not the message's."),
        entries("no-attempt-of-a-single-object", "F1-IDX-9", [(0, 3, bytes(8))], "A single object has no attempt tag."),
        entries("sum-too-large", "F1-IDX-8", [(0, 4, tag)], "The part is longer than the payload.", "size_mismatch"),
        entries("part-above-50-tib", "F1-SIZE-3", [(0, above, tag)], "A part of 50 TiB and a byte."),
        broken(
            single("index-of-a-shorter-payload", index={"total": be(2, 8)}, index_entries=[(0, 2, tag)]),
            "size_mismatch", "F1-IDX-8", "Total and sum agree, and the payload is longer.",
        ),
        numbers("part-number-0", [0], "A part of number 0."),
        numbers("part-number-10001", [10001], "A part of number 10 001."),
        numbers("part-number-65535", [65535], "A part of number 65 535."),
        numbers("part-numbers-descending", [2, 1], "Part numbers descend."),
        numbers("part-number-twice", [1, 1], "A part number twice."),
        broken(
            multipart("index-part-below-5-mib", b"abc", b"abc"),
            MALFORMED, "F1-IDX-10", "A part before the last has less than 5 MiB.",
        ),
        broken(
            multipart("index-part-of-5-mib-less-a-byte", PART - 1, b"abc"),
            MALFORMED, "F1-IDX-10", "A part before the last has a byte less than 5 MiB.",
        ),
        broken(
            multipart("index-empty-part-before-the-last", b"", b"abc"),
            MALFORMED, "F1-IDX-10", "A part before the last has no bytes.",
        ),
    ]  # fmt: skip
