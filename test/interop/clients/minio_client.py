"""minio-py through one endpoint: a scenario from making a bucket to removing it. Prints what it saw as JSON.

Usage: minio_client.py ENDPOINT ACCESS_KEY SECRET_KEY FOLDER, where FOLDER has the files `small` and `large`.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from datetime import timedelta
from urllib.request import urlopen

from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

BUCKET = "minio-py-bucket"
PART = 5 * 1024 * 1024


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing_code(client: Minio, key: str) -> str:
    try:
        client.stat_object(BUCKET, key)
    except S3Error as error:
        return error.code
    return "found"


def main(endpoint: str, access_key: str, secret_key: str, folder: str) -> dict:
    client = Minio(endpoint, access_key=access_key, secret_key=secret_key, secure=False, region="us-east-1")
    client.make_bucket(BUCKET)
    small, large = f"{folder}/small", f"{folder}/large"
    put = client.fput_object(BUCKET, "dir/small", small, content_type="text/x-test", metadata={"colour": "blue"})
    client.fput_object(BUCKET, "dir/large", large, part_size=PART)
    with open(large, "rb") as file:
        # A stream of unknown length goes up in parts.
        client.put_object(BUCKET, "streamed", file, length=-1, part_size=PART)
    client.put_object(BUCKET, "empty", io.BytesIO(b""), 0)
    client.fget_object(BUCKET, "dir/small", f"{folder}/small.back")
    client.fget_object(BUCKET, "dir/large", f"{folder}/large.back")
    client.fget_object(BUCKET, "streamed", f"{folder}/streamed.back")
    with client.get_object(BUCKET, "dir/large", offset=PART - 10, length=20) as answer:
        middle = answer.read()
    with urlopen(client.presigned_get_object(BUCKET, "dir/small", expires=timedelta(minutes=5))) as answer:
        presigned = hashlib.sha256(answer.read()).hexdigest()
    stat = client.stat_object(BUCKET, "dir/small")
    listed = {entry.object_name: entry.size for entry in client.list_objects(BUCKET, recursive=True)}
    folders = [entry.object_name for entry in client.list_objects(BUCKET) if entry.is_dir]
    errors = [str(error) for error in client.remove_objects(BUCKET, [DeleteObject(key) for key in listed])]
    missing = missing_code(client, "dir/small")
    client.remove_bucket(BUCKET)
    return {
        "etags": [put.etag, stat.etag],
        "type": stat.content_type,
        "colour": stat.metadata.get("x-amz-meta-colour"),
        "listed": listed,
        "folders": folders,
        "sha256": {name: sha256(f"{folder}/{name}.back") for name in ("small", "large", "streamed")},
        "middle": middle.hex(),
        "presigned": presigned,
        "errors": errors,
        "missing": missing,
        "bucket_exists": client.bucket_exists(BUCKET),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
