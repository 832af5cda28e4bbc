"""Images in, labelled arrays out: readers, splits.

`nas.data.augment` and `nas.data.batches` are imported by their full names, because they need
torch, and looking at a data set does not.
"""

from nas.data.decode import FITS, Fit, ImageOptions
from nas.data.decoding import SILENT, Told
from nas.data.images import ImageSet
from nas.data.load import open_source
from nas.data.source import Part, PartName, Source
from nas.data.splits import Splits, load_splits, stratified
from nas.data.summary import DatasetSummary, inspect

__all__ = [
    "FITS",
    "SILENT",
    "DatasetSummary",
    "Fit",
    "ImageOptions",
    "ImageSet",
    "Part",
    "PartName",
    "Source",
    "Splits",
    "Told",
    "inspect",
    "load_splits",
    "open_source",
    "stratified",
]
