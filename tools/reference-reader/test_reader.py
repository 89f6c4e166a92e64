"""Objects written here after the format document, read whole and with one thing wrong."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

import s3eg_reader as reader

KEK = bytes(range(32))
KEYRING = {"version": 1, "keys": [{"version": "7", "key": base64.b64encode(KEK).decode(), "created": ""}]}
BUCKET, KEY = b"bucket", "ä/key".encode()
MIB5 = 5242880


def be(value: int, count: int) -> bytes:
    return value.to_bytes(count, "big")


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def seal_wide(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """XAES-256-GCM by the library's SP 800-108 key derivation."""
    nonce = os.urandom(24)
    fixed = b"X\0" + nonce[:12]
    kdf = KBKDFCMAC(AES, Mode.CounterMode, 32, 2, None, CounterLocation.BeforeFixed, None, None, fixed)
    return nonce + AESGCM(kdf.derive(key)).encrypt(nonce[12:], plaintext, aad)


@dataclass
class Writer:
    """A writer of format 1 whose every choice can be set to a wrong one."""

    parts: list[tuple[int, bytes]]
    suite: int = 1
    log2: int = 16
    layout: int = 0
    policy: bytes = b"default"
    headers: dict[str, str] = field(default_factory=dict)
    known_attempts: bool = True
    compression: bytes = b"\0"
    checksums: bytes = b"\0"
    payload_field: bytes | None = None
    index_version: int = 1
    index_layout: int | None = None
    index_total: int | None = None
    index_suffix: bytes = b""
    padding: bytes | None = None
    magic: bytes = b"S3E1"
    commitment_flip: int = 0
    dek: bytes = field(default_factory=lambda: os.urandom(32))
    salt: bytes = field(default_factory=lambda: os.urandom(32))

    def derive(self, info: bytes) -> bytes:
        return HKDF(SHA384(), 32, self.salt, info).derive(self.dek)

    def message(self, number: int, plaintext: bytes) -> bytes:
        step = 1 << self.log2
        params = bytes([0 if self.suite == 1 else 0x80, 0]) + be(step + 32, 4) + be(32, 4)
        prefix = params + os.urandom(32)
        aad = b"s3eg1 message" + be(number, 4) + bytes([self.layout])
        key = self.derive(b"s3eg1 part " + be(number, 4))

        def kdf(key: bytes, purpose: bytes, count: int) -> bytes:
            return HKDFExpand(SHA384(), count, prefix + purpose + aad).derive(key)

        stream_key = kdf(key, b"MESSAGE_KEY:", 48)
        cipher = (AESGCM if self.suite == 1 else ChaCha20Poly1305)(kdf(stream_key, b"DEK:" + bytes(8), 32))
        out = [prefix, kdf(key, b"HEADER_TAG:", 32)]
        cuts = range(0, max(1, len(plaintext)), step)
        for k, start in enumerate(cuts):
            last = k == len(cuts) - 1
            nonce, piece = os.urandom(12), plaintext[start : start + step]
            out += [be(len(piece) + 32 if last else 0xFFFFFFFF, 4), nonce]
            out.append(cipher.encrypt(nonce, piece, be(k, 8) + bytes([last])))
        return b"".join(out)

    def write(self) -> tuple[bytes, dict[str, bytes]]:
        """Stored bytes and header fields."""
        total = sum(len(plaintext) for _, plaintext in self.parts)
        size = total + 32 * max(1, -(-total // 65536)) + 128 * (total // MIB5 + 1) + 256
        messages = [self.message(*part) for part in self.parts]
        commitment = self.derive(b"s3eg1 commit")
        commitment = bytes([commitment[0] ^ self.commitment_flip]) + commitment[1:]
        layout = self.layout if self.index_layout is None else self.index_layout
        index = bytes([self.index_version, layout])
        index += be(total if self.index_total is None else self.index_total, 8) + be(len(self.parts), 2)
        for (number, plaintext), message in zip(self.parts, messages):
            index += be(number, 2) + be(len(plaintext), 8) + (message[42:50] if self.known_attempts else bytes(8))
        index += self.checksums + self.index_suffix
        sealed = seal(self.derive(b"s3eg1 index"), index, b"s3eg1 index\1" + commitment + be(size, 8))
        end = sealed + be(len(sealed), 4) + self.magic
        body = b"".join(messages)
        padding = self.padding or b""
        padding += bytes(size - len(body) - len(end) - len(padding))
        return body + padding + end, self.envelope(commitment, messages[0][:74], total)

    def envelope(self, commitment: bytes, header: bytes, total: int) -> dict[str, bytes]:
        bucket_key = os.urandom(32)
        names = be(len(self.policy), 2) + self.policy + be(len(BUCKET), 2) + BUCKET
        aad = b"s3eg1 dek" + be(len(BUCKET), 2) + BUCKET + be(len(KEY), 2) + KEY + commitment
        wrapped = seal_wide(KEK, bucket_key, b"s3eg1 kek" + names)
        data = bytes([1, self.suite, self.log2, self.layout]) + self.salt + commitment
        data += bytes([len(self.policy)]) + self.policy + b"\x05local" + b"\x017"
        data += be(len(wrapped), 2) + wrapped + seal(bucket_key, self.dek, aad) + b"\0"
        data += header if self.layout == 0 else b""
        fields = {name: value.encode("latin-1") for name, value in self.headers.items()}
        length = b"\1" + be(total, 8) if self.payload_field is None else self.payload_field
        meta = reader.metadata_digest(fields) + self.checksums + length + self.compression
        data += seal(self.derive(b"s3eg1 meta"), meta, data)
        fields["x-amz-meta-s3eg"] = base64.urlsafe_b64encode(data).rstrip(b"=")
        return fields


def read(stored: bytes, fields: dict[str, bytes], bucket: bytes = BUCKET, key: bytes = KEY) -> bytes:
    pieces: list[bytes] = []
    ring = reader.Keyring(json.dumps(KEYRING))
    reader.read_object(io.BytesIO(stored), fields, lambda envelope: ring.unwrap(envelope, bucket), (bucket, key), pieces.append)
    return b"".join(pieces)


def single(size: int = 70000, **choices: object) -> Writer:
    return Writer([(0, os.urandom(size))], **choices)


def multipart(sizes: tuple[int, ...] = (MIB5, MIB5 + 1, 3), **choices: object) -> Writer:
    return Writer([(3 * i + 1, os.urandom(size)) for i, size in enumerate(sizes)], layout=1, **choices)


def flipped(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class WholeObjects(unittest.TestCase):
    def test_single(self) -> None:
        for suite in (1, 2):
            for log2 in (16, 20):
                for size in (0, 1, 65535, 65536, 65537, 131072, MIB5 - 1, MIB5, MIB5 + 1):
                    with self.subTest(suite=suite, log2=log2, size=size):
                        writer = single(size, suite=suite, log2=log2)
                        self.assertEqual(read(*writer.write()), writer.parts[0][1])

    def test_multipart(self) -> None:
        for suite in (1, 2):
            for sizes in ((0,), (5,), (MIB5, 0), (MIB5, MIB5 + 1, 3)):
                for known in (True, False):
                    with self.subTest(suite=suite, sizes=sizes, known=known):
                        writer = multipart(sizes, suite=suite, known_attempts=known)
                        self.assertEqual(read(*writer.write()), b"".join(part for _, part in writer.parts))

    def test_checksums_and_unannounced_length(self) -> None:
        checksums = b"\x02\x01\x00abcd\x05\x01" + bytes(32)
        writer = single(9, checksums=checksums, payload_field=b"\0")
        self.assertEqual(read(*writer.write()), writer.parts[0][1])


class BrokenObjects(unittest.TestCase):
    def refused(self, kind: str, stored: bytes, fields: dict[str, bytes], *name: bytes) -> None:
        with self.assertRaises(reader.FormatError) as caught:
            read(stored, fields, *name)
        self.assertEqual(caught.exception.kind, kind, str(caught.exception))

    def test_choices(self) -> None:
        cases: list[tuple[str, Writer]] = [
            ("authentication_failed", single(commitment_flip=1)),
            ("unsupported", single(suite=3)),
            ("unsupported", single(log2=15)),
            ("malformed", single(policy=b"\xff")),
            ("malformed", single(policy=b"")),
            ("unsupported", single(index_version=2)),
            ("malformed", single(index_layout=1)),
            ("size_mismatch", single(index_total=3)),
            ("malformed", single(index_suffix=b"\0")),
            ("malformed", single(padding=b"\1")),
            ("malformed", single(magic=b"S3E2")),
            ("malformed", single(known_attempts=False)),
            ("unsupported", single(checksums=b"\1\13\0")),
            ("malformed", single(checksums=b"\1\1\2abcd")),
            ("malformed", single(checksums=b"\2\1\0abcd\1\0abcd")),
            ("size_mismatch", single(payload_field=b"\1" + be(1, 8))),
            ("malformed", single(payload_field=b"\2")),
            ("malformed", single(payload_field=b"\1" + be((50 << 40) + 1, 8))),
            ("unsupported", single(compression=b"\3" + bytes(8))),
            ("malformed", single(compression=b"\0\0")),
            ("malformed", Writer([(1, b"abc")])),
            ("malformed", Writer([(0, b"abc")], layout=1)),
            ("malformed", Writer([(10001, b"abc")], layout=1)),
            ("malformed", Writer([(2, bytes(MIB5)), (1, b"abc")], layout=1)),
            ("malformed", Writer([(1, bytes(MIB5)), (1, b"abc")], layout=1)),
            ("malformed", Writer([(1, b"abc"), (2, b"abc")], layout=1)),
        ]
        for number, (kind, writer) in enumerate(cases):
            with self.subTest(case=number):
                self.refused(kind, *writer.write())

    def test_names_are_bound(self) -> None:
        stored, fields = single().write()
        self.refused("authentication_failed", stored, fields, b"other", KEY)
        self.refused("authentication_failed", stored, fields, BUCKET, b"other")

    def test_every_byte_of_a_small_object_counts(self) -> None:
        for layout, number in ((0, 0), (1, 1)):
            stored, fields = Writer([(number, b"abc")], layout=layout).write()
            for at in range(len(stored)):
                with self.subTest(layout=layout, at=at), self.assertRaises(reader.FormatError):
                    read(flipped(stored, at), fields)

    def test_every_byte_of_the_envelope_counts(self) -> None:
        stored, fields = single(3).write()
        text = fields["x-amz-meta-s3eg"]
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        for at in range(len(data)):
            changed = {**fields, "x-amz-meta-s3eg": base64.urlsafe_b64encode(flipped(data, at)).rstrip(b"=")}
            with self.subTest(at=at), self.assertRaises(reader.FormatError):
                read(stored, changed)
        for cut in range(len(data)):
            changed = {**fields, "x-amz-meta-s3eg": base64.urlsafe_b64encode(data[:cut]).rstrip(b"=")}
            with self.subTest(cut=cut), self.assertRaises(reader.FormatError):
                read(stored, changed)

    def test_envelope_text(self) -> None:
        stored, fields = single(3).write()
        text = fields["x-amz-meta-s3eg"]
        for wrong in (text + b"=", text + b"A" * 4096, b"", text[:-1] + b"+", b" " + text, "é".encode("latin-1")):
            self.refused("malformed", stored, {**fields, "x-amz-meta-s3eg": wrong})
        self.refused("not_format_1", stored, {})

    def test_sizes(self) -> None:
        stored, fields = single(3).write()
        self.refused("not_format_1", stored[:415], fields)
        self.refused("size_mismatch", stored + b"\0", fields)
        self.refused("truncated", stored[:-1], {**fields, "content-length": str(len(stored)).encode()})
        self.refused("size_mismatch", stored + b"\0", {**fields, "content-length": str(len(stored)).encode()})

    def test_parts_of_another_attempt(self) -> None:
        writer = multipart((MIB5, 3))
        stored, fields = writer.write()
        first = MIB5 + 74 + 32 * 80
        again = writer.message(1, os.urandom(MIB5))
        self.refused("authentication_failed", again + stored[first:], fields)
        other = writer.message(4, b"abc")
        self.refused("authentication_failed", stored[:first] + other + stored[first + len(other) :], fields)

    def test_segments_swapped(self) -> None:
        stored, fields = single(3 * 65536).write()
        a, b = stored[74 : 74 + 65568], stored[74 + 65568 : 74 + 2 * 65568]
        self.refused("authentication_failed", stored[:74] + b + a + stored[74 + 2 * 65568 :], fields)

    def test_user_metadata(self) -> None:
        stored, fields = single(3, headers={"x-amz-meta-a": "b", "content-type": "text/plain"}).write()
        read(stored, fields)
        for change in ({"x-amz-meta-a": b"c"}, {"content-type": b"text/html"}, {"x-amz-meta-z": b""}):
            self.refused("authentication_failed", stored, {**fields, **change})
        del fields["x-amz-meta-a"]
        self.refused("authentication_failed", stored, fields)


class Sizes(unittest.TestCase):
    def test_table(self) -> None:
        table = {0: 416, 1: 417, 65536: 65952, 65537: 65985, 5242880: 5245952, 5242881: 5245985}
        for payload, stored in table.items():
            self.assertEqual(reader.stored_bytes(payload), stored)
            self.assertEqual(reader.payload_bytes(stored), payload)

    def test_inverse_at_every_border(self) -> None:
        image = {reader.stored_bytes(p): p for p in [*range(66000), *range(5242000, 5309000)]}
        for size in [*range(400, 66300), *range(5245100, 5310000)]:
            if size in image:
                self.assertEqual(reader.payload_bytes(size), image[size])
            else:
                with self.assertRaises(reader.FormatError):
                    reader.payload_bytes(size)

    def test_largest(self) -> None:
        largest = 50 << 40
        self.assertEqual(reader.payload_bytes(reader.stored_bytes(largest)), largest)
        with self.assertRaises(reader.FormatError):
            reader.payload_bytes(reader.stored_bytes(largest + 1))


class Digest(unittest.TestCase):
    def test_canonical_values(self) -> None:
        cases = {
            b"  a \t\r\n b ": b"a b",
            b"\xe9": "é".encode(),
            "é".encode(): "é".encode(),
            b"=?UTF-8?B?w6k=?=": "é".encode(),
            b"=?utf-8?q?=C3=a9_x?= y": "é x y".encode(),
            b"x=?utf-8?q?a?= \t =?us-ascii?Q?b?=y": b"xaby",
            b"=?utf-8?q?a?= b =?utf-8?q?c?=": b"a b c",
            b"=?iso-8859-1?Q?=E9?=": b"=?iso-8859-1?Q?=E9?=",
            b"=?utf-8?Q?=E9?=": b"=?utf-8?Q?=E9?=",
            b"=?utf-8?Q?=4?=": b"=?utf-8?Q?=4?=",
            b"=?utf-8?B?w6k?=": b"=?utf-8?B?w6k?=",
            b"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=": b"=?utf-8?Q?a?=",
        }
        for value, canonical in cases.items():
            with self.subTest(value=value):
                self.assertEqual(reader.canonical_value(value), canonical)

    def test_order_and_exceptions(self) -> None:
        fields = {"x-amz-meta-b": b"1", "x-amz-meta-a": b"2", "x-amz-meta-s3eg": b"3", "etag": b"4"}
        with_more = {"x-amz-meta-a": b"2", "x-amz-meta-b": b"1", "x-amz-meta-s3eg-key": b"5"}
        with_type = {**with_more, "content-type": b"binary/octet-stream"}
        self.assertEqual(reader.metadata_digest(fields), reader.metadata_digest(with_type))


class CommandLine(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "keyring.json").write_text(json.dumps(KEYRING))

    def run_reader(self, stored: bytes, head: object, *more: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "object").write_bytes(stored)
        (self.folder / "head.json").write_text(json.dumps(head))
        script = Path(reader.__file__)
        files = ["--keyring", "keyring.json", "--metadata", "head.json", "--object", "object", "--output", "out"]
        names = ["--bucket", BUCKET.decode(), "--key", KEY.decode()]
        command = [sys.executable, str(script), *files, *names, *more]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def test_shapes_of_metadata(self) -> None:
        writer = single(3, headers={"content-type": "text/plain", "x-amz-meta-who": "Ã©"})
        stored, fields = writer.write()
        text = {name: value.decode("utf-8") for name, value in fields.items()}
        short = {name.removeprefix("x-amz-meta-"): value for name, value in text.items()}
        cli = {"ContentType": "text/plain", "ContentLength": len(stored), "ETag": "x"}
        cli["Metadata"] = {"S3eg": short["s3eg"], "who": "é"}
        for head in (text, {**text, "ETag": "x", "Content-Length": str(len(stored))}, short, cli):
            with self.subTest(names=list(head)):
                result = self.run_reader(stored, head)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual((self.folder / "out").read_bytes(), writer.parts[0][1])

    def test_nothing_is_written_after_a_failure(self) -> None:
        stored, fields = single(200000).write()
        (self.folder / "out").write_bytes(b"before")
        head = {name: value.decode() for name, value in fields.items()}
        result = self.run_reader(flipped(stored, 190000), head)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "authentication_failed: segment 2 does not open\n")
        self.assertEqual((self.folder / "out").read_bytes(), b"before")
        self.assertEqual(sorted(os.listdir(self.folder)), ["head.json", "keyring.json", "object", "out"])

    def test_gzip(self) -> None:
        plain = b"ab" * 3000000
        packed = gzip.compress(plain)
        cases = {
            (packed, len(plain)): 0,
            (packed, len(plain) - 1): 1,
            (packed, len(plain) + 1): 1,
            (packed[:-1], len(plain)): 1,
            (packed + b"\0", len(plain)): 1,
            (flipped(packed, -1), len(plain)): 1,
        }
        for (payload, length), code in cases.items():
            with self.subTest(payload=len(payload), length=length):
                (self.folder / "out").unlink(missing_ok=True)
                stored, fields = Writer([(0, payload)], compression=b"\1" + be(length, 8)).write()
                head = {name: value.decode() for name, value in fields.items()}
                result = self.run_reader(stored, head)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual((self.folder / "out").exists(), code == 0)
                self.assertEqual(len(result.stderr.splitlines()), code)
                if code == 0:
                    self.assertEqual((self.folder / "out").read_bytes(), plain)
                    self.run_reader(stored, head, "--keep-compressed")
                    self.assertEqual((self.folder / "out").read_bytes(), payload)

    def test_missing_key_and_files(self) -> None:
        stored, fields = single(3).write()
        head = {name: value.decode() for name, value in fields.items()}
        other = replace_version(KEYRING, "8")
        (self.folder / "keyring.json").write_text(json.dumps(other))
        result = self.run_reader(stored, head)
        self.assertEqual((result.returncode, result.stderr.split(":")[0]), (1, "key_unavailable"))
        (self.folder / "keyring.json").write_text("{}")
        self.assertEqual(self.run_reader(stored, head).returncode, 1)
        (self.folder / "keyring.json").unlink()
        self.assertEqual(len(self.run_reader(stored, head).stderr.splitlines()), 1)


def replace_version(keyring: dict[str, object], version: str) -> dict[str, object]:
    return {"version": 1, "keys": [{**KEYRING["keys"][0], "version": version}]}


if __name__ == "__main__":
    unittest.main()
