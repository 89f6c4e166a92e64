"""The vectors of format 1, which another program wrote: every valid one opens, every broken one fails as it has to."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import s3eg_reader as reader

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "test" / "vectors" / "format-1"
WRITER = ROOT / "tools" / "reference-writer" / "write_vectors.py"
ALGORITHMS = {name: name.lower() for name, _length in reader.CHECKSUMS.values()}


def stored_bytes(pieces: list[str | int]) -> bytes:
    """Hexadecimal digits, and numbers of zero bytes."""
    return b"".join(bytes(piece) if isinstance(piece, int) else bytes.fromhex(piece) for piece in pieces)


def open_vector(vector: dict) -> tuple[reader.Opened, bytes]:
    """Reads a vector by its keyring, or by its bucket key where it has no keyring."""
    headers = {name: value.encode("latin-1") for name, value in vector["headers"].items()}
    bucket, key = vector["bucket"].encode(), vector["key"].encode()
    ring = reader.Keyring(json.dumps(vector["keyring"])) if "keyring" in vector else None

    def bucket_key_of(envelope: reader.Envelope) -> bytes:
        return bytes.fromhex(vector["bucketKey"]) if ring is None else ring.unwrap(envelope, bucket)

    pieces: list[bytes] = []
    stored = io.BytesIO(stored_bytes(vector["stored"]))
    opened = reader.read_object(stored, headers, bucket_key_of, (bucket, key), pieces.append)
    return opened, b"".join(pieces)


def listed(checksums: list[reader.Checksum]) -> list[dict[str, str]]:
    return [
        {
            "algorithm": ALGORITHMS[checksum.algorithm],
            "type": "composite" if checksum.composite else "full-object",
            "value": checksum.value.hex(),
        }
        for checksum in checksums
    ]


class Vectors(unittest.TestCase):
    def setUp(self) -> None:
        self.vectors = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}

    def test_valid_ones_open(self) -> None:
        valid = {name: vector for name, vector in self.vectors.items() if "opens" in vector}
        self.assertGreater(len(valid), 30)
        for name, vector in valid.items():
            with self.subTest(name):
                self.assertTrue(name.startswith("valid-"))
                opened, payload = open_vector(vector)
                expected = vector["opens"]
                self.assertEqual(len(payload), expected["payload"]["bytes"])
                self.assertEqual(hashlib.sha256(payload).hexdigest(), expected["payload"]["sha256"])
                self.assertEqual(listed(opened.metadata.checksums), expected["sealedChecksums"])
                self.assertEqual(listed(opened.index.checksums), expected["indexChecksums"])
                compression = expected["compression"] or {"algorithm": None, "bytes": None}
                self.assertEqual((opened.metadata.compression, opened.metadata.original), tuple(compression.values()))
                parts = [(part["number"], part["bytes"], bytes.fromhex(part["attemptTag"])) for part in expected["parts"]]
                self.assertEqual([(part.number, part.plaintext, part.attempt) for part in opened.index.parts], parts)

    def test_the_recovery_key_gives_the_bucket_key(self) -> None:
        found = {name: vector for name, vector in self.vectors.items() if "recoveryKey" in vector and "opens" in vector}
        self.assertEqual(len(found), 2)
        for name, vector in found.items():
            with self.subTest(name):
                envelope = reader.decode_envelope(vector["headers"]["x-amz-meta-s3eg"])
                key = reader.RecoveryKey(vector["recoveryKey"].encode())
                self.assertEqual(key.unwrap(envelope, vector["bucket"].encode()).hex(), vector["bucketKey"])
                with self.assertRaises(reader.FormatError) as caught:
                    key.unwrap(envelope, b"another-bucket")
                self.assertEqual(caught.exception.kind, "authentication_failed")
                other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                with self.assertRaises(reader.FormatError) as caught:
                    reader.RecoveryKey(other).unwrap(envelope, vector["bucket"].encode())
                self.assertEqual(caught.exception.kind, "key_unavailable")

    def test_broken_ones_fail_as_they_have_to(self) -> None:
        broken = {name: vector for name, vector in self.vectors.items() if "fails" in vector}
        self.assertGreater(len(broken), 150)
        for name, vector in broken.items():
            with self.subTest(name):
                self.assertTrue(name.startswith("broken-"))
                with self.assertRaises(reader.FormatError) as caught:
                    open_vector(vector)
                self.assertIn(caught.exception.kind, vector["fails"], str(caught.exception))

    def test_they_name_requirements_of_the_document(self) -> None:
        known = set(re.findall(r"\bF1-[A-Z]+-\d+\b", (ROOT / "docs" / "format" / "format-1.md").read_text()))
        for name, vector in self.vectors.items():
            with self.subTest(name):
                self.assertLessEqual(set(vector["requirements"]), known)

    def test_they_are_what_the_writer_writes(self) -> None:
        command = [sys.executable, str(WRITER), "--check"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
