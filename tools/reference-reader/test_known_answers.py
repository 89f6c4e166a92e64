"""Known answers of FLOE itself (test/vectors/floe), and of XAES-256-GCM (C2SP)."""

from __future__ import annotations

import unittest
from pathlib import Path

import s3eg_reader as reader

VECTORS = Path(__file__).resolve().parents[2] / "test" / "vectors"
FLOE_SEGMENTS = {"GCM256_IV256_64": 64, "GCM256_IV256_4K": 4096, "rotation": 40, "lastSegAligned": 40, "lastSegEmpty": 40}


def floe_decrypt(ciphertext: bytes, segment: int, rotation_bits: int, aad: bytes = b"This is AAD") -> bytes:
    """Decrypt a FLOE ciphertext under the key of the known answers."""
    header, body = ciphertext[:74], ciphertext[74:]
    message = reader.Floe(bytes(32), reader.FloeParameters(0, segment, rotation_bits), aad, header)
    cuts = range(0, len(body), segment)
    pieces = [message.open_segment(k, k == len(cuts) - 1, body[at : at + segment]) for k, at in enumerate(cuts)]
    return b"".join(pieces)


class FloeKnownAnswers(unittest.TestCase):
    def setUp(self) -> None:
        self.answers: dict[str, tuple[bytes, bytes, int, int]] = {}
        for path in sorted((VECTORS / "floe").glob("*_ct.txt")):
            stem = path.name.removesuffix("_ct.txt")
            kind = stem.split("_", 1)[1]
            plaintext = path.with_name(stem + "_pt.txt")
            data = (bytes.fromhex(path.read_text()), bytes.fromhex(plaintext.read_text()))
            self.answers[stem] = (*data, FLOE_SEGMENTS[kind], 2 if kind == "rotation" else 20)

    def test_all_are_there(self) -> None:
        self.assertEqual(len(self.answers), 14)

    def test_plaintext(self) -> None:
        for name, (ciphertext, plaintext, segment, rotation) in self.answers.items():
            with self.subTest(name):
                self.assertEqual(floe_decrypt(ciphertext, segment, rotation), plaintext)

    def test_what_was_changed_is_refused(self) -> None:
        for name, (ciphertext, _, segment, rotation) in self.answers.items():
            cut = len(ciphertext) - (len(ciphertext) - 74 - 1) % segment - 1  # the last segment begins here
            first, second = ciphertext[74 : 74 + segment], ciphertext[74 + segment : 74 + 2 * segment]
            changed = [
                ciphertext[:cut],
                ciphertext[:-1],
                ciphertext[:74] + ciphertext[74 + segment :],
                ciphertext[:74] + second + first + ciphertext[74 + 2 * segment :],
            ]
            step = 1 if len(ciphertext) < 600 else 37
            changed += [ciphertext[:at] + bytes([ciphertext[at] ^ 4]) + ciphertext[at + 1 :] for at in range(0, len(ciphertext), step)]
            for number, wrong in enumerate(changed):
                with self.subTest(name, change=number), self.assertRaises(reader.FormatError):
                    floe_decrypt(wrong, segment, rotation)
            with self.subTest(name, change="aad"), self.assertRaises(reader.FormatError):
                floe_decrypt(ciphertext, segment, rotation, b"This is aad")


class WideNonceKnownAnswers(unittest.TestCase):
    """Section "Test vectors" of C2SP XAES-256-GCM.md."""

    NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"
    ANSWERS = [
        (1, b"", "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (3, b"c2sp.org/XAES-256-GCM", "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ]

    def test_derived_key(self) -> None:
        for byte, _, derived, _ in self.ANSWERS:
            with self.subTest(byte):
                self.assertEqual(reader.xaes_parameters(bytes([byte]) * 32, self.NONCE), (bytes.fromhex(derived), self.NONCE[12:]))

    def test_plaintext(self) -> None:
        for byte, aad, _, sealed in self.ANSWERS:
            with self.subTest(byte):
                opened = reader.open_wide(bytes([byte]) * 32, self.NONCE + bytes.fromhex(sealed), aad, "answer")
                self.assertEqual(opened, b"XAES-256-GCM")


if __name__ == "__main__":
    unittest.main()
