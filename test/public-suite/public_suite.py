"""Runs tests of a suite that others wrote, one test a process, and prints one JSON line a test.

The tests expect an account without buckets and leave some behind, so after each test everything is removed by way of the
server that stores it (which is the endpoint itself, or stands behind it), and from its folder where the server refuses:
objects under compliance retention would keep every later test from passing.

usage: public_suite.py SETTINGS.json, of
  {"lanes": [{"command": ["program", ...], "env": {...}, "server": {"endpoint", "accessKeyId", "secretAccessKey"},
              "root": "/folder/of/the/server"}, ...],
   "names": ["PutObject_success", ...], "failure": "regular expression of a failure in the output"}
A test's name becomes the last argument of the command. Each lane runs one test at a time; they share the list of tests.
"""

import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TEST_TIMEOUT_SECONDS = 180
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")


def client_of(access):
    return boto3.client(
        "s3",
        endpoint_url=access["endpoint"],
        aws_access_key_id=access["accessKeyId"],
        aws_secret_access_key=access["secretAccessKey"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def versions_of(s3, bucket):
    try:
        page = s3.list_object_versions(Bucket=bucket)
    except ClientError:
        objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [{"Key": entry["Key"]} for entry in objects]
    entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
    return [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]


def remove_version(s3, bucket, entry):
    try:
        s3.delete_object(Bucket=bucket, BypassGovernanceRetention=True, **entry)
    except ClientError:
        s3.put_object_legal_hold(Bucket=bucket, LegalHold={"Status": "OFF"}, **entry)
        s3.delete_object(Bucket=bucket, BypassGovernanceRetention=True, **entry)


def remove_bucket(s3, bucket):
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for _ in range(5):
        entries = versions_of(s3, bucket)
        if not entries:
            break
        for entry in entries:
            remove_version(s3, bucket, entry)
    s3.delete_bucket(Bucket=bucket)


def remove_folders(root, bucket):
    """Both servers keep a bucket as a folder of its name; MinIO keeps its settings beside all buckets."""
    for folder in (root / bucket, root / ".minio.sys" / "buckets" / bucket):
        shutil.rmtree(folder, ignore_errors=True)


def remove_everything(s3, root):
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        try:
            try:
                s3.delete_bucket_policy(Bucket=name)
            except ClientError:
                pass
            remove_bucket(s3, name)
        except ClientError:
            remove_folders(root, name)


def run_test(lane, failure, name):
    env = {**os.environ, **lane["env"]}
    try:
        finished = subprocess.run(
            [*lane["command"], name], capture_output=True, text=True, timeout=TEST_TIMEOUT_SECONDS, check=False, env=env
        )
    except subprocess.TimeoutExpired:
        return False, "takes too long"
    output = TERMINAL_CODES.sub("", finished.stdout + finished.stderr)
    failures = [line for line in output.splitlines() if re.search(failure, line)]
    return finished.returncode == 0 and not failures, (failures or [""])[0][:1500]


def run_lane(lane, failure, names):
    s3 = client_of(lane["server"])
    root = pathlib.Path(lane["root"])
    while True:
        try:
            name = names.get_nowait()
        except queue.Empty:
            return
        started = time.monotonic()
        passed, reason = run_test(lane, failure, name)
        seconds = round(time.monotonic() - started, 1)
        line = json.dumps({"name": name, "passed": passed, "reason": reason, "seconds": seconds})
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        remove_everything(s3, root)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    names = queue.SimpleQueue()
    for name in settings["names"]:
        names.put(name)
    lanes = [
        threading.Thread(target=run_lane, args=(lane, settings["failure"], names)) for lane in settings["lanes"]
    ]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


if __name__ == "__main__":
    main()
