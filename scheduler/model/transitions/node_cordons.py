"""Moves of a pool's cordoned nodes that operators ask for."""

from collections.abc import Collection
from dataclasses import replace

from scheduler.model.errors import IllegalTransition, NotFound
from scheduler.model.limits import NODE_CORDONS_MAX
from scheduler.model.pool import Cordon, NodeCordon, Pool
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import IsAt, Put, Transaction


def nodes_cordoned(state: State, pool: Pool, nodes: Collection[int], cordon: Cordon) -> Transaction | None:
    """The pool with these nodes cordoned; None when all are. A cordoned node keeps its cordon.

    Raises:
        NotFound: the pool has no such node.
        IllegalTransition: too many would be cordoned.
    """
    for node in sorted(nodes):
        if node >= pool.spec.node_count:
            raise NotFound("node", f"{pool.id}/{node}")
    added = set(nodes) - pool.cordoned_nodes
    total = len(pool.node_cordons) + len(added)
    if total > NODE_CORDONS_MAX:
        raise IllegalTransition(
            f"{total} nodes of pool {pool.id} would be cordoned, at most {NODE_CORDONS_MAX} may be: "
            "cordon the pool"
        )
    kept = (*pool.node_cordons, *(NodeCordon(node=node, cordon=cordon) for node in added))
    return _with(state, pool, kept)


def nodes_uncordoned(state: State, pool: Pool, nodes: Collection[int]) -> Transaction | None:
    """The pool without these nodes' cordons; None when there are none."""
    return _with(state, pool, tuple(each for each in pool.node_cordons if each.node not in nodes))


def _with(state: State, pool: Pool, cordons: tuple[NodeCordon, ...]) -> Transaction | None:
    if len(cordons) == len(pool.node_cordons):
        return None
    key = Key(Kind.POOL, pool.id)
    changed = replace(pool, node_cordons=tuple(sorted(cordons, key=lambda each: each.node)))
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=changed, replans=True),))
