"""What holds for every test."""

import os

# Tests start processes while clients of the same process are connected; nothing here uses gRPC after a fork
# without an exec, so its fork handlers can only stand in the way.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
