"""Objects that every reader has to refuse for their metadata, each wrong in one thing. The files are named after it."""

from __future__ import annotations

from dataclasses import replace

from s3eg_writer import BUCKET, Recipe, Writer, be, sized
from scenario import AUTHENTICATION, MALFORMED, Edit, Scenario, broken, flipped, multipart, single


def scenarios() -> list[Scenario]:
    groups = (
        envelope_text, envelope_ids, envelope_fields, envelope_seal, wrapped_keys, sealed_metadata, checksum_lists,
        header_fields,
    )  # fmt: skip
    return [scenario for group in groups for scenario in group()]


def envelope_text() -> list[Scenario]:
    def text(name: str, edit: Edit, comment: str, **choices: object) -> Scenario:
        return broken(single(f"envelope-{name}", edit_text=edit, **choices), MALFORMED, "F1-ENV-1", comment)

    def other_alphabet(data: bytes) -> bytes:
        assert b"-" in data and b"_" in data, "0xFB gives both wherever it stands"
        return data.replace(b"-", b"+").replace(b"_", b"/")

    def unused_bits(data: bytes) -> bytes:
        assert len(data) % 4 in (2, 3), "the last character has unused bits"
        alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return data[:-1] + bytes([alphabet[alphabet.index(data[-1]) + 1]])

    longer = {"before": {"wrapped bucket key": sized(b"\xfb" * 60, 2)}}
    return [
        text("empty", lambda data: b"", "The envelope has no characters."),
        text("padded", lambda data: data + b"=" * (-len(data) % 4 or 4), "Base64 with padding.", policy=b"default!"),
        text("standard-base64", other_alphabet, "The alphabet of ordinary base64.", **longer),
        text("unused-bits", unused_bits, "The last character has bits that belong to no byte.", policy=b"default!"),
        text("lone-character", lambda data: data[: len(data) // 4 * 4] + b"A", "A character that makes no whole byte."),
        text("with-a-space", lambda data: data[:50] + b" " + data[50:], "A space between two characters."),
        text("too-long", lambda data: data + b"A" * (4097 - len(data)), "4 097 characters."),
    ]


def envelope_ids() -> list[Scenario]:
    def unknown(name: str, field: str, value: int, comment: str) -> Scenario:
        recipe = single(f"envelope-{name}", before={field: bytes([value])})
        return broken(recipe, "unsupported", "F1-ENV-2", comment)

    return [
        unknown("version-0", "version", 0, "Version 0."),
        unknown("version-2", "version", 2, "A later version."),
        unknown("suite-0", "suite", 0, "Suite 0."),
        unknown("suite-3", "suite", 3, "An unknown suite."),
        unknown("segments-of-32-kib", "log2", 15, "Segments below 64 KiB."),
        unknown("segments-of-2-mib", "log2", 21, "Segments above 1 MiB."),
        unknown("layout-2", "layout", 2, "An unknown layout."),
    ]


def envelope_fields() -> list[Scenario]:
    def field(name: str, field: str, value: bytes, comment: str, failure: str = MALFORMED) -> Scenario:
        recipe = single(f"envelope-{name}", before={field: value})
        return broken(recipe, failure, "F1-ENV-3", comment, local_keyring=False)

    def cut(name: str, length: int, comment: str) -> Scenario:
        recipe = single(f"envelope-{name}", edit_envelope=lambda data: data[:length])
        return broken(recipe, MALFORMED, "F1-ENV-3", comment)

    headless = single("envelope-without-floe-header", before={"floe header": b""})
    surplus = multipart("envelope-multipart-with-floe-header", b"abc", before={"floe header": bytes(range(74))})
    return [
        field("policy-empty", "policy", sized(b""), "The policy has no name."),
        field("policy-too-long", "policy", sized(b"p" * 65), "A policy name of 65 bytes."),
        field("policy-not-utf-8", "policy", sized(b"p\xe4"), "A policy name that is not UTF-8."),
        field("policy-overlong-utf-8", "policy", sized(b"p\xc0\xaf"), "An overlong form of UTF-8 in the policy name."),
        field("kek-name-empty", "kek name", sized(b""), "The KEK has no name."),
        field("kek-name-too-long", "kek name", sized(b"k" * 65), "A KEK name of 65 bytes."),
        field("kek-name-with-space", "kek name", sized(b"a key"), "A space in the KEK name."),
        field("kek-name-with-delete", "kek name", sized(b"key\x7f"), "0x7F in the KEK name."),
        field("kek-version-empty", "kek version", sized(b""), "No KEK version."),
        field("kek-version-too-long", "kek version", sized(b"1" * 129), "A KEK version of 129 bytes."),
        field("kek-version-not-ascii", "kek version", sized("1ä".encode()), "A KEK version that is not ASCII."),
        field("wrapped-key-empty", "wrapped bucket key", sized(b"", 2), "No wrapped bucket key."),
        field("wrapped-key-too-long", "wrapped bucket key", sized(bytes(1025), 2), "1 025 bytes of wrapped bucket key."),
        field("recovery-too-short", "recovery", sized(bytes(87)), "A recovery field of 87 bytes."),
        field("recovery-too-long", "recovery", sized(bytes(89)), "A recovery field of 89 bytes."),
        broken(
            single("envelope-recovery-changed", recovery=True, after={"recovery": sized(bytes(88))}),
            AUTHENTICATION, "F1-ENV-5", "The recovery field was changed after it was sealed.",
        ),
        broken(
            single("envelope-recovery-removed", recovery=True, after={"recovery": b"\0"}),
            AUTHENTICATION, "F1-ENV-5", "The recovery field was taken away.",
        ),
        cut("one-byte", 1, "The envelope ends behind its version."),
        cut("cut-in-salt", 20, "The envelope ends in the salt."),
        cut("cut-in-wrapped-key", 120, "The envelope ends in the wrapped bucket key."),
        cut("cut-in-floe-header", 230, "The envelope ends in the FLOE header."),
        broken(
            single("envelope-sealed-metadata-too-short", after={"sealed": bytes(62)}),
            MALFORMED, "F1-ENV-3", "Sealed metadata of 62 bytes.",
        ),
        broken(
            single("envelope-sealed-metadata-too-long", after={"sealed": bytes(176)}),
            MALFORMED, "F1-ENV-3", "Sealed metadata of 176 bytes.",
        ),
        broken(headless, MALFORMED, "F1-ENV-4", "A single object without its FLOE header."),
        broken(surplus, AUTHENTICATION, "F1-ENV-4", "A multipart object with a FLOE header, which its reader takes for sealed metadata."),
    ]  # fmt: skip


def envelope_seal() -> list[Scenario]:
    def changed(name: str, field: str, value: bytes, comment: str, requirements: str = "F1-ENV-5 F1-ENV-6") -> Scenario:
        return broken(single(f"envelope-{name}", after={field: value}), AUTHENTICATION, requirements, comment)

    def another(recipe: Recipe) -> dict[str, bytes]:
        """Header fields of another object under the same names."""
        return Writer(replace(recipe, name=f"{recipe.name}, another")).write().headers

    whole = single("envelope-of-another-object")
    return [
        changed("segment-size-changed", "log2", bytes([17]), "The segment size was changed after sealing."),
        changed("suite-changed", "suite", b"\2", "The suite was changed after sealing."),
        changed("kek-name-changed", "kek name", sized(b"lokal"), "The KEK's name was changed after sealing."),
        changed("floe-header-changed", "floe header", bytes(74), "The FLOE header was changed after sealing."),
        broken(
            single("envelope-policy-changed", edit_envelope=lambda data: data.replace(b"default", b"defbult")),
            AUTHENTICATION, "F1-ENV-5", "The policy was changed after sealing, so the bucket key does not open either.",
        ),
        broken(
            single("envelope-last-bit-flipped", edit_envelope=flipped(-1)),
            AUTHENTICATION, "F1-ENV-6", "The last bit of the sealed metadata is the other way round.",
        ),
        broken(
            replace(whole, headers_after={**another(whole)}),
            AUTHENTICATION, "F1-KEY-2 F1-KEY-3", "All metadata are those of another object that had the same name.",
        ),
    ]  # fmt: skip


def wrapped_keys() -> list[Scenario]:
    return [
        broken(
            single("commitment-of-another-key", commitment_xor=1),
            AUTHENTICATION, "F1-KEY-2", "Everything was made under a commitment that is not that of DEK and salt.",
        ),
        broken(
            single("commitment-changed", after={"commitment": bytes(32)}),
            AUTHENTICATION, "F1-KEY-3", "The commitment was changed: the DEK does not open.",
        ),
        broken(
            single("salt-changed", after={"salt": bytes(32)}),
            AUTHENTICATION, "F1-KEY-2", "The salt was changed: the commitment is not that of the envelope.",
        ),
        broken(
            single("key-of-another-object", dek_key="folder/other"),
            AUTHENTICATION, "F1-KEY-3", "The object was put under another key than it was written for.",
        ),
        broken(
            single("bucket-of-another-object", dek_bucket="another-bucket"),
            AUTHENTICATION, "F1-KEY-3", "The object was put into another bucket than it was written for.",
        ),
        broken(
            single("name-cut-elsewhere", dek_bucket=BUCKET + "folder", dek_key="/käse"),
            AUTHENTICATION, "F1-KEY-3", "The object was written for the same characters, cut elsewhere into bucket and key.",
        ),
        broken(
            single("bucket-key-of-another-policy", bucket_key_context=(b"other", BUCKET.encode())),
            AUTHENTICATION, "F1-KEY-3", "The bucket key was wrapped for another policy.",
        ),
        broken(
            single("bucket-key-of-another-bucket", bucket_key_context=(b"default", b"another-bucket")),
            AUTHENTICATION, "F1-KEY-3", "The bucket key was wrapped for another bucket.",
        ),
    ]  # fmt: skip


def sealed_metadata() -> list[Scenario]:
    def sealed(name: str, field: str, value: bytes, comment: str, failure: str = MALFORMED) -> Scenario:
        return broken(single(f"metadata-{name}", metadata={field: value}), failure, "F1-META-1", comment)

    too_long = be((50 << 40) + 1, 8)
    return [
        sealed("flag-2", "payload", b"\2" + be(3, 8), "The flag of the payload's length is 2."),
        sealed("length-above-50-tib", "payload", b"\1" + too_long, "A payload of 50 TiB and a byte."),
        sealed("length-of-64-bits", "payload", b"\1" + b"\xff" * 8, "A payload of 2^64 - 1 bytes."),
        sealed("original-length-above-50-tib", "compression", b"\1" + too_long, "50 TiB and a byte before compression."),
        sealed("compression-3", "compression", b"\3" + be(3, 8), "An unknown compression.", "unsupported"),
        sealed("byte-too-many", "rest", b"\0", "A byte behind the last field."),
        sealed("byte-too-few", "compression", b"\1" + be(3, 7), "The last length has seven bytes."),
        broken(
            single("metadata-length-of-another-object", metadata={"payload": b"\1" + be(4, 8)}),
            "size_mismatch", "F1-META-3", "The sealed length is not that of the stored object.",
        ),
    ]  # fmt: skip


def checksum_lists() -> list[Scenario]:
    lists = [
        ("id-0", b"\1\0\0abcd", "unsupported", "An algorithm with id 0."),
        ("id-11", b"\1\13\0abcd", "unsupported", "An unknown algorithm."),
        ("type-2", b"\1\1\2abcd", MALFORMED, "An unknown type."),
        ("twice", b"\2\1\0abcd\1\0abcd", MALFORMED, "The same algorithm twice."),
        ("descending", b"\2\2\0abcd\1\0abcd", MALFORMED, "Algorithms in descending order."),
    ]
    found = []
    for name, data, failure, comment in lists:
        sealed = single(f"checksum-{name}-sealed", sealed_checksums=data)
        indexed = single(f"checksum-{name}-in-index", index_checksums=data)
        found += [broken(recipe, failure, "F1-SUM-1", comment) for recipe in (sealed, indexed)]
    return found


def header_fields() -> list[Scenario]:
    given = {"x-amz-meta-a": b"1", "content-type": b"text/plain"}

    def after(name: str, fields: dict[str, bytes | None], comment: str) -> Scenario:
        recipe = single(f"header-{name}", headers=given, headers_after=fields)
        return broken(recipe, AUTHENTICATION, "F1-META-2 F1-DIG-1", comment)

    return [
        after("changed", {"x-amz-meta-a": b"2"}, "A value of the user's metadata was changed."),
        after("added", {"x-amz-meta-b": b""}, "A field was added to the user's metadata."),
        after("removed", {"x-amz-meta-a": None}, "A field was taken from the user's metadata."),
        after("content-type-changed", {"content-type": b"text/html"}, "Content-Type was changed."),
        after("content-type-removed", {"content-type": None}, "Content-Type was taken away."),
        after("renamed", {"x-amz-meta-a": None, "x-amz-meta-b": b"1"}, "A field was renamed."),
        after("similar-name-added", {"x-amz-meta-s3eg-": b"1"}, "A field whose name only begins like those of the envelope."),
        broken(
            single("header-no-envelope", headers_after={"x-amz-meta-s3eg": None}),
            "not_format_1", "", "The object has no envelope.",
        ),
    ]  # fmt: skip
