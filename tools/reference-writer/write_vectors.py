#!/usr/bin/env python3
"""Writes test/vectors/format-1, one scenario a file. With --check it writes nothing and fails where a file differs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import broken_metadata
import broken_payload
import s3eg_writer as writer
import valid_scenarios
from scenario import Scenario

RECOVERY_PEM = writer.RECOVERY_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
FOLDER = Path(__file__).resolve().parents[2] / "test" / "vectors" / "format-1"
CHECKSUMS = {
    1: ("crc32", 4),
    2: ("crc32c", 4),
    3: ("crc64nvme", 8),
    4: ("sha1", 20),
    5: ("sha256", 32),
    6: ("md5", 16),
    7: ("sha512", 64),
}
SHOWN_PAYLOAD_BYTES = 256


def runs(data: bytes) -> list[str | int]:
    """Hexadecimal digits; a number stands for so many zero bytes."""
    pieces: list[str | int] = []
    at = 0
    for match in re.finditer(rb"\0{64,}", data):
        pieces += [data[at : match.start()].hex(), len(match[0])]
        at = match.end()
    pieces.append(data[at:].hex())
    return [piece for piece in pieces if piece != ""]


def checksum_list(data: bytes) -> list[dict[str, str]]:
    """What a list of section 8.1 says."""
    at, found = 1, []
    for _ in range(data[0]):
        name, length = CHECKSUMS[data[at]]
        kind = "composite" if data[at + 1] else "full-object"
        found.append({"algorithm": name, "type": kind, "value": data[at + 2 : at + 2 + length].hex()})
        at += 2 + length
    return found


def opened(scenario: Scenario, written: writer.Written) -> dict[str, object]:
    """What a reader makes of a valid vector."""
    recipe, payload = scenario.recipe, written.plaintext
    shown = {"hex": payload.hex()} if len(payload) <= SHOWN_PAYLOAD_BYTES else {}
    return {
        "payload": {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest(), **shown},
        "sealedChecksums": checksum_list(recipe.sealed_checksums),
        "indexChecksums": checksum_list(recipe.index_checksums),
        "compression": scenario.compression,
        "parts": [{"number": number, "bytes": length, "attemptTag": tag.hex()} for number, length, tag in written.parts],
    }


def vector(scenario: Scenario) -> dict[str, object]:
    written = writer.write(scenario.recipe)
    keys = [
        {"version": str(version), "key": base64.b64encode(key).decode(), "created": f"2026-0{version}-01T00:00:00.000Z"}
        for version, key in written.keyring.items()
    ]
    headers = {name: value.decode("latin-1") for name, value in written.headers.items()}
    if scenario.announced is not None:
        headers["content-length"] = str(scenario.announced(len(written.stored)))
    outcome = {"fails": scenario.failure.split()} if scenario.failure else {"opens": opened(scenario, written)}
    return {
        "comment": scenario.comment,
        "requirements": scenario.requirements.split(),
        "bucket": scenario.bucket,
        "key": scenario.key,
        **({"keyring": {"version": 1, "keys": keys}} if scenario.local_keyring else {}),
        "bucketKey": written.bucket_key.hex(),
        **({"recoveryKey": RECOVERY_PEM} if scenario.recipe.recovery else {}),
        "headers": headers,
        "stored": runs(written.stored),
        **outcome,
    }


def files() -> dict[str, str]:
    scenarios = [*valid_scenarios.scenarios(), *broken_metadata.scenarios(), *broken_payload.scenarios()]
    texts = {f"{scenario.recipe.name}.json": json.dumps(vector(scenario), indent=1) + "\n" for scenario in scenarios}
    assert len(texts) == len(scenarios), "two scenarios of one name"
    return texts


def main() -> int:
    wanted = files()
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if "--check" in sys.argv[1:]:
        for name in differing:
            print(f"{name} is not what write_vectors.py writes", file=sys.stderr)
        return 1 if differing else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in differing:
        path = FOLDER / name
        if name in wanted:
            path.write_text(wanted[name])
        else:
            path.unlink()
    print(f"{len(wanted)} vectors, {len(differing)} of them new or changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
