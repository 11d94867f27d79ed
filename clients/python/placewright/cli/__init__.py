"""The command line: `placewright`. Data goes to stdout, everything else to stderr."""
