"""Runs one of the functional tests that come with minio-py, or names them all.

usage: minio_py.py FOLDER [TEST], with SERVER_ENDPOINT, ACCESS_KEY and SECRET_KEY in the environment; FOLDER has their
tests.py and the files that they upload. Their own main knows how each is called, and prints what came of it as JSON.
"""

import base64
import os
import sys
import tempfile

FOLDER, *WANTED = sys.argv[1:]
sys.path.insert(0, FOLDER)
import tests  # noqa: E402  (found by the line above)

call = tests._call_test


def call_wanted(test, *args, **kwargs):
    if not WANTED:
        print(test.__name__)
    elif test.__name__ in WANTED:
        call(test, *args, **kwargs)


def random_text(size):
    return base64.b64encode(os.urandom(size))[:size].decode()


tests._call_test = call_wanted
# Theirs draws each letter by itself, which takes more time than all requests together.
tests._get_random_string = random_text
os.environ.update(MINT_MODE="full", ENABLE_HTTPS="0", DATA_DIR=FOLDER)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    tests.main()
    os.chdir("/")
