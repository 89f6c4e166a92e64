"""Known answers of FLOE itself (test/vectors/floe)."""

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


if __name__ == "__main__":
    unittest.main()
