"""Facts: accelerators, slice shapes, list prices and egress as data files, and fleet files that use them."""
