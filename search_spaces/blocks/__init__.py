"""The torch modules of the specs."""

from search_spaces.blocks.base import Block
from search_spaces.blocks.lending import BLOCKS, lender

__all__ = ["BLOCKS", "Block", "lender"]
