"""boto3 on a leash: calls come as JSON lines on standard input, answers go as JSON lines to standard output.

A call is {"id", "access": {"endpoint", "accessKeyId", "secretAccessKey", "virtualHosted"?}, "method", "params", "save"?}. A parameter
{"$base64": text} or {"$file": path, "first"?, "length"?} stands for bytes, {"$slow": path, "until": path} for a body that
stops in its middle until a file appears. A body in the answer is read to its end and saved to the path "save".
Nothing is retried: the tests see what the server did, once. The method `minio_presign` is not of boto3: minio-py signs a URL.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError
from minio import Minio

PIECE = 256 * 1024

clients: dict[tuple[str, str, bool], object] = {}
clients_lock = threading.Lock()
output_lock = threading.Lock()


def config(virtual_hosted: bool) -> Config:
    return Config(
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=120,
        s3={"addressing_style": "virtual" if virtual_hosted else "path"},
        # Without it boto3 presigns with the signature of 2006.
        signature_version="s3v4",
    )


def client_of(access: dict):
    """One client an endpoint, credential and style of address."""
    with clients_lock:
        virtual_hosted = access.get("virtualHosted", False)
        key = (access["endpoint"], access["accessKeyId"], virtual_hosted)
        if key not in clients:
            clients[key] = boto3.session.Session().client(
                "s3",
                endpoint_url=access["endpoint"],
                aws_access_key_id=access["accessKeyId"],
                aws_secret_access_key=access["secretAccessKey"],
                region_name="us-east-1",
                config=config(virtual_hosted),
            )
        return clients[key]


class SlowFile(io.RawIOBase):
    """A file that gives its first half, then waits until another file is there."""

    def __init__(self, path: str, until: str) -> None:
        self.file = open(path, "rb")
        self.until = until
        self.half = os.path.getsize(path) // 2

    def read(self, size: int = -1) -> bytes:
        # boto3 makes digests of pieces of 1 MiB, which must not wait, and sends smaller ones.
        if 0 < size < 524288 and self.file.tell() >= self.half:
            deadline = time.monotonic() + 60
            while not os.path.exists(self.until) and time.monotonic() < deadline:
                time.sleep(0.02)
        return self.file.read(size)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)


def decoded(value):
    """Parameters with their stand-ins replaced."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$base64" in value:
        return base64.b64decode(value["$base64"])
    if "$slow" in value:
        return SlowFile(value["$slow"], value["until"])
    if "$file" in value:
        with open(value["$file"], "rb") as file:
            file.seek(value.get("first", 0))
            return file.read(value.get("length", -1))
    return {name: decoded(item) for name, item in value.items()}


def read_body(body, save: str | None) -> dict:
    """Reads a body as far as it comes; says how it ended."""
    hasher, length, broken = hashlib.sha256(), 0, None
    with open(save or os.devnull, "wb") as file:
        try:
            while piece := body.read(PIECE):
                hasher.update(piece)
                length += len(piece)
                file.write(piece)
        except (IncompleteReadError, ResponseStreamingError, HTTPClientError) as error:
            broken = f"{type(error).__name__}: {error}"
    return {"length": length, "sha256": hasher.hexdigest(), "broken": broken}


def encoded(value, save: str | None):
    """An answer in JSON."""
    if isinstance(value, dict):
        return {name: encoded(item, save) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encoded(item, save) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        return read_body(value, save)
    return value


def minio_presign(access: dict, params: dict) -> str:
    """A URL signed by minio-py; the parameters are those of its `get_presigned_url`, the time in seconds."""
    host = access["endpoint"].split("//")[1]
    client = Minio(host, access["accessKeyId"], access["secretAccessKey"], secure=False, region="us-east-1")
    if access.get("virtualHosted"):
        client.enable_virtual_style_endpoint()
    return client.get_presigned_url(**{**params, "expires": datetime.timedelta(seconds=params["expires"])})


def run(call: dict):
    if call["method"] == "minio_presign":
        return minio_presign(call["access"], call["params"])
    return getattr(client_of(call["access"]), call["method"])(**decoded(call["params"]))


def answer(call: dict) -> dict:
    try:
        return {"id": call["id"], "result": encoded(run(call), call.get("save"))}
    except ClientError as error:
        metadata = error.response.get("ResponseMetadata", {})
        return {
            "id": call["id"],
            "error": {
                "code": error.response.get("Error", {}).get("Code"),
                "message": error.response.get("Error", {}).get("Message"),
                "status": metadata.get("HTTPStatusCode"),
                "requestId": metadata.get("HTTPHeaders", {}).get("x-amz-request-id"),
            },
        }
    except Exception as error:  # everything else is an answer for the test too: connection closed, checksum wrong
        return {"id": call["id"], "error": {"code": type(error).__name__, "message": str(error)}}


def work(line: str) -> None:
    text = json.dumps(answer(json.loads(line)))
    with output_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def main() -> None:
    with ThreadPoolExecutor(16) as pool:
        for line in sys.stdin:
            pool.submit(work, line)


if __name__ == "__main__":
    main()
