"""
OpenStack Swift with its S3 face, in one process: the strict S3 server of the tests.

It checks signatures and the hash of what arrives, and refuses parts that are too small.
Run as a program, with a folder; prints its port, and serves until its input is closed.
Its four servers listen on ports that the system chose before the rings name them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import eventlet
from eventlet import tpool, wsgi

eventlet.monkey_patch()

from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402 - it must be patched
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.utils import NullLogger, set_swift_dir  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

ACCESS_KEY, SECRET_KEY = "test:tester", "testing"

_SWIFT = """
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = gold
default = yes
"""
_BACKEND = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
log_level = ERROR
recon_cache_path = {folder}/recon
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
allow_versions = true
"""
_PROXY = f"""
[DEFAULT]
swift_dir = {{folder}}
log_level = ERROR
[pipeline:main]
pipeline = catch_errors s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_{ACCESS_KEY.replace(":", "_")} = {SECRET_KEY} .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""
_BACKENDS = ("account", "container", "object")


def main(folder: Path) -> None:
    """Serve from *folder* until the standard input is closed."""
    (folder / "swift.conf").write_text(_SWIFT)
    set_swift_dir(str(folder))
    (folder / "devices" / "d1").mkdir(parents=True)
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in (*_BACKENDS, "proxy")}
    for name in _BACKENDS:
        _write_ring(folder / f"{name}.ring.gz", sockets[name].getsockname()[1])
    for name, socket in sockets.items():
        text = (_PROXY if name == "proxy" else _BACKEND).format(folder=folder, name=name)
        path = folder / f"{name}-server.conf"
        path.write_text(text)
        eventlet.spawn(
            wsgi.server,
            socket,
            loadapp(str(path), global_conf={"log_name": name}),
            NullLogger(),
            protocol=SwiftHttpProtocol,
            capitalize_response_headers=False,
        )
    sys.stdout.write(f"{sockets['proxy'].getsockname()[1]}\n")
    sys.stdout.flush()
    tpool.execute(sys.stdin.read)


def _write_ring(path: Path, port: int) -> None:
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1"}
    builder.add_dev(
        {**place, "replication_port": port, "device": "d1"}
        | {"region": 1, "zone": 1, "weight": 1.0, "meta": ""}
    )
    builder.rebalance()
    builder.get_ring().save(str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
