"""What holds for every test."""

import os

# Tests start processes while clients of the same process are connected. With its fork handlers gRPC may
# then lose a stream for good; nothing here uses gRPC after a fork without an exec.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
