"""Barman's own upload code at one endpoint, without a PostgreSQL server: a backup as tar archives in parts, and its listing,
download and deletion. Prints what it saw as JSON.

Usage: barman_client.py ENDPOINT FOLDER, where FOLDER has a directory `pgdata`; credentials are in the environment.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import tarfile

from barman.cloud import CloudUploadController
from barman.cloud_providers.aws_s3 import S3CloudInterface

# Archives of at least this size, so that a backup is more than one; parts end wherever the buffer is full.
ARCHIVE = 12 * 1024 * 1024
PART = 5 * 1024 * 1024 + 4321


def main(endpoint: str, folder: str) -> dict:
    logging.disable(logging.CRITICAL)
    cloud = S3CloudInterface("s3://barman/backups", jobs=2, endpoint_url=endpoint, region="us-east-1")
    cloud.setup_bucket()
    controller = CloudUploadController(cloud, "backups/pg/base/1", ARCHIVE, None, min_chunk_size=PART)
    controller.upload_directory("pgdata", f"{folder}/pgdata", "data")
    controller.add_fileobj("label", io.BytesIO(b"START WAL LOCATION"), "data", "backup_label")
    controller.close()
    cloud.close()
    listed = sorted(cloud.list_bucket("backups/pg/base/1/", delimiter=""))
    names = []
    for key in listed:
        with tarfile.open(fileobj=io.BytesIO(cloud.remote_open(key).read())) as archive:
            archive.extractall(f"{folder}/restored", filter="data")
            names.append(len(archive.getnames()))
        cloud.download_file(key, f"{folder}/{key.rsplit('/')[-1]}", None)
    parts = [len(archive["parts"]) for archives in controller.upload_stats.values() for archive in archives]
    cloud.delete_objects(listed)
    return {
        "archives": [key.rsplit("/")[-1] for key in listed],
        "entries": names,
        "parts": parts,
        "left": list(cloud.list_bucket("backups/", delimiter="")),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
