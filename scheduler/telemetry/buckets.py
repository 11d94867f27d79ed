"""Histogram buckets, in seconds unless said: each set has the objective it must resolve in its middle."""

RPC_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Objective: 99 of 100 calls are answered in 50 ms."""

STORE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
"""Objective: 99 of 100 fsynced writes return in 10 ms."""

STORE_BATCH_TRANSACTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Transactions in one call of the store."""

CYCLE_SECONDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Objective: the floor of a large fleet is committed in 1 s, the improved plan in 10 s."""

TIME_TO_PLACE_SECONDS = (
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
)  # fmt: skip
"""Objective: what fits is placed in 2 s; the long tail is waiting for capacity."""

LAUNCH_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0)
"""Objective: reserved capacity runs in 10 s, a rented slice in 5 min."""
