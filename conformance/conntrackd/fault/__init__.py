"""The parts of `faults`: what goes wrong, by where it comes from."""
