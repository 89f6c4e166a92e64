"""Objects that every reader has to open."""

from __future__ import annotations

import hashlib
import zlib

from s3eg_writer import MIB, PART, UNIT, be, sized
from scenario import Scenario, multipart, single

TEXT = b"The quick brown fox jumps over the lazy dog. " * 3


def reflected_crc(data: bytes, polynomial: int, bits: int) -> int:
    """CRC with reflected polynomial, all ones before and after (CRC-32C, CRC-64/NVME)."""
    ones = (1 << bits) - 1
    crc = ones
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
    return crc ^ ones


def checksums(data: bytes) -> bytes:
    """Every checksum of the whole object, as section 8.1 lists them."""
    values = [
        be(zlib.crc32(data), 4),
        be(reflected_crc(data, 0x82F63B78, 32), 4),
        be(reflected_crc(data, 0x9A6C9329AC4BC9B5, 64), 8),
        hashlib.sha1(data).digest(),
        hashlib.sha256(data).digest(),
        hashlib.md5(data).digest(),
    ]
    return bytes([6]) + b"".join(bytes([number, 0]) + value for number, value in enumerate(values, 1))


def gzip_stored(data: bytes) -> bytes:
    """A gzip stream that does not depend on the release of a library: one block, stored."""
    block = b"\1" + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def zstd_raw(data: bytes) -> bytes:
    """A zstd frame of one raw block, of less than 256 bytes."""
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + (len(data) << 3 | 1).to_bytes(3, "little") + data


def scenarios() -> list[Scenario]:
    return [*singles(), *multiparts(), *sealed_metadata(), *header_fields(), *keys(), *recovery()]


def recovery() -> list[Scenario]:
    choices = {"recovery": True, "policy": "Käse".encode()}
    ids = "F1-REC-1 F1-REC-2"
    return [
        Scenario(single("valid-recovery-single", TEXT, **choices), ids, "Also sealed for a recovery key."),
        Scenario(multipart("valid-recovery-multipart", TEXT, **choices), ids, "In parts, also sealed for a recovery key."),
    ]


def singles() -> list[Scenario]:
    def valid(name: str, plaintext: bytes | int, comment: str, requirements: str, **choices: object) -> Scenario:
        return Scenario(single(f"valid-single-{name}", plaintext, **choices), requirements, comment)

    return [
        valid("empty", b"", "No bytes: one final segment of no bytes.", "F1-SIZE-1 F1-MSG-5"),
        valid("one-byte", b"a", "One byte.", "F1-SIZE-1"),
        valid("text", TEXT, "Some text.", "F1-SIZE-1 F1-MSG-2 F1-KEY-3"),
        valid("one-full-segment", UNIT, "Exactly one segment, which is full and final.", "F1-MSG-5"),
        valid("one-byte-more-than-a-segment", UNIT + 1, "Two segments, the last of one byte.", "F1-MSG-5"),
        valid("two-full-segments", 2 * UNIT, "Two full segments.", "F1-MSG-5 F1-SIZE-1"),
        valid("three-segments", 3 * UNIT - 1, "Three segments, the last one byte short.", "F1-MSG-5"),
        valid("chacha20", TEXT, "Suite 2: ChaCha20-Poly1305.", "F1-MSG-4 F1-ENV-2", suite=2),
        valid("chacha20-two-segments", UNIT + 7, "Suite 2, two segments.", "F1-MSG-4 F1-ENV-2", suite=2),
        valid("segments-of-256-kib", 256 * 1024 + 5, "A larger segment: more padding.", "F1-IDX-1 F1-ENV-2", log2=18),
        valid("segments-of-1-mib", MIB + 5, "The largest segment.", "F1-IDX-1 F1-IDX-2 F1-ENV-2", log2=20),
        valid("5-mib", PART, "As long as a part, whose 128 bytes are padding here.", "F1-IDX-1 F1-IDX-10"),
    ]


def multiparts() -> list[Scenario]:
    def valid(name: str, comment: str, requirements: str, *parts: bytes | int, **choices: object) -> Scenario:
        return Scenario(multipart(f"valid-multipart-{name}", *parts, **choices), requirements, comment)

    unknown = "Attempt tags of zero: not known, so any attempt opens."
    return [
        valid("one-part", "One short part.", "F1-MSG-3 F1-IDX-9", b"abc"),
        valid("one-empty-part", "One part of no bytes.", "F1-IDX-10", b""),
        valid("two-parts", "A part of 5 MiB and three bytes.", "F1-IDX-9 F1-IDX-10 F1-READ-2", PART, b"abc"),
        valid("odd-parts", "Three parts that end within segments.", "F1-IDX-8", PART + 1, PART + UNIT - 1, b"xyz"),
        valid("empty-last-part", "The last part has no bytes.", "F1-IDX-10 F1-READ-3", PART, b""),
        valid("numbers-with-gaps", "Parts 7 and 10 000.", "F1-IDX-9 F1-MSG-3", PART, b"abc", numbers=[7, 10000]),
        valid("attempts-not-known", unknown, "F1-READ-2", PART, b"abc", attempts_known=False),
        valid("chacha20", "Suite 2 in parts.", "F1-MSG-4", PART, b"abc", suite=2),
        valid("segments-of-1-mib", "Larger segments in parts.", "F1-IDX-1", PART + 5, MIB + 1, log2=20),
    ]


def sealed_metadata() -> list[Scenario]:
    composite = bytes([2, 1, 1]) + b"abcd" + bytes([5, 1]) + bytes(range(32))
    packed, squeezed = gzip_stored(TEXT), zstd_raw(TEXT)

    def compressed(name: str, number: int, algorithm: str, payload: bytes) -> Scenario:
        recipe = single(f"valid-compressed-{name}", payload, metadata={"compression": bytes([number]) + be(len(TEXT), 8)})
        comment = f"The payload is {algorithm} of {len(TEXT)} bytes."
        return Scenario(recipe, "F1-META-1", comment, compression={"algorithm": algorithm, "bytes": len(TEXT)})

    return [
        Scenario(
            single("valid-payload-length-not-given", metadata={"payload": b"\0"}),
            "F1-META-3",
            "A single object whose sealed metadata leave the payload's length out.",
        ),
        Scenario(
            single("valid-all-checksums-sealed", TEXT, sealed_checksums=checksums(TEXT)),
            "F1-SUM-1",
            "Every checksum, known before the upload.",
        ),
        Scenario(
            single("valid-all-checksums-in-index", TEXT, index_checksums=checksums(TEXT)),
            "F1-SUM-1 F1-IDX-4",
            "Every checksum, known at the end: the longest index of one part.",
        ),
        Scenario(
            single("valid-sha512-sealed", TEXT, sealed_checksums=b"\1\7\0" + hashlib.sha512(TEXT).digest()),
            "F1-SUM-1",
            "A checksum that S3 took up later.",
        ),
        Scenario(
            multipart("valid-composite-checksums", b"abc", index_checksums=composite),
            "F1-SUM-1",
            "Checksums over those of the parts.",
        ),
        compressed("gzip", 1, "gzip", packed),
        compressed("zstd", 2, "zstd", squeezed),
    ]


def header_fields() -> list[Scenario]:
    """User metadata as HTTP gives it, with its canonical form written out by hand."""

    def valid(name: str, comment: str, requirements: str, fields: dict[str, bytes], canonical: dict[str, bytes]) -> Scenario:
        return Scenario(single(f"valid-metadata-{name}", headers=fields, canonical=canonical), requirements, comment)

    given = {"x-amz-meta-b": b"2", "content-type": b"text/plain", "x-amz-meta-a": b"1"}
    return [
        valid("content-type", "Content-Type and two fields, which are sorted.", "F1-DIG-1 F1-DIG-3", given, {}),
        valid(
            "white-space",
            "Runs of white space become one space, those at the ends nothing.",
            "F1-DIG-2",
            {"x-amz-meta-a": b"  a \t  b  ", "x-amz-meta-b": b" "},
            {"x-amz-meta-a": b"a b", "x-amz-meta-b": b""},
        ),
        valid(
            "utf-8-and-latin-1",
            "Bytes that are not UTF-8 are ISO-8859-1.",
            "F1-DIG-2",
            {"x-amz-meta-latin": b"k\xe4se", "x-amz-meta-utf": "käse".encode()},
            {"x-amz-meta-latin": "käse".encode()},
        ),
        valid(
            "encoded-words",
            "Encoded-words are replaced, and white space between two of them dropped.",
            "F1-DIG-2",
            {
                "x-amz-meta-base64": b"=?UTF-8?B?a8Okc2U=?=",
                "x-amz-meta-inside": b"a=?utf-8?q?=C3=A4_b?=c",
                "x-amz-meta-two": b"=?utf-8?Q?k=C3=A4?= \t =?us-ascii?b?c2U=?= !",
            },
            {
                "x-amz-meta-base64": "käse".encode(),
                "x-amz-meta-inside": "aä bc".encode(),
                "x-amz-meta-two": "käse !".encode(),
            },
        ),
        valid(
            "no-encoded-words",
            "What only looks like encoded-words stays as it is.",
            "F1-DIG-2",
            {
                "x-amz-meta-charset": b"=?iso-8859-1?Q?=E4?=",
                "x-amz-meta-padding": b"=?utf-8?B?w6Q?=",
                "x-amz-meta-digits": b"=?utf-8?Q?=4?=",
                "x-amz-meta-no-utf-8": b"=?utf-8?Q?=E4?=",
                "x-amz-meta-space": b"=?utf-8?Q?a b?=",
                "x-amz-meta-twice": b"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=",
            },
            {"x-amz-meta-twice": b"=?utf-8?Q?a?="},
        ),
    ]


def keys() -> list[Scenario]:
    longest = single(
        "valid-longest-names",
        policy="ä".encode() * 32,
        kek_name="~" * 64,
        kek_version="!" * 128,
        before={"wrapped bucket key": sized(bytes(range(256)) * 4, 2)},
    )
    other_name = ("b" * 63, "../ä//\x01 日本/" + "k" * 900)
    return [
        Scenario(
            single("valid-second-key-version", kek_version="2"),
            "F1-KEY-3",
            "The bucket key is wrapped by the second version of the keyring.",
        ),
        Scenario(longest, "F1-ENV-3", "Every name, and the wrapped bucket key, as long as they may be.", local_keyring=False),
        Scenario(
            single("valid-long-unusual-key", dek_bucket=other_name[0], dek_key=other_name[1]),
            "F1-KEY-3",
            "A long object key with everything that a path should not have.",
            bucket=other_name[0],
            key=other_name[1],
            local_keyring=False,
        ),
        Scenario(
            single("valid-label-of-another-key", headers_after={"x-amz-meta-s3eg-key": b"another:9"}),
            "F1-DIG-1",
            "The label in clear is not authenticated, and nothing is taken from it.",
        ),
    ]
