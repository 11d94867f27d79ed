"""Every limit of the state stores, by name."""

COMMITS_RETAINED_MAX = 100_000  # of the event stream; a watcher further behind starts from a list
COMMITS_PER_READ_MAX = 256  # of at most 128 records each: a reader's event loop is held up for its decoding
TRANSACTIONS_PER_CALL_MAX = 128  # a call of 128 changes holds Redis for about 2 ms
CHANGES_PER_CALL_MAX = 128
TRANSACTIONS_WAITING_MAX = 20_000  # for a call; more are refused at once, since the store cannot keep up
URGENT_TRANSACTIONS_WAITING_MAX = (
    20_000  # the launchers' own, which no flood of submits can take; the leader needs none
)
