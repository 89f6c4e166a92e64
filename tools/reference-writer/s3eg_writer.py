"""Independent writer of object format 1, for its vectors.

Written from docs/format/format-1.md and docs/format/local-keyring.md alone; it shares no code with the gateway, nor with
the reference reader. Every field can be set to a wrong value, before or after what authenticates it. All that has to be
random is drawn from a seed, so that the same recipe always gives the same bytes: never use it for real data.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

MIB = 1 << 20
PART = 5 * MIB
UNIT = 65536
BUCKET, KEY = "vector-bucket", "folder/käse"


def be(value: int, count: int) -> bytes:
    return value.to_bytes(count, "big")


def sized(data: bytes, count: int = 1) -> bytes:
    """The bytes behind their length."""
    return be(len(data), count) + data


RECOVERY_KEY_BYTES = hashlib.sha256(b"recovery key of the vectors").digest()
RECOVERY_KEY = X25519PrivateKey.from_private_bytes(RECOVERY_KEY_BYTES)


class Draw:
    """Bytes that look random and follow from a name."""

    def __init__(self, name: str) -> None:
        self._name, self._counter = name.encode(), 0

    def __call__(self, count: int) -> bytes:
        self._counter += 1
        return hashlib.shake_256(b"object format 1 vectors/" + self._name + be(self._counter, 4)).digest(count)


@dataclass
class Message:
    """One part. Without a plaintext, that one is taken whose ciphertext is zero throughout, so that the vector is small."""

    number: int
    length: int
    plaintext: bytes | None = None
    key_number: int | None = None
    aad: bytes | None = None
    params: bytes | None = None
    cuts: list[tuple[int, int, bool]] | None = None
    """Segments as (number, length, final), where they are not those of the document."""
    length_fields: dict[int, int] = field(default_factory=dict)


@dataclass
class Recipe:
    """An object, right unless something here says otherwise. `before` is changed before the envelope is sealed, `after`
    afterwards; all of them hold bytes under the names of the document's fields."""

    name: str
    messages: list[Message]
    layout: int = 0
    suite: int = 1
    log2: int = 16
    policy: bytes = b"default"
    kek_version: str = "1"
    kek_name: str = "local"
    dek_bucket: str = BUCKET
    dek_key: str = KEY
    bucket_key_context: tuple[bytes, bytes] | None = None
    commitment_xor: int = 0
    attempts_known: bool = True
    headers: dict[str, bytes] = field(default_factory=dict)
    canonical: dict[str, bytes] | None = None
    """Names and values that the digest is made of, where they differ from `headers`."""
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    index: dict[str, bytes] = field(default_factory=dict)
    index_entries: list[tuple[int, int, bytes]] | None = None
    index_aad: Callable[[bytes, int], bytes] | None = None
    index_key: bytes = b"s3eg1 index"
    sealed_length: int | None = None
    magic: bytes = b"S3E1"
    recovery: bool = False
    padding: Callable[[int], bytes] = bytes
    edit_messages: Callable[[list[bytes], "Recipe"], list[bytes]] | None = None
    edit_stored: Callable[[bytes], bytes] | None = None
    edit_envelope: Callable[[bytes], bytes] | None = None
    edit_text: Callable[[bytes], bytes] | None = None
    headers_after: dict[str, bytes | None] = field(default_factory=dict)
    sealed_checksums: bytes = b"\0"
    index_checksums: bytes = b"\0"


@dataclass
class Written:
    stored: bytes
    headers: dict[str, bytes]
    plaintext: bytes
    bucket_key: bytes
    keyring: dict[int, bytes]
    parts: list[tuple[int, int, bytes]]


class Writer:
    """Writes one recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.draw = Draw(recipe.name)
        shared = Draw("keys that all objects share")
        self.keyring = {1: shared(32), 2: shared(32)}
        self.bucket_key, self.dek, self.salt = shared(32), self.draw(32), self.draw(32)
        commitment = bytearray(self.derive(b"s3eg1 commit"))
        commitment[31] ^= recipe.commitment_xor
        self.commitment = bytes(commitment)

    def derive(self, info: bytes) -> bytes:
        return HKDF(SHA384(), 32, self.salt, info).derive(self.dek)

    def seal(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
        nonce = self.draw(12)
        return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)

    def wrap(self, kek: bytes, aad: bytes) -> bytes:
        """The bucket key under a version of the local keyring: XAES-256-GCM (C2SP) from CBC-MAC over one block."""
        nonce = self.draw(24)
        zero = aes_block(kek, bytes(16))
        shifted = bytes(((zero[i] << 1) & 0xFF) | (zero[i + 1] >> 7 if i < 15 else 0) for i in range(16))
        subkey = shifted[:15] + bytes([shifted[15] ^ (0x87 if zero[0] & 0x80 else 0)])
        derived = b""
        for counter in (1, 2):
            message = bytes([0, counter, 0x58, 0]) + nonce[:12]
            derived += aes_block(kek, bytes(a ^ b for a, b in zip(message, subkey)))
        return nonce + AESGCM(derived).encrypt(nonce[12:], self.bucket_key, aad)

    # Section 7.1

    def recovery(self, context: tuple[bytes, bytes]) -> bytes:
        """The recovery field, sealed for `RECOVERY_KEY` by HPKE (RFC 9180) as its pseudo-code has it."""
        recipient = RECOVERY_KEY.public_key()
        ephemeral = X25519PrivateKey.from_private_bytes(self.draw(32))
        enc, public = ephemeral.public_key().public_bytes_raw(), recipient.public_bytes_raw()

        def labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
            return HKDF.extract(SHA256(), salt or bytes(32), b"HPKE-v1" + suite + label + ikm)

        def labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
            return HKDFExpand(SHA256(), length, be(length, 2) + b"HPKE-v1" + suite + label + info).derive(prk)

        kem, suite = b"KEM" + be(0x0020, 2), b"HPKE" + be(0x0020, 2) + be(0x0001, 2) + be(0x0002, 2)
        eae_prk = labeled_extract(kem, b"", b"eae_prk", ephemeral.exchange(recipient))
        shared_secret = labeled_expand(kem, eae_prk, b"shared_secret", enc + public, 32)
        psk_id_hash = labeled_extract(suite, b"", b"psk_id_hash", b"")
        info_hash = labeled_extract(suite, b"", b"info_hash", b"s3eg1 recovery")
        key_schedule_context = b"\0" + psk_id_hash + info_hash
        secret = labeled_extract(suite, shared_secret, b"secret", b"")
        key = labeled_expand(suite, secret, b"key", key_schedule_context, 32)
        nonce = labeled_expand(suite, secret, b"base_nonce", key_schedule_context, 12)
        ciphertext = AESGCM(key).encrypt(nonce, self.bucket_key, sized(context[0], 2) + sized(context[1], 2))
        return sized(hashlib.sha256(public).digest()[:8] + enc + ciphertext)

    # Section 5

    def message(self, message: Message) -> tuple[bytes, bytes]:
        """The message and its plaintext."""
        recipe = self.recipe
        aead, step = (0x00 if recipe.suite == 1 else 0x80), 1 << recipe.log2
        params = message.params or bytes([aead, 0]) + be(step + 32, 4) + be(32, 4)
        prefix = params + self.draw(32)
        aad = message.aad
        if aad is None:
            aad = b"s3eg1 message" + be(message.number, 4) + bytes([recipe.layout])
        number = message.number if message.key_number is None else message.key_number
        key = self.derive(b"s3eg1 part " + be(number, 4))

        def kdf(prk: bytes, purpose: bytes, count: int) -> bytes:
            return HKDFExpand(SHA384(), count, prefix + purpose + aad).derive(prk)

        segment_key = kdf(kdf(key, b"MESSAGE_KEY:", 48), b"DEK:" + be(0, 8), 32)
        cipher = AESGCM(segment_key) if params[0] == 0 else ChaCha20Poly1305(segment_key)
        out, plaintext = [prefix + kdf(key, b"HEADER_TAG:", 32)], []
        for at, (k, length, final) in enumerate(message.cuts or cuts(message.length, step)):
            nonce, place = self.draw(12), be(k, 8) + bytes([final])
            if message.plaintext is None:
                piece = cipher.encrypt(nonce, bytes(length), place)[:length]  # the key stream itself
            else:
                done = sum(map(len, plaintext))
                piece = message.plaintext[done : done + length]
            named = message.length_fields.get(at, length + 32 if final else 0xFFFFFFFF)
            out += [be(named, 4), nonce, cipher.encrypt(nonce, piece, place)]
            plaintext.append(piece)
        return b"".join(out), b"".join(plaintext)

    # Section 6

    def region(self, messages: list[bytes], parts: list[tuple[int, int, bytes]], size: int, taken: int) -> bytes:
        recipe = self.recipe
        total = sum(length for _, length, _ in parts)
        entries = parts if recipe.index_entries is None else recipe.index_entries
        fields = {
            "version": b"\1",
            "layout": bytes([recipe.layout]),
            "total": be(total, 8),
            "count": be(len(entries), 2),
            "entries": b"".join(be(number, 2) + be(length, 8) + tag for number, length, tag in entries),
            "checksums": recipe.index_checksums,
            "rest": b"",
        }
        plaintext = b"".join({**fields, **recipe.index}.values())
        aad = b"s3eg1 index" + bytes([1]) + self.commitment + be(size, 8)
        if recipe.index_aad is not None:
            aad = recipe.index_aad(self.commitment, size)
        sealed = self.seal(self.derive(recipe.index_key), plaintext, aad)
        length = len(sealed) if recipe.sealed_length is None else recipe.sealed_length
        end = sealed + be(length, 4) + recipe.magic
        return recipe.padding(size - taken - len(end)) + end

    # Sections 4, 7 and 8

    def envelope(self, floe_header: bytes, total: int) -> bytes:
        recipe = self.recipe
        context = recipe.bucket_key_context or (recipe.policy, BUCKET.encode())
        kek_aad = b"s3eg1 kek" + sized(context[0], 2) + sized(context[1], 2)
        dek_aad = b"s3eg1 dek" + sized(recipe.dek_bucket.encode(), 2) + sized(recipe.dek_key.encode(), 2) + self.commitment
        kek = self.keyring.get(int(recipe.kek_version)) if recipe.kek_version.isdigit() else None
        wrapped = self.draw(72) if kek is None else self.wrap(kek, kek_aad)
        fields = {
            "version": b"\1",
            "suite": bytes([recipe.suite]),
            "log2": bytes([recipe.log2]),
            "layout": bytes([recipe.layout]),
            "salt": self.salt,
            "commitment": self.commitment,
            "policy": sized(recipe.policy),
            "kek name": sized(recipe.kek_name.encode()),
            "kek version": sized(recipe.kek_version.encode()),
            "wrapped bucket key": sized(wrapped, 2),
            "wrapped dek": self.seal(self.bucket_key, self.dek, dek_aad),
            "recovery": self.recovery(context) if recipe.recovery else b"\0",
            "floe header": floe_header if recipe.layout == 0 else b"",
        }
        fields.update(recipe.before)
        metadata = {
            "digest": self.digest(),
            "checksums": recipe.sealed_checksums,
            "payload": b"\1" + be(total, 8) if recipe.layout == 0 else b"\0",
            "compression": b"\0",
            "rest": b"",
        }
        metadata.update(recipe.metadata)
        before = b"".join(fields.values())
        fields["sealed"] = self.seal(self.derive(b"s3eg1 meta"), b"".join(metadata.values()), before)
        fields.update(recipe.after)
        return b"".join(fields.values())

    # Section 9; the canonical values come from the recipe

    def digest(self) -> bytes:
        recipe = self.recipe
        fields = {"content-type": b"binary/octet-stream", **recipe.headers, **(recipe.canonical or {})}
        digest = hashlib.sha256(b"s3eg1 metadata")
        for name in sorted(fields, key=str.encode):
            digest.update(sized(name.encode(), 4) + sized(fields[name], 4))
        return digest.digest()

    # Section 2

    def write(self) -> Written:
        recipe = self.recipe
        made = [self.message(message) for message in recipe.messages]
        messages = [message for message, _ in made]
        tags = [message[42:50] if recipe.attempts_known else bytes(8) for message in messages]
        parts = [(m.number, m.length, tag) for m, tag in zip(recipe.messages, tags)]
        total = sum(m.length for m in recipe.messages)
        size = total + 32 * max(1, -(-total // 65536)) + 128 * (total // 5242880 + 1) + 256
        step = 1 << recipe.log2
        taken = sum(74 + m.length + 32 * max(1, -(-m.length // step)) for m in recipe.messages)
        region = self.region(messages, parts, size, taken)
        envelope = self.envelope(messages[0][:74], total)
        if recipe.edit_messages is not None:
            messages = recipe.edit_messages(messages, recipe)
        stored = b"".join(messages) + region
        if recipe.edit_stored is not None:
            stored = recipe.edit_stored(stored)
        return Written(stored, self.headers(envelope), b"".join(p for _, p in made), self.bucket_key, self.keyring, parts)

    def headers(self, envelope: bytes) -> dict[str, bytes]:
        recipe = self.recipe
        if recipe.edit_envelope is not None:
            envelope = recipe.edit_envelope(envelope)
        text = base64.urlsafe_b64encode(envelope).rstrip(b"=")
        if recipe.edit_text is not None:
            text = recipe.edit_text(text)
        label = f"{recipe.kek_name}:{recipe.kek_version}".encode()
        headers = {**recipe.headers, "x-amz-meta-s3eg": text, "x-amz-meta-s3eg-key": label, **recipe.headers_after}
        return {name: value for name, value in headers.items() if value is not None}


def aes_block(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(block)


def cuts(length: int, step: int) -> list[tuple[int, int, bool]]:
    """Segments of a part as (number, length, final)."""
    count = max(1, -(-length // step))
    return [(k, min(step, length - k * step), k == count - 1) for k in range(count)]


def write(recipe: Recipe) -> Written:
    return Writer(recipe).write()
