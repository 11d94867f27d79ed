"""The gRPC edge: decode, call, encode. Decides nothing."""
