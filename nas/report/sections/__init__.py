"""The parts of a report, one file each, in the order of the page."""
