#!/usr/bin/env python3
"""Independent reader of object format 1.

Written from docs/format/format-1.md and docs/format/local-keyring.md alone; it shares no code with the
gateway. It reads whole objects whose key-encryption key is a local keyring, single and multipart, both
cipher suites, and hands out plaintext only after everything verified. Ids such as F1-IDX-4 name the
requirements of the format document; "section" is a section of it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import load_pem_private_key

KIB, MIB, TIB = 1 << 10, 1 << 20, 1 << 40
MAX_PAYLOAD = 50 * TIB
MIN_PART = 5 * MIB
SEAL_OVERHEAD = 28  # nonce(12) and tag(16)
SEGMENT_OVERHEAD = 32  # length(4), nonce(12) and tag(16)
HEADER_BYTES = 74
TRAILER_BYTES = 8
ENVELOPE_FIELD, LABEL_FIELD, META_PREFIX = "x-amz-meta-s3eg", "x-amz-meta-s3eg-key", "x-amz-meta-"
Sink = Callable[[bytes], object]


class FormatError(Exception):
    """The object cannot be read. `kind` is one of the kinds of failure of the format document, or
    `key_unavailable` (the keyring has no such key) or `bad_input` (a file of the caller is not as expected)."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind


def require(condition: bool, kind: str, reason: str) -> None:
    """Raise FormatError unless the condition holds."""
    if not condition:
        raise FormatError(kind, reason)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


class Fields:
    """Takes fields off the front of a byte string; a field that is cut off is *malformed*."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.what, self.at = data, what, 0

    def take(self, count: int) -> bytes:
        require(self.at + count <= len(self.data), "malformed", f"the {self.what} is cut off")
        self.at += count
        return self.data[self.at - count : self.at]

    def uint(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def sized(self, length_bytes: int, longest: int) -> bytes:
        """A field behind its own length, of 1 … longest bytes."""
        length = self.uint(length_bytes)
        require(1 <= length <= longest, "malformed", f"a field of the {self.what} has {length} bytes")
        return self.take(length)

    def end(self) -> None:
        require(self.at == len(self.data), "malformed", f"bytes follow the {self.what}")


# --- Section 1 and 4: primitives and keys -----------------------------------------------------------


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, ikm, "sha384")


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), "sha384")
        output += block
        counter += 1
    return output[:length]


def open_sealed(key: bytes, sealed: bytes, aad: bytes, what: str) -> bytes:
    """The inverse of seal(key, plaintext, aad)."""
    require(len(sealed) >= SEAL_OVERHEAD, "malformed", f"the {what} is cut off")
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], aad)
    except InvalidTag:
        raise FormatError("authentication_failed", f"the {what} does not open") from None


def xaes_parameters(key: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    """Key and nonce for AES-256-GCM that XAES-256-GCM (C2SP) derives from a nonce of 24 bytes."""
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    whole = int.from_bytes(block.update(bytes(16)), "big") << 1
    if whole >> 128:
        whole ^= (1 << 128) ^ 0b10000111
    messages = (b"\0" + bytes([counter]) + b"X\0" + nonce[:12] for counter in (1, 2))
    derived = b"".join(block.update((int.from_bytes(m, "big") ^ whole).to_bytes(16, "big")) for m in messages)
    return derived, nonce[12:]


def open_wide(key: bytes, sealed: bytes, aad: bytes, what: str) -> bytes:
    """What XAES-256-GCM sealed: nonce(24), ciphertext, tag(16)."""
    require(len(sealed) >= 40, "malformed", f"the {what} is cut off")
    derived, nonce = xaes_parameters(key, sealed[:24])
    return open_sealed(derived, nonce + sealed[24:], aad, what)


class ObjectKeys:
    """The keys that follow from DEK and salt."""

    def __init__(self, dek: bytes, salt: bytes) -> None:
        self._prk = hkdf_extract(salt, dek)

    def _derive(self, info: bytes) -> bytes:
        return hkdf_expand(self._prk, info, 32)

    def part(self, number: int) -> bytes:
        return self._derive(b"s3eg1 part " + u32(number))

    def index(self) -> bytes:
        return self._derive(b"s3eg1 index")

    def metadata(self) -> bytes:
        return self._derive(b"s3eg1 meta")

    def commitment(self) -> bytes:
        return self._derive(b"s3eg1 commit")


class Keyring:
    """The file of a local key provider: key versions and their 32 bytes."""

    def __init__(self, text: str) -> None:
        try:
            document = json.loads(text)
            known = document["version"] == 1
            self._keys = {
                str(entry["version"]): base64.b64decode(entry["key"], validate=True) for entry in document["keys"]
            }
        except (ValueError, KeyError, TypeError):
            raise FormatError("bad_input", "the keyring is not as docs/format/local-keyring.md describes it") from None
        require(known, "bad_input", "the keyring has an unknown version")
        require(all(len(key) == 32 for key in self._keys.values()), "bad_input", "a key of the keyring is not 32 bytes")

    def unwrap(self, envelope: Envelope, bucket: bytes) -> bytes:
        """The bucket key of an envelope."""
        key = self._keys.get(envelope.kek_version)
        if key is None:
            raise FormatError("key_unavailable", f"the keyring has no key version {envelope.kek_version}")
        policy = envelope.policy.encode()
        aad = b"s3eg1 kek" + u16(len(policy)) + policy + u16(len(bucket)) + bucket
        bucket_key = open_wide(key, envelope.wrapped_bucket_key, aad, "wrapped bucket key")
        require(len(bucket_key) == 32, "malformed", "the bucket key is not 32 bytes")
        return bucket_key


class RecoveryKey:
    """The private half of a recovery key (section 7.1): HPKE of RFC 9180, base mode, single shot."""

    KEM, SUITE = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"

    def __init__(self, pem: bytes) -> None:
        try:
            key = load_pem_private_key(pem, None)
        except ValueError:
            raise FormatError("bad_input", "the recovery key is not a private key in PEM") from None
        if not isinstance(key, X25519PrivateKey):
            raise FormatError("bad_input", "the recovery key is not an X25519 key")
        self._key = key
        self._public = key.public_key().public_bytes_raw()

    def unwrap(self, envelope: Envelope, bucket: bytes) -> bytes:
        """The bucket key of an envelope."""
        if envelope.recovery is None:
            raise FormatError("key_unavailable", "the object was written without a recovery key")
        identity, encapsulated, sealed = envelope.recovery[:8], envelope.recovery[8:40], envelope.recovery[40:]
        own = hashlib.sha256(self._public).digest()[:8]
        require(identity == own, "key_unavailable", f"the object is for recovery key {identity.hex()}, this is {own.hex()}")
        policy = envelope.policy.encode()
        key, nonce = self._schedule(encapsulated, b"s3eg1 recovery")
        aad = u16(len(policy)) + policy + u16(len(bucket)) + bucket
        return open_sealed(key, nonce + sealed, aad, "recovery field")

    def _schedule(self, encapsulated: bytes, info: bytes) -> tuple[bytes, bytes]:
        try:
            agreed = self._key.exchange(X25519PublicKey.from_public_bytes(encapsulated))
        except ValueError:
            raise FormatError("authentication_failed", "the recovery field holds no public key") from None
        prk = self._extract(self.KEM, b"", b"eae_prk", agreed)
        shared = self._expand(self.KEM, prk, b"shared_secret", encapsulated + self._public, 32)
        hashes = [self._extract(self.SUITE, b"", label, data) for label, data in ((b"psk_id_hash", b""), (b"info_hash", info))]
        context = b"\0" + b"".join(hashes)
        secret = self._extract(self.SUITE, shared, b"secret", b"")
        return self._expand(self.SUITE, secret, b"key", context, 32), self._expand(self.SUITE, secret, b"base_nonce", context, 12)

    @staticmethod
    def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")

    @staticmethod
    def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return hmac.digest(prk, u16(length) + b"HPKE-v1" + suite + label + info + b"\1", "sha256")[:length]


# --- Section 3: sizes -------------------------------------------------------------------------------


def stored_bytes(payload: int) -> int:
    return payload + 32 * max(1, ceil_div(payload, 65536)) + 128 * (payload // 5242880 + 1) + 256


def payload_bytes(stored: int) -> int:
    """P of a stored size (F1-SIZE-2, F1-SIZE-3)."""
    block = 5242880 + 80 * 32 + 128
    blocks, rest = divmod(stored - 384, block)
    payload = blocks * 5242880 + rest - 32 * ceil_div(rest, 65568)
    possible = 0 <= payload <= MAX_PAYLOAD and stored_bytes(payload) == stored
    require(possible, "not_format_1", f"no object of format 1 has {stored} bytes")
    return payload


def message_bytes(plaintext: int, segment: int) -> int:
    return HEADER_BYTES + plaintext + SEGMENT_OVERHEAD * max(1, ceil_div(plaintext, segment))


# --- Section 5: messages ----------------------------------------------------------------------------


@dataclass(frozen=True)
class FloeParameters:
    """What a FLOE header says about its message. Format 1 fixes the IV at 32 bytes and the rotation at 20 bits."""

    aead: int
    encrypted_segment: int
    rotation_bits: int = 20

    def encode(self) -> bytes:
        return bytes([self.aead, 0]) + u32(self.encrypted_segment) + u32(32)


class Floe:
    """Decryption of one FLOE message, segment by segment."""

    CIPHERS = {0x00: AESGCM, 0x80: ChaCha20Poly1305}

    def __init__(self, key: bytes, parameters: FloeParameters, aad: bytes, header: bytes) -> None:
        encoded = parameters.encode()
        known = len(header) == HEADER_BYTES and header[:10] == encoded
        require(known, "authentication_failed", "a message has other parameters than its envelope")  # F1-MSG-4
        self._parameters, self._aad, self._prefix = parameters, aad, header[:42]
        tag = self._kdf(key, b"HEADER_TAG:", 32)
        same = hmac.compare_digest(tag, header[42:])
        require(same, "authentication_failed", "the header tag of a message is wrong")  # F1-MSG-4
        self._stream_key = self._kdf(key, b"MESSAGE_KEY:", 48)
        self._epoch, self._cipher = -1, None

    def _kdf(self, key: bytes, purpose: bytes, length: int) -> bytes:
        return hkdf_expand(key, self._prefix + purpose + self._aad, length)

    def _cipher_of(self, number: int) -> AESGCM | ChaCha20Poly1305:
        epoch = number >> self._parameters.rotation_bits
        if self._cipher is None or epoch != self._epoch:
            masked = epoch << self._parameters.rotation_bits
            key = self._kdf(self._stream_key, b"DEK:" + u64(masked), 32)
            self._epoch, self._cipher = epoch, self.CIPHERS[self._parameters.aead](key)
        return self._cipher

    def open_segment(self, number: int, final: bool, segment: bytes) -> bytes:
        """Plaintext of one whole segment, whose place and length the caller took from the layout (F1-MSG-5)."""
        whole = self._parameters.encrypted_segment
        fits = SEGMENT_OVERHEAD <= len(segment) <= whole if final else len(segment) == whole
        length = len(segment) if final else 0xFFFFFFFF
        agrees = fits and segment[:4] == u32(length)
        require(agrees, "authentication_failed", f"segment {number} has another length than the layout says")
        try:  # F1-MSG-6
            return self._cipher_of(number).decrypt(segment[4:16], segment[16:], u64(number) + bytes([final]))
        except InvalidTag:
            raise FormatError("authentication_failed", f"segment {number} does not open") from None


# --- Section 7: envelope ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Envelope:
    suite: int
    segment: int
    layout: int
    salt: bytes
    commitment: bytes
    policy: str
    kek_name: str
    kek_version: str
    wrapped_bucket_key: bytes
    wrapped_dek: bytes
    recovery: bytes | None
    floe_header: bytes | None
    sealed_metadata: bytes
    before_metadata: bytes

    @property
    def parameters(self) -> FloeParameters:
        return FloeParameters({1: 0x00, 2: 0x80}[self.suite], self.segment + SEGMENT_OVERHEAD)


def decode_base64url(text: str) -> bytes:
    """Canonical base64url without padding (F1-ENV-1)."""
    require(len(text) <= 4096, "malformed", "the envelope is longer than 4096 characters")
    alphabet = re.fullmatch(r"[A-Za-z0-9_-]*", text) is not None and len(text) % 4 != 1
    require(alphabet, "malformed", "the envelope is not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    canonical = base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text
    require(canonical, "malformed", "the envelope is not canonical base64url")
    return data


def visible_ascii(data: bytes, what: str) -> str:
    require(all(0x21 <= byte <= 0x7E for byte in data), "malformed", f"the {what} has a character that it may not have")
    return data.decode("ascii")


def utf8(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("malformed", f"the {what} is not UTF-8") from None


def decode_envelope(text: str) -> Envelope:
    """Section 7. Nothing in the result is to be trusted before the sealed metadata opened (F1-ENV-6)."""
    data = decode_base64url(text)
    fields = Fields(data, "envelope")
    require(fields.uint(1) == 1, "unsupported", "unknown version of the envelope")  # F1-ENV-2
    suite = fields.uint(1)
    require(suite in (1, 2), "unsupported", f"unknown suite {suite}")
    log2 = fields.uint(1)
    require(16 <= log2 <= 20, "unsupported", f"unknown segment size 2^{log2}")
    layout = fields.uint(1)
    require(layout in (0, 1), "unsupported", f"unknown layout {layout}")
    salt, commitment = fields.take(32), fields.take(32)
    policy = utf8(fields.sized(1, 64), "policy name")  # F1-ENV-3
    kek_name = visible_ascii(fields.sized(1, 64), "KEK name")
    kek_version = visible_ascii(fields.sized(1, 128), "KEK version")
    wrapped_bucket_key = fields.sized(2, 1024)
    wrapped_dek = fields.take(60)
    recovery_bytes = fields.uint(1)
    require(recovery_bytes in (0, 88), "malformed", f"the recovery field has {recovery_bytes} bytes")
    recovery = fields.take(88) if recovery_bytes else None
    floe_header = fields.take(HEADER_BYTES) if layout == 0 else None  # F1-ENV-4
    before = data[: fields.at]
    sealed = data[fields.at :]
    require(63 <= len(sealed) <= 175, "malformed", "the sealed metadata is out of bounds")
    return Envelope(
        suite, 1 << log2, layout, salt, commitment, policy, kek_name, kek_version,
        wrapped_bucket_key, wrapped_dek, recovery, floe_header, sealed, before,
    )  # fmt: skip


def unlock(envelope: Envelope, bucket_key: bytes, bucket: bytes, key: bytes) -> ObjectKeys:
    """The keys of an object: unwraps its DEK (F1-KEY-3) and checks the commitment (F1-KEY-2)."""
    require(len(bucket) < 65536 and len(key) < 65536, "bad_input", "bucket name or object key is too long")
    aad = b"s3eg1 dek" + u16(len(bucket)) + bucket + u16(len(key)) + key + envelope.commitment
    dek = open_sealed(bucket_key, envelope.wrapped_dek, aad, "wrapped DEK")
    keys = ObjectKeys(dek, envelope.salt)
    same = hmac.compare_digest(keys.commitment(), envelope.commitment)
    require(same, "authentication_failed", "the commitment is not that of the DEK")
    return keys


# --- Section 8: sealed metadata ---------------------------------------------------------------------

CHECKSUMS = {
    1: ("CRC32", 4),
    2: ("CRC32C", 4),
    3: ("CRC64NVME", 8),
    4: ("SHA1", 20),
    5: ("SHA256", 32),
    6: ("MD5", 16),
    7: ("SHA512", 64),
    8: ("XXHASH64", 8),
    9: ("XXHASH3", 8),
    10: ("XXHASH128", 16),
}
COMPRESSIONS = {1: "gzip", 2: "zstd"}


@dataclass(frozen=True)
class Checksum:
    algorithm: str
    composite: bool
    value: bytes


def take_checksums(fields: Fields) -> list[Checksum]:
    """Section 8.1 (F1-SUM-1)."""
    checksums: list[Checksum] = []
    last = 0
    for _ in range(fields.uint(1)):
        number, kind = fields.uint(1), fields.uint(1)
        require(number in CHECKSUMS, "unsupported", f"unknown checksum {number}")
        require(number > last, "malformed", "the checksums are not in ascending order")
        require(kind in (0, 1), "malformed", f"unknown type {kind} of a checksum")
        name, length = CHECKSUMS[number]
        checksums.append(Checksum(name, kind == 1, fields.take(length)))
        last = number
    return checksums


@dataclass(frozen=True)
class SealedMetadata:
    digest: bytes
    checksums: list[Checksum]
    payload: int | None
    compression: str | None
    original: int | None


def take_length(fields: Fields) -> int:
    length = fields.uint(8)
    require(length <= MAX_PAYLOAD, "malformed", f"a length of the {fields.what} is above 50 TiB")  # F1-SIZE-3
    return length


def open_metadata(envelope: Envelope, keys: ObjectKeys) -> SealedMetadata:
    """Sections 7 and 8 (F1-ENV-5, F1-ENV-6, F1-META-1)."""
    data = open_sealed(keys.metadata(), envelope.sealed_metadata, envelope.before_metadata, "sealed metadata")
    fields = Fields(data, "sealed metadata")
    digest, checksums = fields.take(32), take_checksums(fields)
    flag = fields.uint(1)
    require(flag in (0, 1), "malformed", "unknown flag in the sealed metadata")
    payload = take_length(fields) if flag else None
    compression = fields.uint(1)
    require(compression == 0 or compression in COMPRESSIONS, "unsupported", f"unknown compression {compression}")
    original = take_length(fields) if compression else None
    fields.end()
    return SealedMetadata(digest, checksums, payload, COMPRESSIONS.get(compression), original)


# --- Section 9: metadata digest ---------------------------------------------------------------------

ENCODED_WORD = re.compile(rb"=\?(?:utf-8|us-ascii)\?([bq])\?([^?\t-\r ]*)\?=", re.IGNORECASE)
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def decode_word(match: re.Match[bytes]) -> bytes:
    """The bytes that an encoded-word stands for, or the encoded-word as it is."""
    encoding, text = match[1].lower(), match[2]
    try:
        if encoding == b"b":
            if BASE64.fullmatch(text) is None:
                return match[0]
            decoded = base64.b64decode(text)
        elif re.search(rb"=(?![0-9A-Fa-f]{2})", text):
            return match[0]
        else:
            spaced = text.replace(b"_", b" ")
            decoded = re.sub(rb"=([0-9A-Fa-f]{2})", lambda pair: bytes.fromhex(pair[1].decode()), spaced)
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        return match[0]
    return decoded


def canonical_value(value: bytes) -> bytes:
    """F1-DIG-2."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        value = value.decode("latin-1").encode("utf-8")
    value = re.sub(rb"(?<=\?=)[\t-\r ]+(?==\?)", b"", value)
    value = ENCODED_WORD.sub(decode_word, value)
    return re.sub(rb"[\t-\r ]+", b" ", value).strip(b" ")


def metadata_digest(headers: Mapping[str, bytes]) -> bytes:
    """The digest over header fields, given under their lower-case names (F1-DIG-1, F1-DIG-3)."""
    covered = {
        name.encode(): value
        for name, value in headers.items()
        if name.startswith(META_PREFIX) and name not in (ENVELOPE_FIELD, LABEL_FIELD)
    }
    covered[b"content-type"] = headers.get("content-type", b"binary/octet-stream")
    digest = hashlib.sha256(b"s3eg1 metadata")
    for name in sorted(covered):
        value = canonical_value(covered[name])
        digest.update(u32(len(name)) + name + u32(len(value)) + value)
    return digest.digest()


# --- Section 6: index region ------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    number: int
    plaintext: int
    attempt: bytes


@dataclass(frozen=True)
class Index:
    parts: list[Part]
    checksums: list[Checksum]
    region: int
    """Where the index region begins: behind the last message."""
    sealed_at: int
    """Where the sealed index begins: behind the padding."""


def read_exactly(stored: BinaryIO, count: int) -> bytes:
    data = stored.read(count)
    require(len(data) == count, "truncated", "the object ends early")
    return data


def read_index(stored: BinaryIO, size: int, envelope: Envelope, keys: ObjectKeys) -> Index:
    payload = payload_bytes(size)
    stored.seek(size - TRAILER_BYTES)
    trailer = read_exactly(stored, TRAILER_BYTES)
    require(trailer[4:] == b"S3E1", "malformed", "the object does not end in S3E1")  # F1-IDX-3
    length = int.from_bytes(trailer[:4], "big")
    room = size - TRAILER_BYTES - message_bytes(payload, envelope.segment)  # more messages leave less
    require(59 <= length <= min(180137, room), "malformed", f"the sealed index has {length} bytes")  # F1-IDX-4
    sealed_at = size - TRAILER_BYTES - length
    stored.seek(sealed_at)
    sealed = read_exactly(stored, length)
    aad = b"s3eg1 index" + bytes([1]) + envelope.commitment + u64(size)
    parts, checksums = parse_index(open_sealed(keys.index(), sealed, aad, "index"), envelope.layout, payload)
    region = sum(message_bytes(part.plaintext, envelope.segment) for part in parts)
    require(region <= sealed_at, "malformed", "the index reaches into the messages")
    return Index(parts, checksums, region, sealed_at)


def parse_index(data: bytes, layout: int, payload: int) -> tuple[list[Part], list[Checksum]]:
    fields = Fields(data, "index")
    require(fields.uint(1) == 1, "unsupported", "unknown version of the index")  # F1-IDX-7
    require(fields.uint(1) == layout, "malformed", "index and envelope have different layouts")
    total = take_length(fields)
    parts = [Part(fields.uint(2), take_length(fields), fields.take(8)) for _ in range(fields.uint(2))]
    checksums = take_checksums(fields)
    fields.end()  # F1-IDX-11
    check_parts(parts, layout)
    agree = total == payload == sum(part.plaintext for part in parts)
    require(agree, "size_mismatch", "the lengths in the index are not those of the object")  # F1-IDX-8
    return parts, checksums


def check_parts(parts: list[Part], layout: int) -> None:
    """F1-IDX-9, F1-IDX-10; the attempt tags are compared where the messages are read."""
    numbers = [part.number for part in parts]
    if layout == 0:
        require(numbers == [0], "malformed", "a single object has other parts than part 0")
        return
    require(1 <= len(parts) <= 10000, "malformed", f"the object has {len(parts)} parts")
    ascending = all(before < after for before, after in zip([0, *numbers], numbers)) and numbers[-1] <= 10000
    require(ascending, "malformed", "the part numbers are not in ascending order within 1 … 10000")
    long = all(part.plaintext >= MIN_PART for part in parts[:-1])
    require(long, "malformed", "a part before the last is shorter than 5 MiB")


# --- Section 10: reading ----------------------------------------------------------------------------


def check_header(header: bytes, part: Part, envelope: Envelope) -> None:
    attempt = header[42:50]
    if envelope.floe_header is not None:
        same = hmac.compare_digest(header, envelope.floe_header)
        require(same, "authentication_failed", "the message has another header than the envelope")  # F1-READ-1
        require(part.attempt == attempt, "malformed", "the index has another attempt tag than the message")  # F1-IDX-9
    elif part.attempt != bytes(8):  # zero: not known
        same = hmac.compare_digest(attempt, part.attempt)
        require(same, "authentication_failed", f"part {part.number} is another attempt than the index says")  # F1-READ-2


def part_segments(stored: BinaryIO, part: Part, envelope: Envelope, keys: ObjectKeys) -> Iterator[bytes]:
    """The plaintext of the message at the stream's position, a segment at a time."""
    header = read_exactly(stored, HEADER_BYTES)
    check_header(header, part, envelope)
    aad = b"s3eg1 message" + u32(part.number) + bytes([envelope.layout])  # F1-MSG-2
    message = Floe(keys.part(part.number), envelope.parameters, aad, header)
    count = max(1, ceil_div(part.plaintext, envelope.segment))
    for number in range(count):
        plaintext = min(envelope.segment, part.plaintext - number * envelope.segment)
        segment = read_exactly(stored, plaintext + SEGMENT_OVERHEAD)
        yield message.open_segment(number, number == count - 1, segment)


def check_padding(stored: BinaryIO, index: Index) -> None:
    """F1-IDX-2."""
    left = index.sealed_at - index.region
    stored.seek(index.region)
    while left > 0:
        block = read_exactly(stored, min(left, MIB))
        require(not any(block), "malformed", "the padding is not zero")
        left -= len(block)


@dataclass(frozen=True)
class Opened:
    """An object whose every byte verified."""

    envelope: Envelope
    metadata: SealedMetadata
    index: Index
    payload: int


def read_object(
    stored: BinaryIO, headers: Mapping[str, bytes], bucket_key_of: Callable[[Envelope], bytes],
    name: tuple[bytes, bytes], sink: Sink,
) -> Opened:  # fmt: skip
    """Read one whole object.

    stored: the object's bytes, seekable. headers: fields of a HEAD under lower-case names (see `head_fields`);
    `content-length`, where given, is the stored size. bucket_key_of: gives the bucket key of an envelope. name:
    bucket and object key. sink: takes the payload piece by piece; it MUST NOT pass anything on before this function
    returned, as what follows may not verify. Raises FormatError.
    """
    text = headers.get(ENVELOPE_FIELD)
    if text is None:
        raise FormatError("not_format_1", f"the object has no {ENVELOPE_FIELD}")
    size = stored_size(stored, headers)
    payload = payload_bytes(size)
    envelope = decode_envelope(text.decode("latin-1"))
    keys = unlock(envelope, bucket_key_of(envelope), *name)
    metadata = open_metadata(envelope, keys)
    same = hmac.compare_digest(metadata_digest(headers), metadata.digest)
    require(same, "authentication_failed", "user metadata or Content-Type are not those that were sealed")  # F1-META-2
    require(metadata.payload in (None, payload), "size_mismatch", "the sealed length is not the object's")  # F1-META-3
    index = read_index(stored, size, envelope, keys)
    stored.seek(0)
    for part in index.parts:
        for piece in part_segments(stored, part, envelope, keys):
            sink(piece)
    check_padding(stored, index)
    return Opened(envelope, metadata, index, payload)


def stored_size(stored: BinaryIO, headers: Mapping[str, bytes]) -> int:
    size = stored.seek(0, os.SEEK_END)
    announced = headers.get("content-length")
    if announced is not None:
        require(announced.isdigit(), "bad_input", "content-length is not a number")
        require(size >= int(announced), "truncated", "the object is shorter than its content-length")
        require(size <= int(announced), "size_mismatch", "the object is longer than its content-length")
    return size


# --- Section 8.2: compression -----------------------------------------------------------------------


def gunzip(packed: BinaryIO, length: int, sink: Sink) -> None:
    """Decompress one gzip stream of exactly `length` bytes; never produces more than that."""
    inflater = zlib.decompressobj(wbits=31)
    left = length
    while not inflater.eof:
        block = inflater.unconsumed_tail or packed.read(64 * KIB)
        require(len(block) > 0, "size_mismatch", "the compressed payload ends early")
        try:
            piece = inflater.decompress(block, min(left, MIB) + 1)
        except zlib.error:
            raise FormatError("malformed", "the payload is not a gzip stream") from None
        left -= len(piece)
        require(left >= 0, "size_mismatch", "the payload is longer than announced before compression")
        sink(piece)
    require(left == 0, "size_mismatch", "the payload is shorter than announced before compression")
    require(not inflater.unused_data and not packed.read(1), "malformed", "bytes follow the gzip stream")


# --- Command line -----------------------------------------------------------------------------------


def no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    require(len(result) == len(pairs), "bad_input", "a name stands twice in the metadata")
    return result


def field_bytes(value: object) -> bytes:
    """The bytes of a header field that a JSON string shows. Clients show them as ISO-8859-1 or as UTF-8; both are
    understood, as F1-DIG-2 makes the same of ISO-8859-1 bytes and of their UTF-8 form."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise FormatError("bad_input", "a value of the metadata is not a string")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")


def head_fields(text: str) -> dict[str, bytes]:
    """The header fields of a HEAD from JSON: a flat object of header names, a flat object of user metadata without
    `x-amz-meta-`, or the answer of `aws s3api head-object`."""
    try:
        document = json.loads(text, object_pairs_hook=no_duplicates)
    except ValueError:
        raise FormatError("bad_input", "the metadata is not JSON") from None
    require(isinstance(document, dict), "bad_input", "the metadata is not a JSON object")
    plain = {"ContentType": "content-type", "ContentLength": "content-length"}
    pairs = [(name.lower(), value) for name, value in document.items()]
    if isinstance(document.get("Metadata"), dict):
        pairs = [(header, document[name]) for name, header in plain.items() if name in document]
        pairs += [(META_PREFIX + name.lower(), value) for name, value in document["Metadata"].items()]
    elif not any(name.startswith(META_PREFIX) for name, _ in pairs):
        pairs = [(name if name in plain.values() else META_PREFIX + name, value) for name, value in pairs]
    kept = [(name, field_bytes(v)) for name, v in pairs if name.startswith(META_PREFIX) or name in plain.values()]
    return dict(no_duplicates(kept))


@contextmanager
def committed_file(path: str) -> Iterator[BinaryIO]:
    """A new file beside `path` that takes its place only if the block ends without an error."""
    directory = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=".s3eg-", dir=directory)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_to(output: BinaryIO | None, arguments: argparse.Namespace) -> Opened:
    """Verify the object of the command line; what it holds goes to `output`."""
    keys: Keyring | RecoveryKey
    if arguments.recovery_key is not None:
        with open(arguments.recovery_key, "rb") as file:
            keys = RecoveryKey(file.read())
    else:
        with open(arguments.keyring, encoding="utf-8") as file:
            keys = Keyring(file.read())
    with open(arguments.metadata, encoding="utf-8") as file:
        headers = head_fields(file.read())
    bucket, key = os.fsencode(arguments.bucket), os.fsencode(arguments.key)

    def bucket_key_of(envelope: Envelope) -> bytes:
        return keys.unwrap(envelope, bucket)

    def write(piece: bytes) -> None:
        if output is not None:
            output.write(piece)

    aside = None if output is None else os.path.dirname(os.path.abspath(arguments.output))
    with open(arguments.object, "rb") as stored, tempfile.TemporaryFile(dir=aside) as spool:
        # The payload may be compressed: it is kept aside, and decompressed once all of it verified.
        opened = read_object(stored, headers, bucket_key_of, (bucket, key), spool.write)
        spool.seek(0)
        if opened.metadata.original is None or arguments.keep_compressed:
            while block := spool.read(MIB):
                write(block)
        elif opened.metadata.compression == "gzip":
            gunzip(spool, opened.metadata.original, write)
        else:
            raise FormatError("unsupported", "zstd is not built in: use --keep-compressed, then zstd -d")
    return opened


def describe(opened: Opened) -> str:
    original = opened.metadata.original
    packed = "" if original is None else f", {opened.metadata.compression} of {original} bytes"
    layout = "single" if opened.envelope.layout == 0 else f"multipart, {len(opened.index.parts)} parts"
    return f"verified: {opened.payload} bytes of payload ({layout}{packed})"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify and decrypt one object of format 1.")
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--keyring", help="file of the local keyring")
    key.add_argument("--recovery-key", help="PEM file of the private recovery key")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--key", required=True, help="object key")
    parser.add_argument("--metadata", required=True, help="JSON of the header fields that a HEAD gives")
    parser.add_argument("--object", required=True, help="file with the stored bytes")
    parser.add_argument("--output", help="file for the plaintext; without it, the object is verified only")
    parser.add_argument("--keep-compressed", action="store_true", help="write a compressed payload as it is")
    arguments = parser.parse_args(argv)
    try:
        if arguments.output is None:
            opened = read_to(None, arguments)
        else:
            with committed_file(arguments.output) as output:
                opened = read_to(output, arguments)
    except (FormatError, OSError, UnicodeError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    print(describe(opened))
    return 0


if __name__ == "__main__":
    sys.exit(main())
