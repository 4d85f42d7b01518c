"""The law that tests of allocation and of isoFLOP optima share."""
