"""Blocks: the device counts that tasks take on nodes; each divides the next, so that rows are exact."""

from collections.abc import Iterable


def chain_of(node_sizes: Iterable[int]) -> tuple[int, ...]:
    """The block sizes of a pool, ascending: powers of two that divide its nodes, and whole nodes.

    Each divides the next. Nodes of one size always have their whole size in the chain; of mixed sizes
    that do not divide each other only the smaller ones do.
    """
    sizes = sorted(set(node_sizes))
    if not sizes:
        return ()
    powers = [1 << exponent for exponent in range(sizes[-1].bit_length())]
    chain = [1]
    for block in sorted({*powers, *sizes}):
        divides_larger_nodes = all(size % block == 0 for size in sizes if size >= block)
        if block > chain[-1] and block % chain[-1] == 0 and (block in sizes or divides_larger_nodes):
            chain.append(block)
    return tuple(chain)


def block_of(devices: int, chain: tuple[int, ...]) -> int | None:
    """The devices that a task of that many takes, or None when no node can hold it."""
    return next((block for block in chain if block >= devices), None)
