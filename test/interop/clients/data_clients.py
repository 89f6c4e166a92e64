"""Clients of data platforms at one endpoint: pyarrow, s3fs and DuckDB (by s3fs). Prints what they saw as JSON.

Usage: data_clients.py pyarrow|s3fs|duckdb ENDPOINT ACCESS_KEY SECRET_KEY FOLDER, where FOLDER has `table.parquet`, which
the first of them (`make`, with FOLDER alone) writes, and a directory `tree`. Everything is compared with the local files.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys

import duckdb
import fsspec.generic
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import s3fs

ROWS = 600_000
ROWS_A_GROUP = 40_000
# No multiple of anything that a store cuts at.
ODD = 1_000_003


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def make(folder: str) -> dict:
    """A table that does not compress, in row groups; the seed is the test's."""
    source = random.Random(os.environ["S3EG_TEST_SEED"])
    table = pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "value": pa.array([source.random() for _ in range(ROWS)], pa.float64()),
            "kind": pa.array([f"kind {source.randrange(5)}" for _ in range(ROWS)]),
            "noise": pa.array([source.randbytes(16) for _ in range(ROWS)], pa.binary(16)),
        }
    )
    pq.write_table(table, f"{folder}/table.parquet", row_group_size=ROWS_A_GROUP)
    return {"length": os.path.getsize(f"{folder}/table.parquet")}


def wanted_sum(folder: str) -> list:
    """Count and sum of one kind in a range of ids, by pyarrow from the local file."""
    rows = pq.read_table(f"{folder}/table.parquet", columns=["id", "kind"])
    matches = rows.filter((pc.field("kind") == "kind 3") & (pc.field("id") < 100_000))
    return [matches.num_rows, pc.sum(matches["id"]).as_py()]


def ranges(length: int) -> list[tuple[int, int]]:
    """First bytes and lengths: the ends, and around what the format cuts at."""
    return [(0, 1), (65_535, 2), (5 * 1024 * 1024 - 7, 131_099), (length - 9, 9), (length // 2, 3_000_017)]


def use_pyarrow(endpoint: str, access_key: str, secret_key: str, folder: str) -> dict:
    fs = pafs.S3FileSystem(
        access_key=access_key,
        secret_key=secret_key,
        endpoint_override=endpoint,
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )
    fs.create_dir("pyarrow")
    local = file_bytes(f"{folder}/table.parquet")
    with fs.open_output_stream("pyarrow/table.parquet", metadata={"Content-Type": "application/x-parquet"}) as out:
        for first in range(0, len(local), ODD):
            out.write(local[first : first + ODD])
    with fs.open_input_file("pyarrow/table.parquet") as file:
        parts = [file.read_at(length, first) == local[first : first + length] for first, length in ranges(len(local))]
        whole = digest(file.read()) == digest(local)
    table = ds.dataset("pyarrow/table.parquet", filesystem=fs, format="parquet")
    chosen = table.to_table(columns=["id"], filter=(pc.field("kind") == "kind 3") & (pc.field("id") < 100_000))
    ds.write_dataset(
        pq.read_table(f"{folder}/table.parquet"), "pyarrow/parted", filesystem=fs, format="parquet", partitioning=["kind"]
    )
    again = ds.dataset("pyarrow/parted", filesystem=fs, format="parquet", partitioning=["kind"]).to_table()
    fs.copy_file("pyarrow/table.parquet", "pyarrow/copy.parquet")
    fs.move("pyarrow/copy.parquet", "pyarrow/moved.parquet")
    found = fs.get_file_info(pafs.FileSelector("pyarrow", recursive=True))
    files = {info.path: info.size for info in found if info.type == pafs.FileType.File}
    read_sizes = {path: len(fs.open_input_stream(path).read()) for path in files}
    moved = digest(fs.open_input_stream("pyarrow/moved.parquet").read()) == digest(local)
    fs.delete_dir_contents("pyarrow/parted")
    fs.delete_file("pyarrow/moved.parquet")
    left = sorted(
        info.path
        for info in fs.get_file_info(pafs.FileSelector("pyarrow", recursive=True))
        if info.type == pafs.FileType.File
    )
    return {
        "version": pa.__version__,
        "whole": whole,
        "ranges": parts,
        "chosen": [chosen.num_rows, pc.sum(chosen["id"]).as_py()] == wanted_sum(folder),
        "parted": again.sort_by("id").select(["id", "noise"]).equals(
            pq.read_table(f"{folder}/table.parquet", columns=["id", "noise"])
        ),
        "files": len(files),
        "sizes": files == read_sizes,
        "moved": moved,
        "left": left,
    }


def s3fs_at(endpoint: str, access_key: str, secret_key: str) -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(
        key=access_key,
        secret=secret_key,
        endpoint_url=endpoint,
        client_kwargs={"region_name": "us-east-1"},
        use_listings_cache=False,
    )


def use_s3fs(endpoint: str, access_key: str, secret_key: str, folder: str) -> dict:
    fs = s3fs_at(endpoint, access_key, secret_key)
    fs.makedirs("s3fs-bucket", exist_ok=True)
    local = file_bytes(f"{folder}/table.parquet")
    fs.put(f"{folder}/table.parquet", "s3fs-bucket/put.parquet")
    with fs.open("s3fs-bucket/streamed.parquet", "wb", block_size=5 * 1024 * 1024 + 11) as out:
        for first in range(0, len(local), ODD):
            out.write(local[first : first + ODD])
    fs.get("s3fs-bucket/put.parquet", f"{folder}/back.parquet")
    parts = [
        fs.cat_file("s3fs-bucket/streamed.parquet", start=first, end=first + length) == local[first : first + length]
        for first, length in ranges(len(local))
    ]
    rows = pq.read_table("s3fs-bucket/streamed.parquet", filesystem=fs, columns=["id"], filters=[("id", "<", 1000)])
    fs.copy("s3fs-bucket/streamed.parquet", "s3fs-bucket/copied.parquet")
    fs.mv("s3fs-bucket/copied.parquet", "s3fs-bucket/moved.parquet")

    fsspec.generic.set_generic_fs("file")
    fsspec.generic.set_generic_fs("s3", key=access_key, secret=secret_key, endpoint_url=endpoint)
    sync = {"source": f"file://{folder}/tree", "destination": "s3://s3fs-bucket/tree"}
    options = {"inst_kwargs": {"default_method": "generic"}}
    fsspec.generic.rsync(**sync, **options)
    second = fsspec.generic.rsync(**sync, **options)
    fs.invalidate_cache()
    listed = {path.removeprefix("s3fs-bucket/tree/"): info["size"] for path, info in fs.find("s3fs-bucket/tree", detail=True).items()}
    tree = {
        os.path.relpath(os.path.join(root, name), f"{folder}/tree"): os.path.getsize(os.path.join(root, name))
        for root, _, names in os.walk(f"{folder}/tree")
        for name in names
    }
    synced = all(fs.cat_file(f"s3fs-bucket/tree/{path}") == file_bytes(f"{folder}/tree/{path}") for path in tree)
    sizes = {info["name"]: info["size"] for info in fs.ls("s3fs-bucket", detail=True) if info["type"] == "file"}
    moved = digest(fs.cat_file("s3fs-bucket/moved.parquet")) == digest(local)
    fs.rm("s3fs-bucket", recursive=True)
    return {
        "version": s3fs.__version__,
        "put": digest(file_bytes(f"{folder}/back.parquet")) == digest(local),
        "ranges": parts,
        "rows": rows["id"].to_pylist() == list(range(1000)),
        "moved": moved,
        "sizes": sizes == {f"s3fs-bucket/{name}.parquet": len(local) for name in ("put", "streamed", "moved")},
        "second_sync": len(second),
        "listed": listed == tree,
        "synced": synced,
        "gone": not fs.exists("s3fs-bucket"),
    }


def use_duckdb(endpoint: str, access_key: str, secret_key: str, folder: str) -> dict:
    fs = s3fs_at(endpoint, access_key, secret_key)
    fs.mkdir("duckdb")
    connection = duckdb.connect()
    connection.register_filesystem(fs)
    connection.execute(f"COPY (FROM '{folder}/table.parquet') TO 's3://duckdb/table.parquet' (FORMAT parquet, ROW_GROUP_SIZE 40000)")
    chosen = connection.sql(
        "SELECT count(*), sum(id)::BIGINT FROM 's3://duckdb/table.parquet' WHERE kind = 'kind 3' AND id < 100000"
    ).fetchall()[0]
    differing = connection.sql(
        f"SELECT count(*) FROM '{folder}/table.parquet' JOIN 's3://duckdb/table.parquet' AS other USING (id, value, kind, noise)"
    ).fetchall()[0]
    size = fs.info("duckdb/table.parquet")["size"]
    read = len(fs.cat_file("duckdb/table.parquet"))
    fs.rm("duckdb", recursive=True)
    return {
        "version": duckdb.__version__,
        "chosen": list(chosen) == wanted_sum(folder),
        "equal_rows": differing[0] == ROWS,
        "size": size == read and size > 1_000_000,
    }


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    clients = {"make": make, "pyarrow": use_pyarrow, "s3fs": use_s3fs, "duckdb": use_duckdb}
    print(json.dumps(clients[name](*arguments)))
